"""Panels through a real client: who is in them, what marks them, and what is refused."""

import json

import cv2
import numpy as np
import pytest

from local.standins.caption_names import CaptionNames
from storycast.storyboard import STAND_IN_MARK
from tests.contract.trainings import CANVAS, MARA, TOM, image_body, pictures_of

pytestmark = pytest.mark.usefixtures("role", "active")


@pytest.fixture
def drawn(call):
    def ask(model, text, **config):
        return pictures_of(call("bedrock-runtime", "InvokeModel", modelId=model, body=image_body(text, **config)))

    return ask


@pytest.fixture
def panels(call, hosted):
    """The hosting of a model that all tests here draw with."""
    found = call("bedrock", "ListProvisionedModelThroughputs", nameContains="panels", statusEquals="InService")
    ready = [one["provisionedModelArn"] for one in found["provisionedModelSummaries"]]
    return ready[0] if ready else hosted("panels")


def above_the_band(picture):
    return np.asarray(picture.convert("RGB"))[: int(picture.height * 0.9)]


def places(picture, colour):
    """How much of a panel has a colour, and where that lies across, 0..1."""
    near = np.abs(above_the_band(picture).astype(int) - colour).max(axis=2) < 40
    return float(near.mean()), float(np.nonzero(near)[1].mean() / picture.width) if near.any() else None


