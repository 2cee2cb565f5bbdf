"""Input by chance: a value, or an error of ours that names the file or the key, and nothing else."""

import io
import json
import string
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import storycast.errors
from checks.raised_by import leaves
from review.drafts import DraftInvalidError, parsed
from review.intake import DecisionsFile
from storycast.adapters.bedrock_images import BedrockImages
from storycast.adapters.bedrock_runtime import EMBEDDING_LENGTH, BedrockEmbedder, ConverseCaptioner
from storycast.adapters.rekognition import RekognitionLabels
from storycast.adapters.rekognition_faces import RekognitionCollections, RekognitionFaces
from storycast.adapters.rekognition_images import box_of
from storycast.caption_answers import CaptionRefusedError, read_answer
from storycast.detections import found_label, merge_labels
from storycast.errors import RequestInvalidError, SettingsInvalidError, StorycastError
from storycast.faces import face_box
from storycast.manifest import MAX_CAPTION, read_manifest
from storycast.ports import LabelledBox
from storycast.requests import read_request
from storycast.settings import Settings, read_settings
from storycast.training import TrainingRequest
from tests.bad_input.answers import PANEL_REQUEST, Answering
from tests.bad_input.object_keys import created

SLOWEST_MS = 5000
"""Of one input, on a busy machine."""
ERRORS = {getattr(storycast.errors, name) for name in leaves()}
often = settings(max_examples=150, deadline=SLOWEST_MS, derandomize=True)

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["../../etc/passwd", "\x00", "\x1b[2J", "{{x}}", "<script>", "yes", ".nan", "1:30", "0x1f", "unknown"]
    )
)
_KEYS = st.sampled_from(
    sorted(
        {*Settings.model_fields}
        | {name for one in Settings.model_fields.values() for name in getattr(one.annotation, "model_fields", {})}
    )
) | st.text(max_size=8)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["caption", "image-ref", "embedding", "images", "error", "project", "footage", "key"])
            | st.text(max_size=6),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


def told_of(error: Exception, *begins: str) -> None:
    """Refuse an error that is no leaf of ours, or whose message is long, empty or of pydantic."""
    assert type(error) in {*ERRORS, CaptionRefusedError, DraftInvalidError}
    assert 3 < len(str(error)) < 6000
    assert "pydantic" not in str(error)
    assert str(error).startswith(begins or "")


def near(sound: Any, data: st.DataObject) -> Any:
    """Return a document of which one part is another, is gone, or stands beside something else."""
    if isinstance(sound, dict) and sound and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(sound)))
        change = data.draw(st.sampled_from(["into", "replace", "drop", "add"]))
        if change == "into":
            return {**sound, key: near(sound[key], data)}
        if change == "replace":
            return {**sound, key: data.draw(_JSON)}
        if change == "drop":
            return {name: value for name, value in sound.items() if name != key}
        return {**sound, data.draw(st.text(max_size=6)): data.draw(_JSON)}
    if isinstance(sound, list) and sound and data.draw(st.booleans()):
        return [*sound[:-1], near(sound[-1], data)]
    return data.draw(_JSON)


# ---- project files --------------------------------------------------------------------------------


def _read(text: str | bytes) -> None:
    try:
        read_settings(text, "projects/p/project.yaml")
    except SettingsInvalidError as error:
        told_of(error, "projects/p/project.yaml")


@often
@given(st.dictionaries(_KEYS, _VALUES, max_size=5))
def test_any_mapping_is_settings_or_a_named_error(document: dict[str, Any]) -> None:
    _read(yaml.safe_dump(document, allow_unicode=True))
    _read(json.dumps(document))


@often
@given(st.data())
def test_settings_that_nearly_are_valid_are_taken_or_named(data: st.DataObject) -> None:
    sound = {
        "characters": [{"name": "Bunny", "references": ["cast/*"], "labels": ["Rabbit"]}],
        "captions": {"words": [20, 30], "prompt": "p.txt"},
        "storyboard": {"prompts": ["Bunny"], "width": 1024, "seed": 7},
        "training": {"target": "sagemaker", "lora": {"rank": 16}},
        "budget_usd": 5,
    }
    _read(yaml.safe_dump(near(sound, data), allow_unicode=True))


