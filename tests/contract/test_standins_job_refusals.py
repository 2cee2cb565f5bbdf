"""Model customization jobs through a real client: datasets that can't be used, and what is refused at once."""

import json

import boto3
import numpy as np
import pytest
from PIL import Image

from local.standins import training_job
from tests.contract.standin_pictures import encoded, plain_png
from tests.contract.trainings import BUCKET, CANVAS, job_request, put_dataset

pytestmark = pytest.mark.usefixtures("role", "active")


def line(uri, caption="Mara"):
    return json.dumps({"image-ref": uri, "caption": caption}).encode() + b"\n"


IMAGE = f"s3://{BUCKET}/images/0.png"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "manifest.jsonl can't be read with the job's role: AccessDenied"),
        (b"{}\n" * 6, "line 1 of the manifest has no picture and caption"),
        (b'["image-ref", "caption"]\n' * 6, "line 1 of the manifest has no picture and caption"),
        (b'{"image-ref": "s3://a/b", "caption": 3}\n' * 6, "line 1 of the manifest has no picture and caption"),
        (b"\xff\xfe\n" * 6, "line 1 of the manifest has no picture and caption"),
        (
            b'{"image_ref": "s3://training/images/0.png", "alt_text": "Mara"}\n' * 4,
            "has 4 records, not 5 to 10000",
        ),
        (line(IMAGE) * 5 + line(IMAGE, "no"), "line 6 of the manifest: captions have 3 to 1024 characters"),
        (line(IMAGE, "x" * 1025) * 6, "this one has 1025"),
        (line("s3://training/images/9.png") * 6, "images/9.png can't be read with the job's role: AccessDenied"),
        (line("s3://training/small.png") * 6, "small.png has 100 x 100 px; sides have 512 to 4096"),
        (line("s3://training/long.png") * 6, "long.png has 512 x 2049 px; a side is at most 4 times the other"),
        (line("s3://training/vast.png") * 6, "vast.png has 4096 x 3080 px; a picture has at most 12582912 in all"),
        (line("s3://training/heavy.png") * 6, "bytes; a picture has at most 300000"),
        (line("s3://training/anim.gif") * 6, "anim.gif is no PNG or JPEG"),
        (line("s3://training/manifest.jsonl") * 6, "manifest.jsonl: These bytes are no PNG"),
        (line("s3://training/cut.png") * 6, "record 1 of the manifest: The picture cannot be decoded"),
    ],
)
def test_a_dataset_that_can_t_be_used_fails_the_job_by_name(
    create, ended, objects, content, message, request, monkeypatch, own
):
    monkeypatch.setattr(training_job, "MAX_BYTES", 300_000)
    noise = np.random.default_rng(1).integers(0, 255, (512, 512, 3), dtype=np.uint8)
    files = {
        "small.png": plain_png(100, 100),
        "long.png": plain_png(512, 2049),
        "vast.png": plain_png(4096, 3080),
        "heavy.png": encoded(Image.fromarray(noise), "PNG"),
        "anim.gif": encoded(Image.new("RGB", (512, 512)), "GIF"),
        "cut.png": objects[f"{BUCKET}/images/0.png"][:900],
        "manifest.jsonl": content,
    }
    for name, file in files.items():
        objects.pop(f"{BUCKET}/{name}", None)
        if file is not None:
            objects[f"{BUCKET}/{name}"] = file
    own("POST", "outcomes", {"job": {"seconds": 0}})
    job = ended(create(f"bad-{abs(hash(request.node.name)) % 10**8}"))
    assert job["status"] == "Failed"
    assert message in job["failureMessage"]
    assert "bug" not in job["failureMessage"]


def test_the_walkthrough_s_keys_are_read_too(create, ended, objects):
    put_dataset(objects, keys=("image_ref", "alt_text"))
    assert ended(create("walkthrough"))["status"] == "Completed"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"roleArn": "arn:aws:iam::000000000000:role/other"}, "does not trust us"),
        ({"hyperParameters": {"stepCount": "9"}}, "stepCount can't be '9': it is 10 to 20000"),
        ({"hyperParameters": {"stepCount": "100.5"}}, "stepCount"),
        ({"hyperParameters": {"batchSize": "193"}}, "batchSize"),
        ({"hyperParameters": {"learningRate": "fast"}}, "learningRate"),
        ({"hyperParameters": {"learningRate": "nan"}}, "learningRate"),
        ({"hyperParameters": {"learningRate": "0.001"}}, "learningRate"),
        ({"hyperParameters": {"steps": "10"}}, "There is no hyperparameter steps; there are stepCount"),
        ({"baseModelIdentifier": "amazon.nova-pro-v1:0"}, "not supported"),
        ({"baseModelIdentifier": "amazon.nova-none-v1:0"}, "model identifier is invalid"),
        ({"baseModelIdentifier": "amazon.titan-image-generator-v2:0"}, "reached its end of life"),
        ({"customizationType": "DISTILLATION"}, "FINE_TUNING only"),
        ({"validationDataConfig": {"validators": [{"s3Uri": "s3://training/more"}]}}, "no validation data"),
        ({"trainingDataConfig": {"s3Uri": "s3://training"}}, "name s3://<bucket>/<key>"),
        ({"trainingDataConfig": {}}, "name s3://<bucket>/<key>"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_bedrock_refuses_at_once(create, client, call, wrong, says):
    with pytest.raises(client("bedrock").exceptions.ValidationException, match=says):
        create("refused", **wrong)
    found = call("bedrock", "ListModelCustomizationJobs", nameContains="refused")
    assert found["modelCustomizationJobSummaries"] == []


def test_other_regions_refuse(standins, manifest):
    ireland = boto3.client("bedrock", endpoint_url=standins.url, region_name="eu-west-1")
    with pytest.raises(ireland.exceptions.ValidationException, match="not supported in eu-west-1"):
        ireland.create_model_customization_job(**job_request("abroad", manifest))


def test_jobs_that_are_not_there(client):
    bedrock = client("bedrock")
    arn = f"arn:aws:bedrock:us-east-1:000000000000:model-customization-job/{CANVAS}/abcdefghijkl"
    for identifier in ("no-such-job", arn):
        with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
            bedrock.get_model_customization_job(jobIdentifier=identifier)
        with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
            bedrock.stop_model_customization_job(jobIdentifier=identifier)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"job": {"fail": "x"}, "image": {"keep": 1}},
        {"job": {"often": 1}},
        {"job": {"seconds": -1}},
        {"throughput": {"fail": "x"}, "count": 0},
        [],
    ],
    ids=str,
)
def test_outcomes_that_cannot_be(own, wrong):
    assert own("POST", "outcomes", wrong)[0] == 400
