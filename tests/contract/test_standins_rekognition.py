"""DetectLabels through a real client: what comes back, the limits, the errors."""

import pytest

from local.standins.image_input import BYTES_LIMIT, OBJECT_BYTES_LIMIT
from local.standins.nanodet import coco_classes
from local.standins.rekognition import LABEL_MODEL_VERSION, SALIENT, wanted
from tests.contract.standin_pictures import encoded, figure_box, jpeg, padded_png, plain_png, scene

PICTURE = jpeg(3)


def refused(client, code, **params):
    rekognition = client("rekognition")
    with pytest.raises(getattr(rekognition.exceptions, code)) as caught:
        rekognition.detect_labels(**params)
    return caught.value.response["Error"]["Message"]


@pytest.fixture(scope="module")
def answer(client):
    return client("rekognition").detect_labels(Image={"Bytes": PICTURE}, MinConfidence=0)


def test_labels_are_those_of_the_models(answer):
    assert answer["LabelModelVersion"] == LABEL_MODEL_VERSION
    known = {name.title() for name, _ in coco_classes()} | {SALIENT}
    assert {label["Name"] for label in answer["Labels"]} <= known
    confidences = [label["Confidence"] for label in answer["Labels"]]
    assert confidences == sorted(confidences, reverse=True)
    for label in answer["Labels"]:
        assert label["Confidence"] == label["Instances"][0]["Confidence"]
        assert len(label["Categories"]) == 1
        for instance in label["Instances"]:
            box = instance["BoundingBox"]
            assert 0 <= box["Left"] <= box["Left"] + box["Width"] <= 1.000001
            assert 0 <= box["Top"] <= box["Top"] + box["Height"] <= 1.000001


def test_the_salient_box_lies_on_the_figure(answer):
    (label,) = [label for label in answer["Labels"] if label["Name"] == SALIENT]
    box = label["Instances"][0]["BoundingBox"]
    found = (box["Left"], box["Top"], box["Left"] + box["Width"], box["Top"] + box["Height"])
    assert found == pytest.approx(figure_box(3), abs=0.06)


def test_the_same_picture_gives_the_same_answer(answer, call):
    again = call("rekognition", "DetectLabels", Image={"Bytes": PICTURE}, MinConfidence=0)
    assert again["Labels"] == answer["Labels"]


def test_max_labels_and_the_call_log(call, client, log):
    one = call("rekognition", "DetectLabels", Image={"Bytes": PICTURE}, MinConfidence=0, MaxLabels=1)
    assert len(one["Labels"]) == 1
    refused(client, "InvalidImageFormatException", Image={"Bytes": b"no picture"})
    good, bad = log()
    assert (good["service"], good["operation"], good["status"]) == ("rekognition", "DetectLabels", 200)
    assert good["paid"] is True
    assert good["access_key_id"] == "AKIACONTRACT"
    assert len(good["item"]) == 16
    assert good["ms"] > 0
    assert (bad["status"], bad["error"], bad["paid"]) == (400, "InvalidImageFormatException", False)


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({"LabelExclusionFilters": [SALIENT]}, False),
        ({"LabelInclusionFilters": [SALIENT]}, True),
        ({"LabelInclusionFilters": ["Dog"]}, False),
        ({"LabelCategoryInclusionFilters": ["Saliency"]}, True),
        ({"LabelCategoryExclusionFilters": ["Saliency"]}, False),
        ({"LabelCategoryInclusionFilters": ["Saliency"], "LabelExclusionFilters": [SALIENT]}, False),
        ({"LabelInclusionFilters": ["Dog"], "LabelCategoryInclusionFilters": ["Saliency"]}, True),
    ],
)
def test_filters(answer, filters, passes):
    kept = [label for label in answer["Labels"] if wanted(label, filters)]
    assert (SALIENT in {label["Name"] for label in kept}) is passes


