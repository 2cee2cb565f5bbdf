"""The record of a run: who changes it changes what is there at that moment, whoever else does so meanwhile."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storycast import keys
from storycast.errors import DependencyUnavailableError
from storycast.ports import ObjectChangedError
from storycast.runs import CHANGE_ATTEMPTS, Run, change_run, create_run, read_run
from tests.fakes.steps import Invocation, Meanwhile, Stepped
from tests.fakes.store import MemoryStore

RUN = Run(run_id="r", project="p", status="running", execution_arn="arn", started_at="2026-01-02T00:00:00")
KEY = keys.run_file("r", "run.json")


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    create_run(store, RUN)
    return store


def counted(**counts: int) -> Callable[[Run], Run]:
    return lambda run: run.with_counts(**counts)


def failed(run: Run) -> Run:
    return run.model_copy(update={"status": "failed", "error": "Cancelled"})


def test_a_change_is_written_and_returned(store: MemoryStore) -> None:
    assert change_run(store, "r", counted(crops=3)) == read_run(store, "r") == RUN.with_counts(crops=3)
    assert store.content_type(KEY) == "application/json"


def test_what_changes_between_reading_and_writing_is_kept(store: MemoryStore) -> None:
    gate = Meanwhile("before put_if", lambda: change_run(store, "r", failed))
    changed = change_run(Stepped(store, gate), "r", counted(crops=3))
    assert changed == read_run(store, "r") == failed(RUN).with_counts(crops=3)
    assert gate.has_happened


def test_a_change_is_decided_on_the_run_as_it_is_then(store: MemoryStore) -> None:
    gate = Meanwhile("after get_with_etag", lambda: change_run(store, "r", failed))
    asked = []

    def ready(run: Run) -> Run:
        asked.append(run.status)
        return run if run.status == "failed" else run.model_copy(update={"status": "dataset_ready"})

    assert change_run(Stepped(store, gate), "r", ready) == failed(RUN)
    assert asked == ["running", "failed"]


def test_a_change_that_changes_nothing_writes_nothing(store: MemoryStore) -> None:
    assert change_run(store, "r", lambda run: run) == RUN
    assert store.writes[KEY] == 1


def test_a_write_whose_answer_is_lost_is_done_once(store: MemoryStore) -> None:
    """boto3 asks again, and its own first write makes the condition fail."""

    def lose_it() -> None:
        raise ObjectChangedError(KEY)

    gate = Meanwhile("after put_if", lose_it)
    changed = change_run(Stepped(store, gate), "r", lambda run: run.with_counts(crops=3).with_warnings("dark"))
    assert changed == read_run(store, "r") == RUN.with_counts(crops=3).with_warnings("dark")
    assert store.writes[KEY] == 2


def test_who_is_overtaken_again_and_again_is_asked_to_come_later(store: MemoryStore) -> None:
    class Busy(MemoryStore):
        def put_if(self, key: str, content: bytes, content_type: str, etag: str | None) -> None:
            raise ObjectChangedError(key)

    busy = Busy()
    busy.put(KEY, store.get(KEY), "application/json")
    asked = []

    def change(run: Run) -> Run:
        asked.append(run)
        return run.with_counts(crops=3)

    with pytest.raises(DependencyUnavailableError, match=f"runs/r/run.json: .*{CHANGE_ATTEMPTS} times"):
        change_run(busy, "r", change)
    assert len(asked) == CHANGE_ATTEMPTS


def test_a_run_that_is_not_there_is_a_key_error(store: MemoryStore) -> None:
    with pytest.raises(KeyError):
        change_run(store, "nobody", counted(crops=3))
    gate = Meanwhile("before put_if", lambda: store.delete(KEY))
    with pytest.raises(KeyError):
        change_run(Stepped(store, gate), "r", counted(crops=3))


def test_a_new_run_replaces_none_that_is_there(store: MemoryStore) -> None:
    change_run(store, "r", failed)
    another = RUN.model_copy(update={"execution_arn": "another"})
    assert create_run(store, another) == read_run(store, "r") == failed(RUN)


@given(st.lists(st.integers(0, 3), max_size=60))
def test_whoever_overtakes_whom_every_change_is_kept(schedule: list[int]) -> None:
    """Four stages at once; each goes on by one place whenever the schedule says so."""
    store = MemoryStore()
    create_run(store, RUN)
    changes: list[Callable[[Run], Run]] = [
        counted(crops=1),
        lambda run: counted(frames_kept=2)(run).with_warnings("dark"),
        lambda run: run.with_warnings("short").with_chosen(threshold=0.9),
        failed,
    ]

    def at_work(change: Callable[[Run], Run]) -> Invocation:
        return Invocation(lambda gate: change_run(Stepped(store, gate), "r", change))

    stages = [at_work(change) for change in changes]
    for number in schedule:
        stages[number].step()
    for stage in stages:
        stage.finish()
        assert stage.error is None
    run = read_run(store, "r")
    assert (run.status, run.error) == ("failed", "Cancelled")
    assert run.counts == {"crops": 1, "frames_kept": 2}
    assert sorted(run.warnings) == ["dark", "short"]
    assert run.chosen == {"threshold": 0.9}
