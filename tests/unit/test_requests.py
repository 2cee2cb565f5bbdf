"""What starts a run: events exactly as EventBridge sends them, and requests."""

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storycast.errors import RequestInvalidError
from storycast.requests import MAX_FOOTAGE, read_request

EVENT: dict[str, Any] = {
    "version": "0",
    "id": "17793124-05d4-b198-2fde-7ededc63b103",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "account": "111122223333",
    "time": "2026-01-02T03:04:05Z",
    "region": "us-east-1",
    "resources": ["arn:aws:s3:::media"],
    "detail": {
        "version": "0",
        "bucket": {"name": "media"},
        "object": {
            "key": "uploads/the film/cut 1.mp4",
            "size": 5,
            "etag": "b1946ac92492d2347c6235b4d2611184",
            "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
            "sequencer": "617f08299329d189",
        },
        "request-id": "N4N7GDK58NMKJ12R",
        "requester": "111122223333",
        "source-ip-address": "1.2.3.4",
        "reason": "PutObject",
    },
}


def event(key: str = "uploads/p/film.mp4", **changes: Any) -> dict[str, Any]:
    made = copy.deepcopy(EVENT)
    made["detail"]["object"]["key"] = key
    for name, value in changes.items():
        if value is None:
            del made["detail"]["object"][name.replace("_", "-")]
        else:
            made["detail"]["object"][name.replace("_", "-")] = value
    return made


def test_an_upload_is_a_request_for_its_project() -> None:
    request, upload = read_request(EVENT)
    assert (request.project, request.footage) == ("the film", ("uploads/the film/cut 1.mp4",))
    assert request.run_id is None
    assert upload is not None
    assert upload.version_id == "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e"
    assert upload.claim == "media/uploads/the film/cut 1.mp4#617f08299329d189"


@pytest.mark.parametrize(
    "name",
    [
        "with space.mp4",
        "Fuß & Käse.mp4",
        "a+b.mp4",
        "100%.mp4",
        "a%20b%2Fc.mp4",
        "映画.mkv",
        "a//b.mp4",
        "#1?.mp4",
    ],
)
def test_keys_are_taken_as_they_are(name: str) -> None:
    request, upload = read_request(event(f"uploads/p/{name}"))
    assert request.footage == (f"uploads/p/{name}",)
    assert upload is not None
    assert upload.key == f"uploads/p/{name}"


def test_a_bucket_without_versions_sends_none() -> None:
    _, upload = read_request(event(version_id=None))
    assert upload is not None
    assert upload.version_id is None


def test_another_upload_to_the_same_key_is_another_claim() -> None:
    first, second = (read_request(event(sequencer=number))[1] for number in ("01", "02"))
    assert first is not None
    assert second is not None
    assert first.claim != second.claim


@pytest.mark.parametrize(
    "key",
    [
        "film.mp4",
        "uploads/film.mp4",
        "uploads/p/",
        "uploads//film.mp4",
        "incoming/r/film.mp4",
        "uploads/",
        "Uploads/p/f",
    ],
)
def test_an_upload_outside_a_project_is_refused_with_where_to_put_it(key: str) -> None:
    with pytest.raises(RequestInvalidError, match="uploads/<project>/<file>"):
        read_request(event(key))


@pytest.mark.parametrize(
    "key", [f"uploads/{'p' * 101}/film.mp4", "uploads/a\nb/film.mp4", "uploads/\x00/film.mp4", ""]
)
def test_an_upload_to_an_impossible_project_is_refused_by_name(key: str) -> None:
    with pytest.raises(RequestInvalidError):
        read_request(event(key))


@pytest.mark.parametrize("missing", ["sequencer", "etag", "key"])
def test_an_event_without_a_part_is_refused_by_name(missing: str) -> None:
    with pytest.raises(RequestInvalidError, match=missing):
        read_request(event(**{missing: None}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "detail", [None, "text", [], {}, {"bucket": "media"}, {"bucket": {"name": 1}, "object": {}}]
)
def test_an_event_of_another_form_is_refused_by_name(detail: object) -> None:
    with pytest.raises(RequestInvalidError, match="Object Created"):
        read_request({**EVENT, "detail": detail})


def test_a_request_names_its_footage() -> None:
    asked = {"project": "p", "footage": ["incoming/r/a.mp4", "incoming/r/ä b.png"], "run_id": "my-run-1"}
    request, upload = read_request(asked)
    assert request.footage == ("incoming/r/a.mp4", "incoming/r/ä b.png")
    assert request.run_id == "my-run-1"
    assert upload is None


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (None, "all of it"),
        ([], "all of it"),
        ("film.mp4", "all of it"),
        ({}, "project"),
        ({"project": "p"}, "footage"),
        ({"project": "p", "footage": []}, "footage"),
        ({"project": "p", "footage": "film.mp4"}, "footage"),
        ({"project": "p", "footage": [""]}, "footage.0"),
        ({"project": "p", "footage": ["a", None]}, "footage.1"),
        ({"project": "p", "footage": ["x" * 1025]}, "footage.0"),
        ({"project": "p", "footage": ["a"] * (MAX_FOOTAGE + 1)}, "footage"),
        ({"project": "", "footage": ["a"]}, "project"),
        ({"project": "a/b", "footage": ["a"]}, "project"),
        ({"project": "a\n", "footage": ["a"]}, "project"),
        ({"project": "p", "footage": ["a"], "run_id": ""}, "run_id"),
        ({"project": "p", "footage": ["a"], "run_id": "My-Run"}, "run_id"),
        ({"project": "p", "footage": ["a"], "run_id": "a--b"}, "run_id"),
        ({"project": "p", "footage": ["a"], "run_id": "-a"}, "run_id"),
        ({"project": "p", "footage": ["a"], "run_id": "a\n"}, "run_id"),
        ({"project": "p", "footage": ["a"], "run_id": "a" * 41}, "run_id"),
        ({"project": "p", "footage": ["a"], "video": "b"}, "video"),
        ({"detail-type": "Object Deleted", "detail": {}}, "project"),
    ],
)
def test_a_request_of_another_form_is_refused_by_its_key(request_: object, named: str) -> None:
    with pytest.raises(RequestInvalidError, match=f"{named}: "):
        read_request(request_)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["project", "footage", "run_id", "detail", "bucket", "key"]), inner)
    ),
    max_leaves=8,
)


@given(_JSON, st.booleans())
def test_any_json_is_a_request_or_a_named_error(value: object, as_event: bool) -> None:
    with suppress(RequestInvalidError):
        read_request({"detail-type": "Object Created", "detail": value} if as_event else value)