def test_filters_of_a_request(call):
    filters = {"LabelExclusionFilters": [SALIENT], "LabelCategoryExclusionFilters": ["Animal", "Person"]}
    answer = call("rekognition", "DetectLabels", Image={"Bytes": PICTURE}, Settings={"GeneralLabels": filters})
    assert all(label["Confidence"] >= 55 for label in answer["Labels"])
    left = {category["Name"] for label in answer["Labels"] for category in label["Categories"]}
    assert not left & {"Saliency", "Animal", "Person"}


def test_image_properties(call):
    answer = call(
        "rekognition",
        "DetectLabels",
        Image={"Bytes": PICTURE},
        Features=["IMAGE_PROPERTIES"],
        Settings={"ImageProperties": {"MaxDominantColors": 3}},
    )
    assert "Labels" not in answer
    colours = answer["ImageProperties"]["DominantColors"]
    assert 1 <= len(colours) <= 3
    assert sum(colour["PixelPercent"] for colour in colours) == pytest.approx(100)


def test_a_picture_in_s3(answer, call, objects):
    objects["films/a%20frame.jpg"] = PICTURE
    place = {"Bucket": "films", "Name": "a frame.jpg"}
    found = call("rekognition", "DetectLabels", Image={"S3Object": place}, MinConfidence=0)
    assert found["Labels"] == answer["Labels"]


def test_s3_errors(client, objects):
    message = refused(
        client, "InvalidS3ObjectException", Image={"S3Object": {"Bucket": "films", "Name": "missing.jpg"}}
    )
    assert "missing.jpg" in message
    objects["films/large.png"] = padded_png(OBJECT_BYTES_LIMIT + 1)
    place = {"Bucket": "films", "Name": "large.png"}
    refused(client, "ImageTooLargeException", Image={"S3Object": place})
    # One that is too large as bytes is read from S3: what is wrong with it is its side.
    objects["films/in_between.png"] = padded_png(BYTES_LIMIT + 1, side=60)
    place = {"Bucket": "films", "Name": "in_between.png"}
    assert "too small" in refused(client, "InvalidParameterException", Image={"S3Object": place})


def test_the_emulator_must_be_known(client, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    place = {"Bucket": "films", "Name": "frame.jpg"}
    message = refused(client, "InvalidS3ObjectException", Image={"S3Object": place})
    assert "AWS_ENDPOINT_URL" in message


def test_limits_of_bytes_and_sides(client):
    refused(client, "ImageTooLargeException", Image={"Bytes": padded_png(BYTES_LIMIT + 1)})
    refused(client, "ImageTooLargeException", Image={"Bytes": plain_png(10_001, 80)})
    refused(client, "InvalidParameterException", Image={"Bytes": plain_png(79, 200)})
    refused(client, "InvalidImageFormatException", Image={"Bytes": encoded(scene(), "GIF")})
    refused(client, "InvalidImageFormatException", Image={"Bytes": b"no picture"})
    refused(client, "InvalidImageFormatException", Image={"Bytes": PICTURE[: len(PICTURE) // 2]})


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"Image": {}},
        {"Image": {"Bytes": PICTURE, "S3Object": {"Bucket": "films", "Name": "x"}}},
        {"Image": {"S3Object": {"Name": "x"}}},
        {"Image": {"Bytes": PICTURE}, "MinConfidence": 101.0},
        {"Image": {"Bytes": PICTURE}, "MaxLabels": -1},
        {"Image": {"Bytes": PICTURE}, "Features": ["FACES"]},
        {"Image": {"Bytes": PICTURE}, "Settings": {"ImageProperties": {"MaxDominantColors": 2}}},
        {"Image": {"Bytes": PICTURE}, "Features": ["IMAGE_PROPERTIES"], "Settings": {"GeneralLabels": {}}},
    ],
)
def test_parameters_that_the_model_refuses(client, params):
    refused(client, "InvalidParameterException", **params)
