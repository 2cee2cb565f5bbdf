"""Events and requests that are not as EventBridge, the console or the command make them."""

from typing import Any

from tests.bad_input.corpus import Case
from tests.bad_input.doors import EVENT, REPLAY, uploaded
from tests.bad_input.object_keys import created

KEY = "uploads/p/film.mp4"


def changed(**parts: Any) -> Any:
    """Return an event with other parts of its object; None takes one out."""
    etag = uploaded(KEY, b"film").head(KEY).etag
    event = created(KEY, etag=etag)
    for name, value in parts.items():
        event["detail"]["object"][name.replace("_", "-")] = value
        if value is None:
            del event["detail"]["object"][name.replace("_", "-")]
    return event


def of_bucket(name: Any) -> Any:
    """Return an event of a bucket."""
    event = changed()
    event["detail"]["bucket"]["name"] = name
    return event


CASES = [
    Case("an upload's event as it is", EVENT, changed, code=0, told="a run begins: film-20260102-367dde"),
    Case(
        "the same event twice",
        REPLAY,
        changed,
        code=0,
        told="a run begins: film-20260102-367dde\nclaimed by another execution",
    ),
    Case(
        "no sequencer",
        EVENT,
        lambda: changed(sequencer=None),
        code=2,
        told=("RequestInvalidError: The S3 event has not the form of 'Object Created': 'sequencer' is missing."),
    ),
    Case(
        "a sequencer that is none",
        EVENT,
        lambda: changed(sequencer="⚠ not hex"),
        code=0,
        told="a run begins: film-20260102-367dde",
    ),
    Case(
        "a sequencer that is a number",
        EVENT,
        lambda: changed(sequencer=7),
        code=2,
        told=(
            "RequestInvalidError: The S3 event has not the form of 'Object Created': sequencer: "
            "Input should be a valid string."
        ),
    ),
    Case(
        "no ETag",
        EVENT,
        lambda: changed(etag=None),
        code=2,
        told=("RequestInvalidError: The S3 event has not the form of 'Object Created': 'etag' is missing."),
    ),
    Case(
        "another ETag",
        EVENT,
        lambda: changed(etag="0" * 32),
        code=2,
        told=(
            "FootageMissingError: 'uploads/p/film.mp4' was replaced after this upload; the newer "
            "upload has a run of its own."
        ),
    ),
    Case("a size as text", EVENT, lambda: changed(size="many"), code=0, told="a run begins: film-20260102-367dde"),
    Case(
        "a version that is none",
        EVENT,
        lambda: changed(version_id="null"),
        code=0,
        told="a run begins: film-20260102-367dde",
    ),
    Case(
        "a key that is a list",
        EVENT,
        lambda: created(["a"]),
        code=2,
        told=(
            "RequestInvalidError: The S3 event has not the form of 'Object Created': key: Input "
            "should be a valid string."
        ),
    ),
    Case(
        "a key that is not in the bucket",
        EVENT,
        lambda: created("uploads/p/other.mp4"),
        code=2,
        told=(
            "FootageMissingError: There is no object 'uploads/p/other.mp4' in the bucket. Upload it, "
            "or mend the key."
        ),
    ),
    Case(
        "another bucket",
        EVENT,
        lambda: of_bucket("somebody-elses"),
        code=2,
        told="RequestInvalidError: The event is of the bucket 'somebody-elses', not of 'media'.",
    ),
    Case(
        "a bucket that is a number",
        EVENT,
        lambda: of_bucket(7),
        code=2,
        told=(
            "RequestInvalidError: The S3 event has not the form of 'Object Created': bucket: Input "
            "should be a valid string."
        ),
    ),
    Case(
        "no detail",
        EVENT,
        lambda: {"detail-type": "Object Created"},
        code=2,
        told=("RequestInvalidError: The S3 event has not the form of 'Object Created': 'detail' is missing."),
    ),
    Case(
        "a detail that is text",
        EVENT,
        lambda: {"detail-type": "Object Created", "detail": "x"},
        code=2,
        told=(
            "RequestInvalidError: The S3 event has not the form of 'Object Created': its detail "
            "holds no bucket and no object."
        ),
    ),
    Case(
        "another kind of event",
        EVENT,
        lambda: {**changed(), "detail-type": "Object Deleted"},
        code=2,
        told=(
            "RequestInvalidError: The request is not valid: project: Field required; footage: Field "
            "required; version: Extra inputs are not permitted; detail-type: Extra inputs are not "
            "permitted; source: Extra inputs are not permitted; detail: Extra inputs are not "
            'permitted. It needs {"project": "<name>", "footage": ["<key>", ...]} and may have a '
            '"run_id".'
        ),
    ),
    Case(
        "no event",
        EVENT,
        lambda: [None],
        code=2,
        told=(
            "RequestInvalidError: The request is not valid: all of it: Input should be a valid "
            'dictionary or instance of RunRequest. It needs {"project": "<name>", "footage": '
            '["<key>", ...]} and may have a "run_id".'
        ),
    ),
    Case(
        "a request without footage",
        EVENT,
        lambda: {"project": "p", "footage": []},
        code=2,
        told=(
            "RequestInvalidError: The request is not valid: footage: Tuple should have at least 1 "
            'item after validation, not 0. It needs {"project": "<name>", "footage": ["<key>", ...]} '
            'and may have a "run_id".'
        ),
    ),
    Case(
        "a request with footage that is text",
        EVENT,
        lambda: {"project": "p", "footage": KEY},
        code=2,
        told=(
            "RequestInvalidError: The request is not valid: footage: Input should be a valid tuple. "
            'It needs {"project": "<name>", "footage": ["<key>", ...]} and may have a "run_id".'
        ),
    ),
    Case(
        "a request with 101 footage files",
        EVENT,
        lambda: {"project": "p", "footage": [KEY] * 101},
        code=2,
        told=(
            "RequestInvalidError: The request is not valid: footage: Tuple should have at most 100 "
            'items after validation, not 101. It needs {"project": "<name>", "footage": ["<key>", '
            '...]} and may have a "run_id".'
        ),
    ),
    Case(
        "a request with the same footage twice",
        EVENT,
        lambda: {"project": "p", "footage": [KEY, KEY]},
        code=2,
        told=(
            "FootageRepeatedError: 2 footage files are called 'film.mp4'. Name each file of a run "
            "once, each by its own name."
        ),
    ),
    Case(
        "a request with a project above the folder",
        EVENT,
        lambda: {"project": "../x", "footage": [KEY]},
        code=2,
        told=(
            "RequestInvalidError: The request is not valid: project: String should match pattern "
            '\'^[^/\\x00-\\x1f]+$\'. It needs {"project": "<name>", "footage": ["<key>", ...]} and may '
            'have a "run_id".'
        ),
    ),
    Case(
        "a request with a run id above the folder",
        EVENT,
        lambda: {"project": "p", "footage": [KEY], "run_id": "../x"},
        code=2,
        told=(
            "RequestInvalidError: The request is not valid: run_id: String should match pattern "
            '\'^[a-z0-9]+(-[a-z0-9]+)*$\'. It needs {"project": "<name>", "footage": ["<key>", ...]} '
            'and may have a "run_id".'
        ),
    ),
    Case(
        "a request with a run id of 41 letters",
        EVENT,
        lambda: {"project": "p", "footage": [KEY], "run_id": "a" * 41},
        code=2,
        told=(
            "RequestInvalidError: The request is not valid: run_id: String should have at most 40 "
            'characters. It needs {"project": "<name>", "footage": ["<key>", ...]} and may have a '
            '"run_id".'
        ),
    ),
    Case(
        "a request with an unknown key",
        EVENT,
        lambda: {"project": "p", "footage": [KEY], "vidoe": "x"},
        code=2,
        told=(
            "RequestInvalidError: The request is not valid: vidoe: Extra inputs are not permitted. "
            'It needs {"project": "<name>", "footage": ["<key>", ...]} and may have a "run_id".'
        ),
    ),
]
