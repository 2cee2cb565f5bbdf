"""After the end-to-end tests no log holds a token, a key, a signed URL, a caption or a picture."""

import json
import os
from pathlib import Path

import pytest

from tests.e2e.left import CALLS
from tests.permissions.secret import SHAPES, known, look

SUITES = tuple(os.environ.get("STORYCAST_CALLS_OF", "e2e training").split())
CAPTION = "Bunny stands in a bright meadow, seen from the side, with trees behind."
PLANTED = {
    "a presigned URL's signature": "GET /media/runs/1/x.png?X-Amz-Expires=9&X-Amz-Signature=0123456789abcdef",
    "a session token": '{"url": "http://127.0.0.1/x?X-Amz-Security-Token=IQoJb3JpZ2luX2VjEXAMPLE"}',
    "a secret key": "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
    "an access key": "signed by ASIA559EB395B1400AAA for s3",
    "a task token": '{"message": "waits", "task_token": "AQCEAAAAKgAAAAMAAAAAAAAAASFB"}',
    "bytes of a picture": "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwg",
    "base64 of something large": "body: " + "QUJD" * 80,
}


def _look(text: str, folder: Path, secrets: dict[str, set[str]]) -> set[str]:
    (folder / "a.log").write_text(f"nothing here\n{text}\n")
    found = list(look(folder / "a.log", secrets))
    assert all(one.line == 2 for one in found)
    assert all(text not in str(one) for one in found), "what is told of a find is no second leak"
    return {one.what for one in found}


@pytest.mark.parametrize("what", SHAPES)
def test_the_scan_finds_what_is_planted(what: str, tmp_path: Path) -> None:
    assert what in _look(PLANTED[what], tmp_path, {})


@pytest.mark.parametrize(
    "text",
    [
        '{"level":"INFO","run_id":"film-20261126-9c77a2","xray_trace_id":"1-6b07c884-c80f65005efe"}',
        "START RequestId: 7227aadc-ed56-4ea0-a158-c5f570cd0145 Version: $LATEST",
        '{"claim": "arn:aws:states:us-east-1:0:execution:storycast-build-dataset:6c78637d-6189-41ad-a1a9"}',
    ],
)
def test_the_scan_finds_nothing_in_what_functions_say(text: str, tmp_path: Path) -> None:
    assert not _look(text, tmp_path, {"a caption": {CAPTION}})


def test_the_scan_finds_the_very_texts_that_there_were(tmp_path: Path) -> None:
    (tmp_path / "left.json").write_text(json.dumps({"a caption": [CAPTION, "Frank."], "a secret": ["s3cr3t", ""]}))
    secrets = known(tmp_path / "left.json")
    assert _look(json.dumps({"said": CAPTION}), tmp_path, secrets) == {"a caption"}
    assert _look("the key is s3cr3t", tmp_path, secrets) == {"a secret"}
    assert not _look("Frank. was named", tmp_path, secrets)


@pytest.mark.permissions
@pytest.mark.parametrize("suite", SUITES)
def test_no_log_holds_a_secret(suite: str) -> None:
    logs = sorted((CALLS / suite).glob("*.log"))
    assert [log for log in logs if log.name.endswith(".functions.log") and log.stat().st_size], (
        f"No logs of functions are kept in .storycast/calls/{suite}: run make test-{suite}"
    )
    secrets = known(*(CALLS / suite).glob("*.secrets.json"))
    assert all(secrets[what] for what in ("a function's secret key", "a caption")), "nothing was looked for"
    found = [one for log in logs for one in look(log, secrets)]
    assert not found, "\n".join(map(str, found[:20]))
