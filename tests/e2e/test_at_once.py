"""Runs of one project at the same moment, over one film and over several: nothing is paid twice."""

from collections import Counter
from pathlib import Path

import pytest

from storycast.adapters.dynamodb import DynamoClaims
from storycast.ledger import FINAL_OUTCOMES
from tests.e2e.breaking import ended_in_the_middle
from tests.e2e.figures import CAST, put_figures
from tests.e2e.film import write_film
from tests.e2e.stack import UNREVIEWED, Stack

pytestmark = pytest.mark.e2e

PROJECT = "at-once"
SETTINGS = (
    CAST
    + f"""
sampling: {{frames_per_second: 4, pick: fixed}}
detection: {{methods: [labels, references], economy: false}}
{UNREVIEWED}"""
)


@pytest.fixture(scope="module")
def project(stack: Stack) -> None:
    """Put the project file and the cast's reference pictures."""
    put_figures(stack, PROJECT)
    stack.put(f"projects/{PROJECT}/project.yaml", SETTINGS.encode())


def timed_out(stack: Stack) -> int:
    """How many functions ran out of time so far."""
    return ended_in_the_middle(stack).total()


def see_through(stack: Stack, before: list[str], runs: int, since: int, ended: int) -> None:
    """Wait until so many executions have ended well; check their ledgers, and that nothing was paid twice."""
    stack.wait_until("the runs", lambda: len(stack.executions()) == len(before) + runs)
    ends = [stack.wait(arn) for arn in stack.executions() if arn not in before]
    paid = Counter((one["operation"], one["model"], one["item"]) for one in stack.calls(since) if one["paid"])
    told = {name: [times for what, times in paid.items() if what[0] == name] for name in {one[0] for one in paid}}
    print(", ".join(f"{name}: {len(times)} pictures, {sum(times)} paid" for name, times in sorted(told.items())))
    for end in ends:
        assert end.status == "SUCCEEDED", (end.error, end.cause)
    claims = DynamoClaims(stack.aws.outputs["TableName"], stack.aws.client("dynamodb"))
    run_ids = [str(claims.run_of(end.arn)) for end in ends]
    for run_id in run_ids:
        stack.assert_ledger_is_whole(run_id, FINAL_OUTCOMES)
    # Where the machine is slow, a function may run out of time between an answer and its record.
    assert sum(paid.values()) - len(paid) <= timed_out(stack) - ended
    assert max(paid.values()) <= 2
    counts = Counter[str]()
    for run_id in run_ids:
        counts.update({name: n for name, n in stack.record(run_id)["counts"].items() if name.startswith("paid_")})
    assert counts["paid_detections"] == len(told.get("DetectLabels", ()))
    assert counts["paid_embeddings"] + counts["paid_reference_embeddings"] == len(told.get("InvokeModel", ()))
    assert counts["paid_captions"] == len(told.get("Converse", ()))


@pytest.mark.usefixtures("project")
def test_two_runs_over_one_film_at_once_pay_for_each_picture_once(stack: Stack, tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", seed=91, shots=2, seconds_per_shot=0.75)
    mark, before, ended = stack.calls_so_far(), stack.executions(), timed_out(stack)
    for run_id in ("hand-1", "hand-2"):
        stack.put(f"incoming/{run_id}/film.mp4", film)
    for run_id in ("hand-1", "hand-2"):
        stack.start(project=PROJECT, footage=[f"incoming/{run_id}/film.mp4"], run_id=run_id)
    see_through(stack, before, 2, mark, ended)


@pytest.mark.usefixtures("project")
def test_one_film_uploaded_twice_and_another_at_once_are_three_runs_that_pay_once(
    stack: Stack, tmp_path: Path
) -> None:
    film = write_film(tmp_path / "film.mp4", seed=93, shots=2, seconds_per_shot=0.5)
    other = write_film(tmp_path / "other.mp4", seed=92, shots=2, seconds_per_shot=0.5)
    mark, before, ended = stack.calls_so_far(), stack.executions(), timed_out(stack)
    for name, content in (("film.mp4", film), ("film.mp4", film), ("other.mp4", other)):
        stack.put(f"uploads/{PROJECT}/{name}", content)
    see_through(stack, before, 3, mark, ended)
