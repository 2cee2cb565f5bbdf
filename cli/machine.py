"""The deployed state machine as a person sees it: its stages, in the order in which they come."""

import json
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STAGE_TYPES = ("Task", "Map", "Parallel")

LABELS: Mapping[str, str] = {
    "PrepareRun": "Prepare the run",
    "ProbeFootage": "Read the footage's headers",
    "CheckPlan": "Check the plan",
    "SampleFrames": "Sample frames",
    "ListFrames": "List frames and shots",
    "BuildCast": "Build the cast",
    "StartDetector": "Start the Custom Labels model",
    "ExtractCharacters": "Find and cut out characters",
    "NameCharacters": "Name the characters",
    "ReleaseDetector": "Release the Custom Labels model",
    "CurateDataset": "Choose the best pictures",
    "CaptionImages": "Caption the pictures",
    "WriteDataset": "Write the dataset",
    "PrepareReview": "Prepare the review",
    "OpenReview": "Wait for the review",
    "StartHumanReviews": "Wait for Amazon A2I's workers",
    "ApplyReview": "Apply the review",
    "TrainModel": "Train and draw",
    "CheckTrainingPlan": "Check the training's plan",
    "StartTraining": "Start the training",
    "CheckTraining": "Train the model",
    "ProvisionModel": "Order what draws",
    "CheckProvisioning": "Host the model, or draw by a job",
    "DrawStoryboard": "Get the panels",
    "TearDown": "End what is billed",
    "GradeStoryboard": "Grade the storyboard",
    "ReportRun": "Write the report",
    "RecordFailure": "Write down the failure",
    "EndBilled": "End what is billed",
    "DeleteModel": "Delete the trained models",
    "FindUnowned": "Look for what no run owns",
}
"""Words for states; a state that is not here is shown by its own name, in words."""

_NESTED = ":states:startExecution.sync"
_WAITS = ".waitForTaskToken"


@dataclass(frozen=True, slots=True)
class Stage:
    """A state of the top level; ``certain`` where no run passes it by and goes on."""

    name: str
    kind: str
    comment: str
    certain: bool
    is_distributed: bool = False
    map_label: str = ""
    is_nested: bool = False
    """Whether it is an execution of another machine, which has stages of its own."""
    parts: tuple[str, ...] = ()
    """Other states of the loop that this state waits or looks in: together they are one stage to a person."""
    waits_for_people: bool = False
    result_field: str = ""
    """Where in its output its result is; empty where that is not a field of the top level."""

    @property
    def label(self) -> str:
        """What the stage does, in a few words."""
        return LABELS.get(self.name) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", self.name).capitalize()

    @property
    def is_shown(self) -> bool:
        """Whether it does work that a person waits for; choices and passes take no time."""
        return self.kind in STAGE_TYPES or self.kind == "Wait"


@dataclass(frozen=True, slots=True)
class Machine:
    """The top level of a state machine, in order of first possible entry."""

    stages: tuple[Stage, ...]

    def stage(self, name: str) -> Stage | None:
        """Return the stage of this name; None for a state inside a map."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def home(self, name: str, entered: Container[str] = ()) -> Stage | None:
        """Return the stage that a state belongs to: one in a loop to what the loop is about.

        Args:
            name: The state.
            entered: Stages that were entered, which count before others that the state may belong to as well.
        """
        homes = [stage for stage in self.stages if name in stage.parts]
        first = homes[0] if homes else self.stage(name)
        return next((stage for stage in homes if stage.name in entered), first)


def read_machine(definition: str) -> Machine:
    """Read a definition in Amazon States Language (JSON)."""
    asl = json.loads(definition)
    states: Mapping[str, Any] = asl.get("States", {})
    start = asl.get("StartAt", "")
    order = _order(states, start)
    certain = {
        name
        for name in order
        if states[name].get("Type") in STAGE_TYPES and not _is_bypassed(states, start, order, name)
    }
    # What only a Catch leads to comes last: it is shown once it is entered.
    rest = [name for name in states if name not in order]
    parts = _loops(states)
    return Machine(
        tuple(_stage(name, states[name], name in certain, parts.get(name, ())) for name in [*order, *rest])
    )


def _loops(states: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the other states of loops, by the state that each loop is about.

    That is a task to which a wait leads and which may lead back to it; or a state that waits for people, and to
    which what it leads to may lead back.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, state in states.items():
        task = state.get("Next", "")
        if state.get("Type") == "Wait" and states.get(task, {}).get("Type") == "Task":
            if _may_lead(states, task, name):
                found[task] = (name,)
        elif _waits_for_people(state):
            nexts = [task, *(caught["Next"] for caught in state.get("Catch", ()))]
            checks = [one for one in nexts if states.get(one, {}).get("Type") == "Task"]
            found[name] = tuple(one for one in checks if _may_lead(states, one, name))
    return found


def _may_lead(states: Mapping[str, Any], start: str, end: str) -> bool:
    reached, waiting = set[str](), [start]
    while waiting:
        here = waiting.pop()
        if here not in reached and here in states:
            reached.add(here)
            waiting += _followers(states[here])
    return end in reached


def _waits_for_people(state: Mapping[str, Any]) -> bool:
    inner = (state.get("ItemProcessor") or state.get("Iterator") or {}).get("States", {})
    return state.get("Resource", "").endswith(_WAITS) or any(_waits_for_people(one) for one in inner.values())


def _stage(name: str, state: Mapping[str, Any], is_certain: bool, parts: tuple[str, ...]) -> Stage:
    processor = state.get("ItemProcessor") or state.get("Iterator") or {}
    return Stage(
        name=name,
        kind=state.get("Type", ""),
        comment=state.get("Comment", ""),
        certain=is_certain,
        is_distributed=processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED",
        map_label=state.get("Label", ""),
        is_nested=_NESTED in state.get("Resource", ""),
        parts=parts,
        waits_for_people=_waits_for_people(state),
        result_field=_field(state.get("ResultPath")),
    )


def _field(path: str | None) -> str:
    """Return the name in a path such as ``$.training``; empty where it is no field of the top level."""
    match = re.fullmatch(r"\$\.(\w+)", path or "")
    return match[1] if match else ""


def _followers(state: Mapping[str, Any]) -> Iterator[str]:
    for choice in state.get("Choices", ()):
        if "Next" in choice:
            yield choice["Next"]
    for key in ("Default", "Next"):
        if key in state:
            yield state[key]


def _order(states: Mapping[str, Any], start: str) -> list[str]:
    """Return the states that can be reached, each before those that it leads to, loops aside."""
    finished: list[str] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name in seen or name not in states:
            return
        seen.add(name)
        for follower in _followers(states[name]):
            visit(follower)
        finished.append(name)

    visit(start)
    return finished[::-1]


def _is_bypassed(states: Mapping[str, Any], start: str, order: Sequence[str], name: str) -> bool:
    """Tell whether some way leads around a state to one that comes after it."""
    waiting, seen = [start], {name}
    while waiting:
        here = waiting.pop()
        if here in seen or here not in states:
            continue
        seen.add(here)
        waiting += _followers(states[here])
    later = order[order.index(name) + 1 :]
    return any(other in seen and states[other].get("Type") in STAGE_TYPES for other in later)
