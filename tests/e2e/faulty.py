"""A run that calls all that the workflow calls, and the faults that are done to it."""

import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image, ImageEnhance

from local.faults import DONE
from local.servers import STOOD_IN
from storycast.caption_lint.findings import RULES
from storycast.ledger import FINAL_OUTCOMES
from tests.e2e.fault_kinds import TIMEOUT_SCALE, Kind, Operation
from tests.e2e.photographs import COLLINS, HOPPER, reference, write_people
from tests.e2e.stack import UNREVIEWED, Ended, Stack

CANVAS = "amazon.nova-canvas-v1:0"
SETTINGS = (
    "characters:\n"
    "  - {name: Eileen, references: [cast/eileen.jpg]}\n"
    "  - {name: Grace, references: [cast/grace.jpg]}\n"
    "sampling: {frames_per_second: 2, pick: fixed}\n"
    "detection: {methods: [labels, faces, references], economy: false}\n"
    "duplicates: {threshold: 0.9999}\n"
    # What the light models say of a picture is not looked at.
    f"captions: {{acknowledge: [{', '.join(RULES)}]}}\n"
    f"training: {{target: bedrock, base_model: {CANVAS}, step_count: 50, batch_size: 8}}\n"
    "storyboard: {prompts: [Eileen at a desk], images_per_prompt: 1, width: 512, height: 512}\n"
    "budget_usd: 100000\n" + UNREVIEWED
)


SAME_MOMENT = timedelta(seconds=0.3)
"""From an answer to its record; a step that could not record one has tried for longer before it pays again."""


@dataclass(frozen=True)
class Scene:
    """One film, one cast, one project, which no other scene has anything of."""

    stack: Stack
    name: str
    film: Path

    def run(self, attempt: int = 1) -> Ended:
        """Run the workflow to its end, its training and its teardown included, however that ends."""
        run_id = self.run_id(attempt)
        key = f"incoming/{run_id}/{self.film.name}"
        self.stack.put(key, self.film)
        before = self.stack.executions(self.stack.tear_down_machine)
        ended = self.stack.wait(self.stack.start(project=self.name, footage=[key], run_id=run_id))
        if ended.status != "SUCCEEDED":
            self.stack.wait_until(
                "a teardown", lambda: self.stack.executions(self.stack.tear_down_machine) != before
            )
        self.stack.wait_until("its end", lambda: not self.stack.is_at_work(self.stack.tear_down_machine))
        return ended

    def swept(self) -> bool:
        """Whether nothing bills once the sweep has come, as it does each 15 minutes: faults may hit teardowns."""
        if self.stack.billed():
            self.stack.tear_down(scope="expired")
        return not self.stack.billed()

    def run_id(self, attempt: int = 1) -> str:
        return f"{self.name}-{attempt}"


def scene(stack: Stack, folder: Path, name: str, number: int) -> Scene:
    """Put a scene's pictures; ``number`` makes its contents its own."""
    film = write_people(folder / f"{name}.mp4", ((COLLINS,), (HOPPER,), (COLLINS,)), 1.0, tint=number)
    for who, file in ((COLLINS, "eileen"), (HOPPER, "grace")):
        picture = Image.open(io.BytesIO(reference(who, 1)))
        out = io.BytesIO()
        ImageEnhance.Color(picture).enhance(1 + number / 50).save(out, "JPEG", quality=90)
        stack.put(f"projects/{name}/cast/{file}.jpg", out.getvalue())
    stack.put(f"projects/{name}/project.yaml", SETTINGS.encode())
    return Scene(stack, name, film)


def operations(stack: Stack, since: int) -> Counter[Operation]:
    """Return what functions called, from the record of that number on."""
    return Counter((one["service"], one["operation"]) for one in records(stack, since) if one["function"])


def records(stack: Stack, since: int = 0) -> list[dict[str, Any]]:
    """Return the gateway's record, from the line of that number on."""
    lines = (stack.aws.state_dir / "gateway.jsonl").read_text("utf-8").splitlines()[since:]
    return [json.loads(line) for line in lines]


@contextmanager
def faults(stack: Stack, rules: Sequence[dict[str, Any]]) -> Iterator[None]:
    """Have rules in force within the block: the stand-ins' own calls are theirs, all others the gateway's."""
    theirs = [rule for rule in rules if rule["service"] in STOOD_IN]
    others = [rule for rule in rules if rule["service"] not in STOOD_IN]
    stack.standins("faults", theirs)
    stack.gateway("faults", others)
    try:
        yield
    finally:
        stack.standins("faults", method="DELETE")
        stack.gateway("faults", method="DELETE")


def assert_whole(scene: Scene, attempt: int = 1) -> None:
    """Check that every frame, crop, caption and decision of a run is in its ledger, and nothing bills."""
    stack, run_id = scene.stack, scene.run_id(attempt)
    outcomes = stack.assert_ledger_is_whole(run_id, FINAL_OUTCOMES)
    curated = stack.lines(run_id, "curated.jsonl")
    captions = [key for key in stack.keys(f"runs/{run_id}/captions/") if key.endswith(".json")]
    assert len(captions) == len(curated)
    manifest = stack.lines(run_id, "dataset/manifest.jsonl")
    assert len(manifest) == outcomes["crop", "in_dataset"]
    assert stack.lines(run_id, "review/decisions.jsonl")
    assert not any(outcome == "lost" for _, outcome in outcomes), outcomes
    assert stack.billed() == []


def paid_again(stack: Stack, since: int) -> dict[tuple[str, str, str], int]:
    """Return the paid calls that were made again after their answer had arrived, by operation, model and item.

    A function that is slow to start is run again beside itself, by the emulator as by AWS: calls of the same
    moment are no repetition.
    """
    answered: dict[tuple[str, str, str], datetime] = {}
    again: Counter[tuple[str, str, str]] = Counter()
    for call in stack.calls(since):
        if not call["paid"] or not call["item"] or call["fault"] in DONE:
            continue
        what = (call["operation"], call["model"] or "", call["item"])
        begun = datetime.fromisoformat(call["time"])
        if what in answered and begun > answered[what] + SAME_MOMENT:
            again[what] += 1
        answered.setdefault(what, begun + timedelta(milliseconds=call["ms"]))
    return dict(again)


def hit(stack: Stack, mark: int, begun: int, kinds: Sequence[Kind]) -> set[tuple[str, str, str]]:
    """Return which operations were hit by which of the kinds, by the two logs."""
    done = {
        (one["service"], one["operation"], one["fault"])
        for one in [*stack.calls(mark), *records(stack, begun)]
        if one["fault"]
    }
    return {
        (service, operation, kind.name)
        for service, operation, fault in done
        for kind in kinds
        for rule in kind.rules((service, operation), 1)
        if (rule["error"] or "delay") == fault
    }


@contextmanager
def impatient(stack: Stack, is_so: bool = True) -> Iterator[None]:
    """Have the functions' clients wait for less long within the block, where that is so."""
    if is_so:
        _set_scale(stack, str(TIMEOUT_SCALE))
    try:
        yield
    finally:
        if is_so:
            _set_scale(stack, "1")


def _set_scale(stack: Stack, scale: str) -> None:
    functions = stack.aws.client("lambda")
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            variables = {**function["Environment"]["Variables"], "STORYCAST_TIMEOUT_SCALE": scale}
            functions.update_function_configuration(
                FunctionName=function["FunctionName"], Environment={"Variables": variables}
            )
