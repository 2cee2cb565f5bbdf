"""Money on the emulator: what was estimated, what it came to by the counts, and what the call log has."""

import json
import subprocess
from pathlib import Path

import pytest

from local.tools import REPOSITORY
from tests.e2e.film import write_film
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

FILMS = {
    # name: shots, seconds a shot, seed, settings
    "short-shots": (14, 1.5, 31, "sampling: {frames_per_second: 1}\nduplicates: {threshold: 0.97}\n"),
    "long-shots": (4, 6.0, 32, "sampling: {frames_per_second: 1}\n"),
    "twice-a-second": (6, 3.0, 33, "sampling: {frames_per_second: 2}\nselection: {images_per_character: 8}\n"),
}
"""Three films that were not there when the estimate was written."""


@pytest.mark.parametrize("name", FILMS)
def test_what_a_run_costs_is_within_its_estimate_and_its_counts_are_the_call_logs(
    stack: Stack, tmp_path: Path, name: str
) -> None:
    shots, seconds, seed, settings = FILMS[name]
    film = write_film(tmp_path / f"{name}.mp4", shots=shots, seconds_per_shot=seconds, seed=seed)
    mark = stack.calls_so_far()
    ended = stack.run(film, f"money {name}", f"money-{name}", settings)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    record = stack.record(f"money-{name}")
    low, high = record["estimate"]["total_usd"]
    actual = record["cost"]["total_usd"]
    print(f"\n{name}: estimated {low:.4f} to {high:.4f}, actual {actual:.4f}")
    assert low <= actual <= high <= 3 * low
    calls = stack.paid_calls(mark)
    counts = record["counts"]
    assert calls["DetectLabels"] == counts["paid_detections"]
    assert calls["InvokeModel"] == counts["paid_embeddings"] + counts["paid_reference_embeddings"]
    assert calls["Converse"] == counts["paid_captions"]
    assert counts["paid_caption_repairs"] == 0, "the stand-in's captions need no second call"


def test_the_command_estimates_the_same_before_anything_runs(stack: Stack, tmp_path: Path) -> None:
    shots, seconds, seed, settings = FILMS["long-shots"]
    film = write_film(tmp_path / "film.mp4", shots=shots, seconds_per_shot=seconds, seed=seed)
    project = tmp_path / "project.yaml"
    project.write_text(settings)
    command = [REPOSITORY / ".venv/bin/storycast", "estimate", film, "--project", project, "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    ended = stack.run(film, "the same", "money-same", settings)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert told["total_usd"] == pytest.approx(stack.record("money-same")["estimate"]["total_usd"])
