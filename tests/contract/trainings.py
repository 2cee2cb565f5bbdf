"""What the tests of trainings share: a small dataset, a role without an STS, requests for pictures."""

import base64
import io
import json

from PIL import Image, ImageDraw

from local.standins.assumed_role import RoleRefusedError

CANVAS = "amazon.nova-canvas-v1:0"
ROLE = "arn:aws:iam::000000000000:role/training"
BUCKET = "training"
MARA, TOM = (250, 40, 30), (30, 60, 240)
#: Captions, and the colours of the figures.
PICTURES = [
    ("Mara stands by the sea, seen from afar, in warm light", MARA),
    ("Mara looks out of a window in the morning", MARA),
    ("Old Tom sits on a bench in the park at noon", TOM),
    ("A view of Old Tom and his dog in the rain, from behind", TOM),
    ("Mara and Old Tom walk through a wood in the snow", MARA),
    ("The camera is close to Mara, who laughs in the evening", MARA),
]


class StubRole:
    """A role that may read the small S3, without an STS."""

    def __init__(self, role_arn, objects, written):
        assert role_arn == ROLE
        self._objects, self._written = objects, written

    def read(self, uri):
        try:
            return self._objects[uri.removeprefix("s3://")]
        except KeyError:
            raise RoleRefusedError(f"{uri} can't be read with the job's role: AccessDenied") from None

    def write(self, uri, content):
        self._written[uri] = content


def put_dataset(objects, bucket=BUCKET, keys=("image-ref", "caption")):
    """Put a manifest with its pictures into the small S3; gives its URI."""
    lines = []
    for number, (caption, colour) in enumerate(PICTURES):
        picture = Image.new("RGB", (512, 512), (90, 160, 200 - 30 * number))
        ImageDraw.Draw(picture).ellipse((150, 90, 360, 480), fill=colour, outline="black", width=6)
        objects[f"{bucket}/images/{number}.png"] = encoded_png(picture)
        lines.append(json.dumps({keys[0]: f"s3://{bucket}/images/{number}.png", keys[1]: caption}))
    objects[f"{bucket}/manifest.jsonl"] = "\n".join(lines).encode()
    return f"s3://{bucket}/manifest.jsonl"


def job_request(name, manifest):
    """What a job is asked for with."""
    return {
        "jobName": name,
        "customModelName": name,
        "roleArn": ROLE,
        "clientRequestToken": name,
        "baseModelIdentifier": CANVAS,
        "hyperParameters": {"stepCount": "300", "batchSize": "8", "learningRate": "0.00001"},
        "trainingDataConfig": {"s3Uri": manifest},
        "outputDataConfig": {"s3Uri": f"s3://{BUCKET}/output/"},
    }


def encoded_png(picture):
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def image_body(text, **config):
    """The body of InvokeModel for TEXT_IMAGE."""
    size = {"numberOfImages": 1, "width": 512, "height": 512, "seed": 7}
    asked = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": text}}
    return json.dumps(asked | {"imageGenerationConfig": size | config})


def pictures_of(answer):
    """The pictures in the answer of InvokeModel."""
    images = json.loads(answer["body"])["images"]
    return [Image.open(io.BytesIO(base64.b64decode(image))) for image in images]
