"""Whatever is killed in the middle: each function's worker, the command, and the embedded AWS with it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.instance import Instance
from local.tools import REPOSITORY, Tools
from storycast.ledger import FINAL_OUTCOMES
from tests.e2e.breaking import ended_in_the_middle, kill_workers_at_work, physical_name
from tests.e2e.figures import CAST, put_figures, train_detector
from tests.e2e.film import write_film
from tests.e2e.sessions import assert_rows_are_closed, torn_down
from tests.e2e.stack import DEADLINE_S, UNREVIEWED, Stack
from tests.workflow.files import states

pytestmark = pytest.mark.e2e

CANVAS = "amazon.nova-canvas-v1:0"
SETTINGS = (
    CAST
    + f"""
sampling: {{frames_per_second: 4, pick: fixed}}
detection: {{methods: [labels, references, custom_labels], custom_labels_model: 'MODEL', economy: false}}
selection: {{images_per_character: 4}}
training: {{target: bedrock, base_model: '{CANVAS}', step_count: 900, batch_size: 8}}
storyboard: {{prompts: [Star on a meadow], images_per_prompt: 1, width: 512, height: 512}}
budget_usd: 100000
{UNREVIEWED}"""
)
AFTER = {
    "BuildCast": "InvokeModel",
    "DetectCharacters": "DetectLabels",
    "CropCharacters": "InvokeModel",
    "CaptionImages": "Converse",
    "StartDetector": "StartProjectVersion",
    "StartTraining": "CreateModelCustomizationJob",
    "ProvisionModel": "CreateProvisionedModelThroughput",
    "DrawStoryboard": "InvokeModel",
    "EndBilled": "DeleteProvisionedModelThroughput",
}
"""After which call's answer a function that pays, or ends what is paid, is killed: nothing of it is written yet.
Every other function is killed after its first call."""
NOT_MET = {"OpenReview", "StartHumanReviews", "CheckReview", "RecordFailure", "DeleteModel", "FindUnowned"}
"""Functions that a run without people and without a failure does not come to. The tests of reviews and teardowns
have them; the emulator does not hear of the first two's end (docs/local-vs-aws.md)."""


def functions() -> set[str]:
    """Return the functions that the machines' states invoke."""
    named = (one.body["Parameters"].get("FunctionName", "") for one in states() if one.body["Type"] == "Task")
    return {name.removeprefix("${").removesuffix("FunctionArn}") for name in named if name}


