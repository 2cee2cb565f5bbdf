"""InvokeModel of the two embedding models through a real client."""

import base64
import io
import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from tests.contract.standin_pictures import encoded, jpeg, padded_png, plain_png, scene

TITAN = "amazon.titan-embed-image-v1"
NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"


def text64(content):
    return base64.b64encode(content).decode("ascii")


def titan_body(content, length=None):
    config = {} if length is None else {"embeddingConfig": {"outputEmbeddingLength": length}}
    return {"inputImage": text64(content)} | config


def nova_body(image=None, dimension=None, **inputs):
    params = {"embeddingPurpose": "GENERIC_INDEX"} | inputs
    params |= {"image": image} if image else {}
    params |= {"embeddingDimension": dimension} if dimension else {}
    return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": params}


def nova_image(content, kind="jpeg"):
    return {"format": kind, "source": {"bytes": text64(content)}}


@pytest.fixture
def invoke(call):
    def ask(model, body):
        answer = call("bedrock-runtime", "InvokeModel", modelId=model, body=json.dumps(body))
        assert answer["contentType"] == "application/json"
        return json.loads(answer["body"])

    return ask


@pytest.fixture
def refused(client):
    def ask(model, body):
        runtime = client("bedrock-runtime")
        raw = body if isinstance(body, bytes) else json.dumps(body)
        with pytest.raises(runtime.exceptions.ValidationException) as caught:
            runtime.invoke_model(modelId=model, body=raw)
        return caught.value.response["Error"]["Message"]

    return ask


@pytest.mark.parametrize("length", [256, 384, 1024, None])
def test_titan_gives_a_unit_vector_of_the_length_asked_for(invoke, length):
    answer = invoke(TITAN, titan_body(jpeg(1), length))
    assert answer.keys() == {"embedding", "inputTextTokenCount", "message"}
    assert answer["message"] is None
    assert len(answer["embedding"]) == (length or 1024)
    assert math.hypot(*answer["embedding"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("dimension", [256, 384, 1024, 3072, None])
def test_nova_gives_a_unit_vector_of_the_length_asked_for(invoke, dimension):
    answer = invoke(NOVA, nova_body(nova_image(jpeg(1)), dimension))
    (found,) = answer["embeddings"]
    assert found["embeddingType"] == "IMAGE"
    assert len(found["embedding"]) == (dimension or 3072)
    assert math.hypot(*found["embedding"]) == pytest.approx(1, abs=1e-5)


def test_cosines_say_how_alike_pictures_are(invoke):
    one = jpeg(1, 640, 480)
    again = encoded(Image.open(io.BytesIO(one)), "JPEG", quality=60)
    vectors = {
        name: np.array(invoke(TITAN, titan_body(content))["embedding"])
        for name, content in (("one", one), ("again", again), ("other", jpeg(2, 640, 480)))
    }
    assert vectors["one"] @ vectors["again"] > 0.9
    assert vectors["one"] @ vectors["other"] < 0.9
    assert vectors["one"] @ vectors["again"] > vectors["one"] @ vectors["other"]
    assert invoke(TITAN, titan_body(one))["embedding"] == vectors["one"].tolist()


def test_the_projection_keeps_cosines(invoke):
    def cosine(length):
        one, other = (
            np.array(invoke(NOVA, nova_body(nova_image(jpeg(seed)), length))["embeddings"][0]["embedding"])
            for seed in (1, 2)
        )
        return one @ other

    whole = cosine(3072)
    assert cosine(1024) == pytest.approx(whole, abs=0.1)
    assert cosine(256) == pytest.approx(whole, abs=0.2)


def test_concurrent_calls_give_what_single_ones_do(invoke):
    bodies = [titan_body(jpeg(seed), 256) for seed in (1, 2, 3)]
    single = [invoke(TITAN, body)["embedding"] for body in bodies]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda body: invoke(TITAN, body)["embedding"], bodies * 4))
    assert together == single * 4


def test_text_is_not_embedded(refused):
    assert "no text encoder" in refused(TITAN, {"inputText": "a rabbit"})
    assert "no text encoder" in refused(TITAN, titan_body(jpeg()) | {"inputText": "a rabbit"})
    text = {"value": "a rabbit", "truncationMode": "END"}
    assert "no text encoder" in refused(NOVA, nova_body(text=text))


def test_what_titan_refuses(refused):
    assert "extraneous key [dimensions]" in refused(TITAN, titan_body(jpeg()) | {"dimensions": 256})
    assert "Malformed input request" in refused(TITAN, {})
    assert "Malformed input request" in refused(TITAN, titan_body(jpeg(), 512))
    assert "Malformed input request" in refused(TITAN, titan_body(jpeg(), "256"))
    assert "Malformed input request" in refused(TITAN, b"not JSON")
    assert "base64" in refused(TITAN, {"inputImage": "%%%"})
    assert "no PNG" in refused(TITAN, titan_body(b"no picture"))
    assert "max pixels" in refused(TITAN, titan_body(plain_png(2049, 2048)))
    assert "gif" in refused(TITAN, titan_body(encoded(scene(), "GIF")))
    assert "25000000" in refused(TITAN, titan_body(padded_png(18_800_000)))


def test_what_nova_refuses(refused):
    assert "exactly one" in refused(NOVA, nova_body())
    assert "no audio" in refused(NOVA, nova_body(audio={"format": "mp3"}))
    assert "exactly one" in refused(NOVA, nova_body(nova_image(jpeg()), text={"value": "x"}))
    assert "taskType" in refused(NOVA, nova_body(nova_image(jpeg())) | {"taskType": "SEGMENTED_EMBEDDING"})
    assert "embeddingDimension" in refused(NOVA, nova_body(nova_image(jpeg()), 512))
    assert "embeddingPurpose" in refused(NOVA, nova_body(nova_image(jpeg()), embeddingPurpose="ANYTHING"))
    assert "jpeg, not png" in refused(NOVA, nova_body(nova_image(jpeg(), "png")))
    assert "bytes or s3Location" in refused(NOVA, nova_body({"format": "png", "source": {}}))
    missing = {"format": "png", "source": {"s3Location": {"uri": "s3://films/none.png"}}}
    assert "S3" in refused(NOVA, nova_body(missing))
    assert "s3://<bucket>/<key>" in refused(NOVA, nova_body(missing | {"source": {"s3Location": {"uri": "x"}}}))


def test_nova_reads_s3(invoke, objects):
    objects["films/embed.jpg"] = jpeg(1)
    place = {"format": "jpeg", "source": {"s3Location": {"uri": "s3://films/embed.jpg"}}}
    assert invoke(NOVA, nova_body(place, 256)) == invoke(NOVA, nova_body(nova_image(jpeg(1)), 256))
