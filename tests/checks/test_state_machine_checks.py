"""The check of state machines finds what it is there for, and lets pass nothing but what it says."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.tools import REPOSITORY

DEFINITION = REPOSITORY / "statemachine/build_dataset.asl.json"
Machine = dict[str, Any]


def check(path: Path) -> tuple[int, str]:
    command = [REPOSITORY / ".tools/lint/bin/python", REPOSITORY / "checks/state_machines.py", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def dangle(machine: Machine) -> None:
    machine["States"]["BuildCast"]["Next"] = "Nowhere"


def strand(machine: Machine) -> None:
    machine["States"]["CheckFrames"]["Choices"][0]["Next"] = "NoFrames"


def mislabel(machine: Machine) -> None:
    machine["States"]["SampleFrames"]["ItemReader"]["Label"] = "SampleFrames"


def misrate(machine: Machine) -> None:
    machine["States"]["BuildCast"]["Retry"][0]["BackoffRate"] = "two"


def silence(machine: Machine) -> None:
    del machine["States"]["ProbeFootage"]["ItemProcessor"]["States"]["ProbeOneFootage"]["Comment"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dangle, "Nowhere"),
        (strand, "BuildCast"),
        (mislabel, "Label"),
        (misrate, "BackoffRate"),
        (silence, "ProbeOneFootage has no Comment"),
    ],
)
def test_it_finds(change: Callable[[Machine], None], said: str, tmp_path: Path) -> None:
    machine = json.loads(DEFINITION.read_text())
    change(machine)
    path = tmp_path / "changed.asl.json"
    path.write_text(json.dumps(machine))
    code, text = check(path)
    assert code == 1, text
    assert said in text


def test_what_is_deployed_has_no_problem() -> None:
    code, text = check(DEFINITION)
    assert code == 0, text
