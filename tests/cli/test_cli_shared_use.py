"""Several commands on one embedded AWS: it ends with the last of them, whoever brought it up."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest

import cli.target
from cli.screen import Screen
from cli.shared_use import in_use
from cli.target import OTHERS, TargetChoice, opened
from local.embedded_aws import Status

WAIT_S = 10.0


class Machine:
    """What there is of an embedded AWS on this machine, and who brought it up."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.up = self.tied = False
        self.downs = 0
        self.aws: Any = None


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()

    class FakeAws:
        def __init__(self, state_dir: Path) -> None:
            self.state_dir = state_dir
            self.started_here = False

        def status(self) -> Status:
            return Status(up=made.up, tied=made.tied)

        def up(self) -> Self:
            with made.guard:
                self.started_here = not made.up
                made.up = True
            return self

        def __enter__(self) -> Self:
            self.up()
            made.tied = made.tied or self.started_here
            return self

        def __exit__(self, *_: Any) -> None:
            if self.started_here:
                made.up = made.tied = False
                made.downs += 1

    made.aws = FakeAws
    monkeypatch.setattr(cli.target, "EmbeddedAws", FakeAws)
    monkeypatch.setattr(cli.target, "_local", lambda aws, _choice, *, stays_up: (aws, stays_up))
    return made


def test_it_ends_with_the_last_command_that_uses_it(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choice = TargetChoice(state_dir=tmp_path / "aws")
    first_is_up, first_may_end, first_has_ended = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with opened(choice, Screen()):
            first_is_up.set()
            assert first_may_end.wait(WAIT_S)
        first_has_ended.set()

    thread = threading.Thread(target=first)
    thread.start()
    assert first_is_up.wait(WAIT_S)
    with opened(choice, Screen()) as target:
        told: Any = target
        assert told[1] is False, "it does not stay up"
        first_may_end.set()
        assert not first_has_ended.wait(0.3)
        assert machine.up, "another command still uses it"
    assert first_has_ended.wait(WAIT_S)
    thread.join()
    assert (machine.up, machine.downs) == (False, 1)
    assert " ".join(capsys.readouterr().out.split()).count(OTHERS) == 1


def test_a_command_alone_waits_for_nobody(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        with opened(TargetChoice(state_dir=tmp_path / "aws"), Screen()):
            assert machine.up
        assert not machine.up
    assert "Another" not in capsys.readouterr().out


def test_who_uses_what_somebody_else_brought_up_ends_at_once(machine: Machine, tmp_path: Path) -> None:
    with opened(TargetChoice(state_dir=tmp_path / "aws"), Screen()):
        with opened(TargetChoice(state_dir=tmp_path / "aws"), Screen()):
            pass
        assert (machine.up, machine.downs) == (True, 0)
    assert machine.downs == 1


@pytest.mark.parametrize("tied", [True, False])
def test_whether_it_stays_is_asked_once_it_is_up(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tied: bool
) -> None:
    """Another command starts it between the look at it and the start."""
    up = machine.aws.up

    def started_by_another(self: Any) -> Any:
        machine.up, machine.tied = True, tied
        return up(self)

    monkeypatch.setattr(machine.aws, "up", started_by_another)
    with opened(TargetChoice(state_dir=tmp_path / "aws", keep_up=True), Screen()) as target:
        told: Any = target
        assert told[1] is not tied


def test_a_command_that_fails_leaves_the_others_what_they_use(machine: Machine, tmp_path: Path) -> None:
    choice = TargetChoice(state_dir=tmp_path / "aws")
    ended = threading.Event()

    def fails() -> None:
        with suppress(ValueError), opened(choice, Screen()):
            up.set()
            assert go.wait(WAIT_S)
            raise ValueError
        ended.set()

    up, go = threading.Event(), threading.Event()
    thread = threading.Thread(target=fails)
    thread.start()
    assert up.wait(WAIT_S)
    with in_use(choice.state_dir):
        go.set()
        assert not ended.wait(0.3)
        assert machine.up
    thread.join(WAIT_S)
    assert ended.is_set()
    assert not machine.up
