"""Every AI and storage operation of the workflow goes wrong in every way, on a real run, with IAM on.

docs/faults.md has the whole matrix, and says what of it these tests do.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.embedded_aws import EmbeddedAws
from tests.e2e.fault_kinds import KINDS, OPERATIONS, Operation, one_after_the_other
from tests.e2e.faulty import (
    CANVAS,
    Scene,
    assert_whole,
    faults,
    hit,
    impatient,
    operations,
    paid_again,
    records,
    scene,
)
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

TOGETHER = {
    "refused": ("throttle", "500", "slow"),
    "malformed": ("malformed",),
    "broken": ("cut", "answer lost"),
    "waited for": ("time-out",),
}
"""Kinds that go one after the other in one run: each operation is hit once by each."""


@pytest.fixture(scope="module")
def playing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose models are light: these tests are about calls."""
    state_dir = tmp_path_factory.mktemp("faults")
    with EmbeddedAws(state_dir, watched=True, standins="tests.e2e.light_standins") as aws:
        stack = Stack(aws)
        stack.standins("catalogue", {"play_as_active": [CANVAS]})
        yield stack


@pytest.mark.parametrize("name", TOGETHER)
def test_a_run_rides_out_what_passes_and_loses_nothing(playing: Stack, tmp_path: Path, name: str) -> None:
    number = 10 + list(TOGETHER).index(name)
    told = scene(playing, tmp_path, f"faults-{number}", number)
    kinds = [KINDS[kind] for kind in TOGETHER[name]]
    rules = one_after_the_other(kinds)
    mark, begun = playing.calls_so_far(), len(records(playing))
    with impatient(playing, "time-out" in TOGETHER[name]), faults(playing, rules):
        ended = told.run()
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert_whole(told)
    called = set(operations(playing, begun))
    assert called == set(OPERATIONS), "the list is what is called"
    wanted = {(*operation, kind) for operation in OPERATIONS for kind in TOGETHER[name]}
    assert hit(playing, mark, begun, kinds) == wanted
    assert paid_again(playing, mark) == {}


LASTING: tuple[tuple[Operation, str, str], ...] = (
    (("s3", "HeadObject"), "500", "DependencyUnavailableError"),
    (("rekognition", "IndexFaces"), "throttle", "ThrottledError"),
    (("bedrock-runtime", "Converse"), "cut", "TooManyLostError"),
)
"""What goes wrong for good, and the name by which the run then ends; in the order of the workflow."""


def test_what_lasts_ends_the_run_by_name_and_what_was_paid_is_not_paid_again(
    playing: Stack, tmp_path: Path
) -> None:
    told = scene(playing, tmp_path, "faults-20", 20)
    mark = playing.calls_so_far()
    for attempt, (operation, kind, error) in enumerate(LASTING, start=1):
        with faults(playing, KINDS[kind].rules(operation, None)):
            ended = told.run(attempt)
        assert (ended.status, ended.error) == ("FAILED", error), (operation, ended.cause)
        assert "Traceback" not in ended.cause
        _assert_told(told, attempt, error)
        assert told.swept()
    ended = told.run(len(LASTING) + 1)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert_whole(told, len(LASTING) + 1)
    assert paid_again(playing, mark) == {}


def _assert_told(told: Scene, attempt: int, error: str) -> None:
    """Where a run has come as far as a record, its end stands in it."""
    record = told.stack.record_if_there(told.run_id(attempt))
    assert not record or record["error"] == error
