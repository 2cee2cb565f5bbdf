"""States: found newest first, whole ones only."""

import json
from pathlib import Path

import pytest

from trainer.states import COMPLETE_FILE, States, find_fault


def write(folder: Path) -> None:
    (folder / "optimizer.bin").write_bytes(b"0" * 100)


def save(states: States, *steps: int) -> None:
    for step in steps:
        states.save(step, {"loss_sum": step / 2}, write)


@pytest.fixture
def states(tmp_path: Path) -> States:
    return States(tmp_path, "job")


def test_the_newest_is_found_and_two_are_kept(states: States, tmp_path: Path) -> None:
    save(states, 2, 4, 6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state-000004", "state-000006"]
    warnings: list[str] = []
    found = States(tmp_path, "job").newest(10, warnings.append)
    assert found == (tmp_path / "state-000006", {"job": "job", "step": 6, "loss_sum": 3.0})
    assert warnings == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "optimizer.bin").write_bytes(b"1" * 100), "optimizer.bin is damaged"),
        (lambda folder: (folder / "optimizer.bin").write_bytes(b"0" * 50), "optimizer.bin is damaged"),
        (lambda folder: (folder / "optimizer.bin").unlink(), "optimizer.bin is missing"),
        (lambda folder: (folder / COMPLETE_FILE).unlink(), "not complete"),
        (lambda folder: (folder / COMPLETE_FILE).write_text("{"), "complete.json is damaged"),
        (lambda folder: (folder / COMPLETE_FILE).write_text("[]"), "complete.json is damaged"),
        (lambda folder: (folder / COMPLETE_FILE).write_text('{"format": "x", "files": {}}'), "format"),
    ],
)
def test_a_damaged_one_is_passed_over(states: States, tmp_path: Path, damage, said: str) -> None:
    save(states, 2, 4)
    damage(tmp_path / "state-000004")
    assert said in find_fault(tmp_path / "state-000004")
    warnings: list[str] = []
    found = States(tmp_path, "job").newest(10, warnings.append)
    assert found is not None
    assert found[0].name == "state-000002"
    assert len(warnings) == 1
    assert said in warnings[0]


def test_those_of_another_job_are_passed_over_and_go(states: States, tmp_path: Path) -> None:
    save(states, 100)
    warnings: list[str] = []
    other = States(tmp_path, "other")
    assert other.newest(10, warnings.append) is None
    assert "are not this job's" in warnings[0]
    save(other, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["state-000005"]


def test_one_beyond_the_last_step_is_passed_over(states: States, tmp_path: Path) -> None:
    save(states, 4, 8)
    found = States(tmp_path, "job").newest(6, lambda _: None)
    assert found is not None
    assert found[0].name == "state-000004"


def test_the_one_gone_on_from_is_kept_beside_the_next(states: States, tmp_path: Path) -> None:
    save(states, 2, 4)
    (tmp_path / "state-000004/optimizer.bin").unlink()
    again = States(tmp_path, "job")
    again.newest(10, lambda _: None)
    save(again, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state-000002", "state-000003"]


def test_what_complete_lists_is_all_there_is(states: States, tmp_path: Path) -> None:
    save(states, 1)
    listed = json.loads((tmp_path / "state-000001" / COMPLETE_FILE).read_text())["files"]
    assert sorted(listed) == ["loop.json", "optimizer.bin"]
    assert listed["optimizer.bin"]["size"] == 100