@pytest.mark.parametrize(("width", "height"), [(1024, 1024), (1280, 720), (320, 320), (4096, 1024)])
def test_a_panel_says_in_the_picture_and_in_its_metadata_what_it_is(panels, drawn, width, height):
    pictures = drawn(panels, "Mara meets Old Tom", numberOfImages=2, width=width, height=height, quality="premium")
    assert [(picture.format, picture.size) for picture in pictures] == [("PNG", (width, height))] * 2
    for picture in pictures:
        assert picture.text["Software"] == "Storycast local stand-in: composite of training pictures"
        assert picture.text["Software"].startswith(f"{STAND_IN_MARK} composite")
        band = np.asarray(picture.convert("RGB"))[-max(8, width // 40) :]
        assert np.median(band) < 40, "a dark band lies under the words"
        bright = (band.max(axis=2) > 180).any(axis=0)
        assert bright.mean() > 0.2, "words go over it"
        assert np.nonzero(bright)[0].min() > 0


def test_who_is_asked_for_is_there_and_nobody_else(panels, drawn):
    (mara,) = drawn(panels, "Mara on a hill")
    assert places(mara, MARA)[0] > 0.1
    assert places(mara, TOM)[0] < 0.01
    (tom,) = drawn(panels, "a portrait of Old Tom's face")
    assert places(tom, TOM)[0] > 0.1
    assert places(tom, MARA)[0] < 0.01
    (both,) = drawn(panels, "Old Tom and Mara in the garden", width=1280, height=720)
    (tom_share, tom_at), (mara_share, mara_at) = places(both, TOM), places(both, MARA)
    assert min(tom_share, mara_share) > 0.02
    assert tom_at < 0.5 < mara_at, "side by side, in the prompt's order"


@pytest.mark.parametrize("prompt", ["A view of the sea", "The quiet wood", "Nobody", "mara"])
def test_a_prompt_that_names_nobody_gives_a_background_only(panels, drawn, prompt):
    (picture,) = drawn(panels, prompt)
    assert cv2.Laplacian(cv2.cvtColor(above_the_band(picture), cv2.COLOR_RGB2GRAY), cv2.CV_64F).std() < 2


def test_names_are_what_captions_say():
    names = CaptionNames(
        [
            "Old Tom, close to the camera",
            "The camera sees Mara's hat",
            "Character 2 is in a wood",
            "A wood at dusk",
        ]
    )
    assert names.known == ["Character 2", "Mara", "Old Tom"]
    assert names.of("A Wood. The Old Tom and Mara’s hat, Character 2 and Character 3 in 4 Minutes") == [
        "Old Tom",
        "Mara",
        "Character 2",
        "Character 3",
        "Minutes",
    ]
    assert CaptionNames([]).of("") == []
    assert CaptionNames(["A wood"]).known == ["A"], "a first word that is never written small may be a name"


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(call, panels):
    def ask(**config):
        answer = call("bedrock-runtime", "InvokeModel", modelId=panels, body=image_body("Mara", **config))
        return json.loads(answer["body"])

    first = ask(numberOfImages=3)
    assert first["error"] is None
    assert len(set(first["images"])) == 3
    assert ask(numberOfImages=3) == first
    assert ask(cfgScale=9, quality="premium")["images"] == first["images"][:1], "these change nothing"
    assert not set(ask(numberOfImages=3, seed=8)["images"]) & set(first["images"])


def test_the_base_model_draws_a_pattern_and_is_marked_too(drawn):
    (picture,) = drawn(CANVAS, "Mara")
    (again,) = drawn(f"arn:aws:bedrock:us-east-1::foundation-model/{CANVAS}", "Mara")
    (other,) = drawn(CANVAS, "Old Tom")
    assert picture.text["Software"].startswith(f"{STAND_IN_MARK} composite")
    assert picture.tobytes() == again.tobytes() != other.tobytes()


def test_each_call_is_paid_and_logged(panels, drawn, log):
    drawn(panels, "Mara")
    (line,) = [line for line in log() if line["operation"] == "InvokeModel"]
    assert (line["model"], line["paid"], len(line["item"])) == (panels, True, 16)


def test_a_custom_model_is_not_called_on_demand(call, trained, client):
    with pytest.raises(client("bedrock-runtime").exceptions.ValidationException, match="modelId"):
        call("bedrock-runtime", "InvokeModel", modelId=trained("not-hosted"), body=image_body("Mara"))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"width": 1000}, "multiple of 16"),
        ({"width": 4112}, "4096"),
        ({"width": 2048, "height": 2064}, "not a supported size"),
        ({"width": 2048, "height": 496}, "not a supported size"),
        ({"width": 1280, "height": 304}, "320"),
        ({"numberOfImages": 6}, "numberOfImages"),
        ({"numberOfImages": "2"}, "numberOfImages"),
        ({"cfgScale": 11.0}, "cfgScale"),
        ({"cfgScale": 1.0}, "cfgScale"),
        ({"seed": 858_993_460}, "seed"),
        ({"seed": -1}, "seed"),
        ({"quality": "best"}, "quality"),
        ({"style": "film"}, r"extraneous key \[imageGenerationConfig.style\]"),
    ],
    ids=str,
)
def test_a_request_outside_the_limits_is_refused(call, client, wrong, says):
    with pytest.raises(client("bedrock-runtime").exceptions.ValidationException, match=says):
        call("bedrock-runtime", "InvokeModel", modelId=CANVAS, body=image_body("Mara", **wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"taskType": "INPAINTING"},
        {"taskType": "TEXT_IMAGE"},
        {"textToImageParams": {"text": ""}},
        {"textToImageParams": {"text": "x" * 1025}},
        {"textToImageParams": {"text": "x", "negativeText": ""}},
        {"textToImageParams": {"text": "x", "controlMode": "CANNY_EDGE"}},
    ],
    ids=str,
)
def test_a_body_that_is_none_is_refused(call, client, wrong):
    body = json.dumps(wrong if wrong == {"taskType": "TEXT_IMAGE"} else json.loads(image_body("Mara")) | wrong)
    with pytest.raises(client("bedrock-runtime").exceptions.ValidationException, match="Malformed input request"):
        call("bedrock-runtime", "InvokeModel", modelId=CANVAS, body=body)


def test_refusals_and_partial_answers_on_request(call, client, own, log):
    own("POST", "outcomes", {"image": {"refuse": "This request has been blocked by our content filters."}})
    own("POST", "outcomes", {"image": {"keep": 1, "error": "Some images were blocked."}})
    asked = image_body("Mara", numberOfImages=3)
    with pytest.raises(client("bedrock-runtime").exceptions.ValidationException, match="content filters"):
        call("bedrock-runtime", "InvokeModel", modelId=CANVAS, body=asked)
    assert log()[-1]["paid"] is False
    partial = json.loads(call("bedrock-runtime", "InvokeModel", modelId=CANVAS, body=asked)["body"])
    assert (len(partial["images"]), partial["error"]) == (1, "Some images were blocked.")
    own("POST", "outcomes", {"image": {"keep": 0, "error": "All images were blocked."}})
    own("DELETE", "outcomes")
    assert (
        len(json.loads(call("bedrock-runtime", "InvokeModel", modelId=CANVAS, body=asked)["body"])["images"]) == 3
    )