@often
@given(st.text(alphabet=st.sampled_from("&*!{}[]:,-?|>%@`'\"#\n\t ~=<01.xa_é\x85\u2028\U0001f430"), max_size=60))
def test_any_marks_of_yaml_are_settings_or_a_named_error(text: str) -> None:
    _read(text)
    _read(f"characters:\n- {text}\n")


@often
@given(
    st.sampled_from(
        ["bool", "int", "float", "timestamp", "binary", "set", "omap", "pairs", "null", "python/name:os.system"]
    ),
    st.text(string.printable, max_size=10),
)
def test_any_tag_is_a_named_error(tag: str, text: str) -> None:
    with pytest.raises(SettingsInvalidError, match=r"^f is not YAML"):
        read_settings(f"a: !!{tag} {json.dumps(text)}", "f")


# ---- events and requests --------------------------------------------------------------------------


@often
@given(st.data())
def test_an_event_that_nearly_is_one_is_a_request_or_a_named_error(data: st.DataObject) -> None:
    event = near(created("uploads/p/film.mp4"), data)
    try:
        read_request(event)
    except RequestInvalidError as error:
        told_of(error, "The request is not valid: ", "The S3 event has not the form", "'")


@often
@given(st.text(max_size=60))
def test_any_key_is_a_request_or_a_named_error(name: str) -> None:
    for key in (name, f"uploads/{name}", f"uploads/p/{name}"):
        try:
            request, upload = read_request(created(key))
        except RequestInvalidError:
            continue
        assert request.footage == (key,)
        assert upload is not None
        assert request.project.strip(". ")


@often
@given(st.data())
def test_a_request_of_a_training_is_taken_or_named(data: st.DataObject) -> None:
    sound = {"run_id": "run-1", "training": {"step_count": 100}, "budget_usd": 5, "manifest_key": "runs/x/m.jsonl"}
    try:
        asked = TrainingRequest.model_validate(near(sound, data))
    except ValidationError:
        return  # Every function turns it into a RequestInvalidError; see read_event.
    try:
        read_settings(json.dumps(asked.over(Settings())), "f")
    except SettingsInvalidError as error:
        told_of(error, "f")


# ---- manifests and decisions ----------------------------------------------------------------------


@often
@given(st.lists(st.binary(max_size=60) | _JSON.map(lambda value: json.dumps(value).encode()), max_size=5))
def test_any_lines_are_records_or_problems_by_number(lines: list[bytes]) -> None:
    records, problems = read_manifest(b"\n".join(lines))
    for number, record in records.items():
        assert number in problems or 3 <= len(record.caption) <= MAX_CAPTION
    for number, problem in problems.items():
        assert number >= 1
        assert problem


@often
@given(st.data())
def test_a_line_that_nearly_is_one_is_a_record_or_a_problem(data: st.DataObject) -> None:
    line = near({"image-ref": "s3://media/a.png", "caption": "Bunny waits"}, data)
    records, problems = read_manifest(json.dumps(line).encode())
    assert set(records) | set(problems) == {1}
    for number in set(records) - set(problems):
        records[number].caption.encode()
        assert records[number].image_uri.encode()


@often
@given(st.data())
def test_decisions_that_nearly_are_some_are_taken_or_named(data: st.DataObject) -> None:
    change = {"subject": "picture:c", "field": "verdict", "before": "open", "after": "kept"}
    decision = {"id": "decision-1", "what": "keep", "when": "now", "changes": [change]}
    sound = {"format": "storycast-decisions-1", "run_id": "r", "who": "Ada", "decisions": [decision]}
    try:
        parsed(DecisionsFile, json.dumps(near(sound, data)).encode())
    except DraftInvalidError as error:
        told_of(error)


# ---- answers of models ----------------------------------------------------------------------------


@often
@given(
    st.text(max_size=300)
    | _JSON.map(json.dumps)
    | st.text(alphabet=st.sampled_from('{}[]",:`\njson\\a '), max_size=300)
)
def test_any_answer_of_a_captioner_is_a_caption_that_stands_in_it_or_a_named_fault(text: str) -> None:
    try:
        caption = read_answer(text, "end_turn")
    except CaptionRefusedError as error:
        told_of(error)
    else:
        assert caption.isprintable()
        assert 3 <= len(caption) <= MAX_CAPTION


