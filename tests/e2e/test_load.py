"""What states pass on in a real run, with names as long as they may be: all of it, of the children as well."""

from pathlib import Path

import pytest

from benchmarks.load_figures import read_history, read_objects
from storycast.payloads import MAX_PAYLOAD_BYTES
from tests.e2e.film import write_film
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

NAME = "ein sehr langer Name, 100% & 50+50 " * 6
FILMS = 4
"""With the same pictures, each under a name of 220 bytes."""


def test_no_payload_grows_with_names_and_footage(stack: Stack, tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", shots=1)
    keys = [f"incoming/load/{number:03d} {NAME}.mp4" for number in range(FILMS)]
    for number, key in enumerate(keys):
        # As many contents: what lies behind a film's end is passed over.
        stack.put(key, film.read_bytes() + bytes([0, 0, 0, 9]) + b"free" + bytes([number]))
    project = "load"
    stack.put(f"projects/{project}/project.yaml", b"review: {mode: auto, minimum_per_character: 0}\n")
    ended = stack.wait(stack.start(project=project, footage=keys, run_id="load-payloads"))
    assert ended.status == "SUCCEEDED", f"{ended.error}: {ended.cause}"
    history = read_history(stack.states, ended.arn)
    counts = stack.record("load-payloads")["counts"]
    assert history.children["SampleFrames SUCCEEDED"] == FILMS
    assert history.children["ExtractCharacters SUCCEEDED"] == counts["frames_kept"]
    assert history.children["CaptionImages SUCCEEDED"] == counts["curated"]
    # Every state, child and function was looked at.
    assert {"execution input", "ReportRun output", "CaptionImages child input", "CropCharacters answer"} <= set(
        history.payloads.largest
    )
    where, most = history.payloads.most
    assert most <= MAX_PAYLOAD_BYTES, where
    assert history.payloads.largest["ReportRun output"] < 4096
    objects = read_objects(stack.s3, stack.bucket)
    assert objects.count["footage/frames"] >= counts["frames_kept"]