class Killer(threading.Thread):
    """Reads the gateway's record of calls as it grows, and kills each function's workers once, in the middle."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self.stack = stack
        self.killed: Counter[str] = Counter()
        self.left = {physical_name(stack, name): name for name in functions() - NOT_MET}
        self.ends = threading.Event()
        self.path = stack.aws.state_dir / "gateway.jsonl"

    def run(self) -> None:
        with self.path.open() as lines:
            lines.seek(0, os.SEEK_END)
            text = ""
            while not self.ends.is_set():
                text += lines.readline()
                if not text.endswith("\n"):
                    time.sleep(0.01)
                    continue
                call, text = json.loads(text), ""
                name = self.left.get(call["function"])
                if name and AFTER.get(name) in {None, call["operation"]}:
                    times = kill_workers_at_work(self.stack, name)
                    self.killed[name] += times
                    if times:
                        del self.left[call["function"]]


@contextmanager
def killing(stack: Stack) -> Iterator[Killer]:
    """Kill every function once within the block. What they write takes longer, so that the middle is long."""
    killer = Killer(stack)
    held = (("s3", "PutObject"), ("dynamodb", "UpdateItem"))
    stack.gateway("faults", [{"service": of, "operation": name, "delay_ms": 300} for of, name in held])
    killer.start()
    try:
        yield killer
    finally:
        stack.gateway("faults", method="DELETE")
        killer.ends.set()
        killer.join()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_run_in_which_every_function_is_killed_once_ends_well(stack: Stack, tmp_path: Path) -> None:
    """A killed worker is tried again; only what had been answered to it and was not written is paid twice."""
    stack.standins("catalogue", {"play_as_active": [CANVAS]})
    film = write_film(tmp_path / "film.mp4", seed=95, shots=4, seconds_per_shot=0.5)
    put_figures(stack, "killed")
    detector = train_detector(stack, "killed-figures")
    mark, before = stack.calls_so_far(), ended_in_the_middle(stack)
    try:
        with killing(stack) as killer:
            ended = torn_down(
                stack, stack.start_with(film, "killed", "killed", SETTINGS.replace("MODEL", detector))
            )
    finally:
        stack.standins("catalogue", {"play_as_active": []})
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    died = ended_in_the_middle(stack) - before
    idle = [name for name in sorted(killer.killed) if not died[physical_name(stack, name)]]
    print(f"killed: {dict(killer.killed)}; had ended before: {idle}")
    assert not killer.left, "every function was met"
    assert 2 * len(idle) <= len(killer.killed), "most of them were killed in the middle"
    assert stack.record("killed")["status"] == "storyboard_ready"
    stack.assert_ledger_is_whole("killed", FINAL_OUTCOMES)
    assert_rows_are_closed(stack)
    paid = Counter((one["operation"], one["model"], one["item"]) for one in stack.calls(mark) if one["paid"])
    again = Counter(what[0] for what, times in paid.items() if times > 1)
    print("paid twice:", dict(again))
    assert max(paid.values()) <= 2
    in_hand = Counter[str]()
    for name, operation in AFTER.items():
        in_hand[operation] += died[physical_name(stack, name)]
    assert again <= in_hand, (again, died)
    made = Counter(one["operation"] for one in stack.calls(mark) if not one["error"])
    for operation in ("CreateModelCustomizationJob", "CreateProvisionedModelThroughput", "StartProjectVersion"):
        assert made[operation] == 1, "found again by its name"


# ---- the command, and the embedded AWS with it ----------------------------------------------------


@pytest.fixture
def storycast() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `storycast` with an embedded AWS of its own, which ends with it: at the test's end at the latest."""
    begun = []

    def start(state: Path, *arguments: str | Path) -> subprocess.Popen[str]:
        begun.append(
            subprocess.Popen(
                [sys.executable, "-m", "cli.main", *map(str, arguments), "--state", str(state)],
                cwd=REPOSITORY,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return begun[-1]

    yield start
    for one in begun:
        with one:
            one.kill()


def paid_so_far(state: Path) -> Counter[tuple[str, str, str]]:
    """How often each operation was answered for money, by model and picture, whoever ran."""
    log = state / "calls.jsonl"
    calls = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return Counter((one["operation"], one["model"], one["item"]) for one in calls if one["paid"])


def wait_for(what: str, is_so: Callable[[], Any], seconds: float = DEADLINE_S) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"{what}: not so after {seconds:g} s"
        time.sleep(0.05)


def test_the_command_is_killed_and_then_two_do_the_same_at_once(
    storycast: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """SIGKILL takes the embedded AWS along; both of the next two go on from there, neither ends the other's."""
    state = tmp_path / "aws"
    (tmp_path / "project.yaml").write_text("sampling: {frames_per_second: 4, pick: fixed}\n" + UNREVIEWED)
    film = write_film(tmp_path / "film.mp4", seed=97, shots=4, seconds_per_shot=0.5)
    asked = ("run", film, "--project", tmp_path / "project.yaml")
    first = storycast(state, *asked)
    wait_for("a call that is paid", lambda: paid_so_far(state) or first.poll() is not None)
    assert first.poll() is None, first.communicate()
    first.kill()
    first.communicate()
    instance = Instance(state, Tools(REPOSITORY))
    wait_for("the end of all its processes", lambda: not instance.is_up, 60)
    before = paid_so_far(state)
    both = [storycast(state, *asked, "--out", tmp_path / f"out-{number}") for number in range(2)]
    said = [one.communicate(timeout=DEADLINE_S)[0] for one in both]
    for one, text in zip(both, said, strict=True):
        assert one.returncode == 0, text
        assert "Done in " in text
    assert not instance.is_up, "the last one ended it"
    paid = paid_so_far(state)
    again = {what for what, times in paid.items() if times > 1}
    print(
        f"paid before {sum(before.values())}, after {sum(paid.values())}, twice {len(again)}; {len(paid)} pictures"
    )
    assert max(paid.values()) <= 2
    assert again <= set(before), "what the killed one had asked for and not written"
    assert len(again) <= 2 * (os.cpu_count() or 1), "no more than its workers had in hand, two for each core"
    ledgers = [next((tmp_path / f"out-{number}").glob("*/ledger.jsonl")).read_text() for number in range(2)]
    assert sorted(ledgers[0].splitlines()) == sorted(ledgers[1].splitlines())