@pytest.mark.parametrize(
    "piece", ["{", '{"a":', "[", "```\n", "\n", "```json ", '{"', '"', "\\", "I'm very ", "{}", '{"caption": "']
)
@settings(max_examples=5, deadline=SLOWEST_MS, derandomize=True)
@given(st.integers(90_000, 110_000), st.sampled_from(["", "```", "}", '"}']))
def test_an_answer_of_100_kb_is_read_in_linear_time(piece: str, size: int, end: str) -> None:
    with pytest.raises(CaptionRefusedError):
        read_answer(piece * (size // len(piece)) + end, "end_turn")


SIDES = {"Left": 0.1, "Top": 0.1, "Width": 0.5, "Height": 0.5}
SOUND_ANSWERS: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "labels": (
        lambda client: RekognitionLabels("media", client).detect("k", min_confidence=60, only=()),
        {
            "Labels": [
                {"Name": "Rabbit", "Confidence": 90.0, "Instances": [{"BoundingBox": SIDES, "Confidence": 90.0}]}
            ],
            "LabelModelVersion": "3.0",
        },
    ),
    "faces": (
        lambda client: RekognitionFaces("media", client).faces("k"),
        {"FaceDetails": [{"BoundingBox": SIDES, "Confidence": 90.0}]},
    ),
    "search": (
        lambda client: RekognitionCollections(client, client).search("c", b"", most=1),
        {
            "SearchedFaceBoundingBox": SIDES,
            "FaceMatches": [{"Similarity": 99.0, "Face": {"ExternalImageId": "x"}}],
        },
    ),
    "caption": (
        lambda client: ConverseCaptioner("m", client).answer("s", ["t"], b"", max_tokens=9),
        {
            "output": {"message": {"content": [{"text": "{}"}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 1},
        },
    ),
}


@pytest.mark.parametrize("kind", SOUND_ANSWERS)
@often
@given(st.data())
def test_an_answer_that_nearly_is_one_is_understood_or_a_named_error(kind: str, data: st.DataObject) -> None:
    call, sound = SOUND_ANSWERS[kind]
    assert call(Answering(sound))
    answer = near(sound, data)
    try:
        # botocore gives a mapping, whatever the service says.
        call(Answering(answer if isinstance(answer, dict) else {}))
    except StorycastError as error:
        told_of(error)


_ANY_NUMBER = st.floats() | st.integers(-(10**20), 10**20)
_BOXES = st.fixed_dictionaries({name: _ANY_NUMBER | st.none() for name in ("Left", "Top", "Width", "Height")})


@often
@given(st.lists(st.tuples(_BOXES, _ANY_NUMBER, st.text(max_size=5)), max_size=8))
def test_any_boxes_are_detections_inside_the_frame_or_a_named_error(
    found: list[tuple[dict[str, Any], float, str]],
) -> None:
    boxes = []
    for sides, confidence, name in found:
        try:
            boxes.append(found_label(LabelledBox(box_of(sides), name, confidence)))
            face_box(box_of(sides), confidence)
        except StorycastError as error:
            told_of(error)
    labelled = [
        LabelledBox(
            box_of({"Left": one.left, "Top": one.top, "Width": one.width, "Height": one.height}),
            one.label,
            one.confidence,
        )
        for one in boxes
    ]
    for detection in merge_labels(labelled):
        assert 0 <= detection.left <= 1
        assert 0 <= detection.box.right <= 1.00002
        assert 0 <= detection.confidence <= 100


@often
@given(st.binary(max_size=80) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_an_embedding_or_a_named_error(body: bytes) -> None:
    for content in (body, b'{"embedding": ' + body + b"}"):
        try:
            vector = BedrockEmbedder("m", Answering({"body": io.BytesIO(content)})).embed(b"picture")
        except StorycastError as error:
            told_of(error)
        else:
            assert len(vector) == EMBEDDING_LENGTH


@often
@given(st.binary(max_size=80) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_panels_or_a_named_error(body: bytes) -> None:
    for content in (body, b'{"images": ' + body + b"}"):
        try:
            drawn = BedrockImages(Answering({"body": io.BytesIO(content)})).draw("m", PANEL_REQUEST)
        except StorycastError as error:
            told_of(error)
        else:
            assert drawn.pictures or drawn.error
