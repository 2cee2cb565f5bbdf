"""Following an execution: what Step Functions tells, read again and again, as snapshots."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol

from botocore.exceptions import ClientError

from cli.machine import Machine, Stage, read_machine
from cli.problems import DONE, FAILED, UNREACHED, exit_code_of_run, unwrapped

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

StageState = Literal["pending", "running", "done", "skipped", "stopped"]

RUNNING = "RUNNING"
SUCCEEDED = "SUCCEEDED"
GRACE_SECONDS = 15.0
"""How long an execution that was just started may be unknown."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Items of a map, or pictures before people: ``done`` and ``failed`` of ``total``."""

    done: int = 0
    failed: int = 0
    total: int = 0
    what: str = ""
    """What was done to them, where that is not plain, such as ``decided``."""


@dataclass(frozen=True, slots=True)
class Work:
    """How far a long piece of work is that a stage waits for."""

    counts: Counts | None
    phase: str
    """What is being done, such as ``training``."""
    figures: str = ""
    """What is measured meanwhile; it changes all the time."""


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How far a stage is; ``seconds`` since it was entered, or that it took."""

    stage: Stage
    state: StageState
    seconds: float = 0.0
    counts: Counts | None = None
    note: str = ""
    """What a loop saw when it looked last."""
    inside: tuple["StageProgress", ...] = ()
    """Stages of the execution that a nested stage waits for."""
    figures: str = ""
    """What is measured meanwhile; it changes all the time."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An execution at one moment."""

    status: str
    seconds: float
    stages: tuple[StageProgress, ...] = ()
    error: str = ""
    cause: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will change."""
        return self.status not in (RUNNING, "PENDING_REDRIVE")

    @property
    def exit_code(self) -> int:
        """The command's exit code where the execution has ended so."""
        if self.status == SUCCEEDED:
            return DONE
        return exit_code_of_run(self.error) if self.status == "FAILED" else FAILED

    @property
    def running(self) -> tuple[StageProgress, ...]:
        """The innermost stages that are at work."""
        return tuple(_leaves(self.stages, "running"))

    @property
    def stopped(self) -> tuple[StageProgress, ...]:
        """The innermost stages that were at work when the execution ended."""
        return tuple(_leaves(self.stages, "stopped"))


def _leaves(stages: Sequence[StageProgress], state: StageState) -> Iterator[StageProgress]:
    for one in stages:
        inner = list(_leaves(one.inside, state))
        yield from inner or ([one] if one.state == state else [])


def flattened(
    stages: Sequence[StageProgress], depth: int = 0, path: str = ""
) -> Iterator[tuple[int, str, StageProgress]]:
    """Yield stages with those inside them below: how deep each is, a name that no other has, and the stage."""
    for one in stages:
        name = f"{path}{one.stage.name}"
        yield depth, name, one
        yield from flattened(one.inside, depth + 1, f"{name}/")


@dataclass(slots=True)
class _Visit:
    entered_at: datetime
    exited_at: datetime | None = None
    counts: Counts | None = None
    map_runs: set[str] = field(default_factory=set)
    note: str = ""
    left_at: datetime | None = None
    """When a loop last went on to decide whether to go on."""
    child: "Follower | None" = None
    figures: str = ""
    inside: Snapshot | None = None
    """Of the child, as it was seen last."""
    is_settled: bool = False
    """Whether the child was looked for after the stage had ended: what was not found then is not there."""


class Follower:
    """Reads one execution. Each :meth:`snapshot` asks only for what is new.

    Args:
        stepfunctions: The client.
        execution_arn: The execution.
        machine: Its stages; read from the deployed definition where None.
        now: The clock, in UTC.
        child_of: Tells which execution the nested stage of that name may have started, where the history does
            not; None where nobody knows.
        people_of: Tells how far people are on whom the stage of that name waits: their pictures, and until when it
            waits; None where nobody knows.
        work_of: Tells how far the work is that a stage of an execution waits for; None where nobody knows.
    """

    def __init__(
        self,
        stepfunctions: "SFNClient",
        execution_arn: str,
        machine: Machine | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        child_of: Callable[[str], str | None] = lambda _name: None,
        people_of: Callable[[str], tuple[Counts, str] | None] = lambda _name: None,
        work_of: Callable[[str, str], Work | None] = lambda _arn, _name: None,
    ) -> None:
        self._stepfunctions = stepfunctions
        self.execution_arn = execution_arn
        self._machine = machine
        self._now = now
        self._child_of = child_of
        self._people_of = people_of
        self._work_of = work_of
        self._visits: dict[str, _Visit] = {}
        self._last_event = 0
        self._map_run_stages: dict[str, str] = {}
        self._ended_map_runs: set[str] = set()
        self._may_count = True

    def snapshot(self) -> Snapshot:
        """Return how far the execution is.

        Raises:
            ClientError: It does not exist, or may not be read.
        """
        execution = self._stepfunctions.describe_execution(executionArn=self.execution_arn)
        if self._machine is None:
            self._machine = self._read_machine(execution["stateMachineArn"])
        self._read_history()
        self._read_map_runs()
        self._read_children()
        self._ask_for_people()
        self._ask_for_work()
        ended = execution["status"] not in (RUNNING, "PENDING_REDRIVE")
        until = execution.get("stopDate") if ended else None
        error, cause = unwrapped(execution.get("error") or "", execution.get("cause") or "")
        return Snapshot(
            status=execution["status"],
            seconds=max(((until or self._now()) - execution["startDate"]).total_seconds(), 0.0),
            stages=self._stages(execution["status"], until),
            error=error,
            cause=cause,
        )

    def _read_machine(self, machine_arn: str) -> Machine:
        try:
            deployed = self._stepfunctions.describe_state_machine_for_execution(executionArn=self.execution_arn)
            return read_machine(deployed["definition"])
        except ClientError:
            deployed_now = self._stepfunctions.describe_state_machine(stateMachineArn=machine_arn)
            return read_machine(deployed_now["definition"])

    def _read_history(self) -> None:
        """Read the events that came since the last time, newest first until one is known."""
        fresh: list[Any] = []
        more: dict[str, str] = {}
        while True:
            page = self._stepfunctions.get_execution_history(
                executionArn=self.execution_arn,
                reverseOrder=True,
                includeExecutionData=True,
                maxResults=1000 if self._last_event == 0 else 100,
                **more,
            )
            new = [event for event in page["events"] if event["id"] > self._last_event]
            fresh += new
            if len(new) < len(page["events"]) or not page.get("nextToken"):
                break
            more = {"nextToken": page["nextToken"]}
        for event in reversed(fresh):
            self._apply(event)
        if fresh:
            self._last_event = fresh[0]["id"]

    def _apply(self, event: Mapping[str, Any]) -> None:
        kind = event["type"]
        assert self._machine  # noqa: S101 -- read before the history
        if kind.endswith("StateEntered"):
            self._enter(event["stateEnteredEventDetails"]["name"], event["timestamp"])
        elif kind.endswith("StateExited"):
            self._leave(event["stateExitedEventDetails"], event["timestamp"])
        elif kind == "TaskSubmitted" and event["taskSubmittedEventDetails"].get("resourceType") == "states":
            arn = _object(event["taskSubmittedEventDetails"].get("output")).get("ExecutionArn")
            if arn and (visit := self._open_nested()):
                visit.child = self._follower(arn)
        elif kind == "MapStateStarted":
            if visit := self._open_map(distributed=False):
                visit.counts = Counts(total=event["mapStateStartedEventDetails"]["length"])
        elif kind in ("MapIterationSucceeded", "MapIterationFailed", "MapIterationAborted"):
            details: Mapping[str, Any] = next(
                iter(value for key, value in event.items() if key.startswith("mapIteration")), {}
            )
            visit = self._visits.get(details.get("name", ""))
            if visit and visit.counts:
                failed = kind != "MapIterationSucceeded"
                before = visit.counts
                visit.counts = Counts(before.done + (not failed), before.failed + failed, before.total)
        elif kind == "MapRunStarted" and (visit := self._open_map(distributed=True)):
            map_run = event["mapRunStartedEventDetails"]["mapRunArn"]
            self._map_run_stages[map_run] = next(name for name, known in self._visits.items() if known is visit)

    def _enter(self, name: str, at: datetime) -> None:
        assert self._machine  # noqa: S101 -- read before the history
        stage, home = self._machine.stage(name), self._machine.home(name, self._visits)
        if stage is None or home is None:
            return
        if stage.kind not in ("Choice", "Pass", "Fail"):
            # A loop has ended when something else begins; where it failed, it is where the execution stopped.
            for other, visit in self._visits.items():
                if other != home.name and visit.left_at and visit.exited_at is None:
                    visit.exited_at = visit.left_at
        known = self._visits.get(home.name)
        if not (home.parts and known and known.exited_at is None):
            # Taken out first, so that the visits are in the order of the last entry.
            self._visits.pop(home.name, None)
            self._visits[home.name] = _Visit(at)

    def _leave(self, details: Mapping[str, Any], at: datetime) -> None:
        assert self._machine  # noqa: S101 -- read before the history
        home = self._machine.home(details["name"], self._visits)
        visit = self._visits.get(home.name) if home else None
        if home is None or visit is None:
            return
        if not home.parts:
            visit.exited_at = at
            return
        visit.left_at = at
        if details["name"] == home.name:
            seen = _object(details.get("output")).get(home.result_field)
            visit.note = _note(seen) or visit.note

    def _open_nested(self) -> _Visit | None:
        assert self._machine  # noqa: S101 -- read before the history
        for name, visit in reversed(self._visits.items()):
            stage = self._machine.stage(name)
            if visit.exited_at is None and stage and stage.is_nested:
                return visit
        return None

    def _ask_for_people(self) -> None:
        """Look how far people are on whom the execution waits, which its history does not tell."""
        assert self._machine  # noqa: S101 -- read before the history
        for name, visit in self._visits.items():
            stage = self._machine.stage(name)
            if stage and stage.waits_for_people and not visit.exited_at and (told := self._people_of(name)):
                visit.counts, visit.note = told

    def _ask_for_work(self) -> None:
        """Look how far a long piece of work is, more often than the execution itself looks."""
        for name, visit in self._visits.items():
            visit.figures = ""
            if not visit.exited_at and (work := self._work_of(self.execution_arn, name)):
                visit.counts, visit.note, visit.figures = work.counts, work.phase, work.figures

    def _read_children(self) -> None:
        """Look at the executions that nested stages wait for, or waited for when nobody looked yet."""
        assert self._machine  # noqa: S101 -- read before the history
        for name, visit in self._visits.items():
            stage = self._machine.stage(name)
            if not stage or not stage.is_nested or (visit.inside and visit.inside.has_ended) or visit.is_settled:
                continue
            visit.is_settled = visit.exited_at is not None
            try:
                visit.child = visit.child or self._guessed_child(name, visit)
                if visit.child:
                    visit.inside = visit.child.snapshot()
            except ClientError as error:
                # It can be followed without: some may not read the other machine, or it began this very moment.
                if error.response["Error"]["Code"] not in ("AccessDeniedException", "ExecutionDoesNotExist"):
                    raise

    def _guessed_child(self, name: str, visit: _Visit) -> "Follower | None":
        """Return the execution that somebody else thinks is the stage's, if it began during the stage."""
        arn = self._child_of(name)
        if arn is None:
            return None
        began = self._stepfunctions.describe_execution(executionArn=arn)["startDate"]
        slack = timedelta(seconds=2)
        if began < visit.entered_at - slack or (visit.exited_at and began > visit.exited_at + slack):
            return None
        return self._follower(arn)

    def _follower(self, execution_arn: str) -> "Follower":
        """Return what reads an execution that this one waits for."""
        return Follower(self._stepfunctions, execution_arn, now=self._now, work_of=self._work_of)

    def _open_map(self, *, distributed: bool) -> _Visit | None:
        """Return the map that was entered last and has not ended: only one is open at the top level."""
        assert self._machine  # noqa: S101 -- read before the history
        for name, visit in reversed(self._visits.items()):
            stage = self._machine.stage(name)
            if visit.exited_at is None and stage and stage.kind == "Map":
                return visit if stage.is_distributed == distributed else None
        return None

    def _read_map_runs(self) -> None:
        assert self._machine  # noqa: S101 -- read before the history
        entered = [self._machine.stage(name) for name in self._visits]
        if not self._may_count or not any(stage and stage.is_distributed for stage in entered):
            return
        try:
            self._count_map_runs()
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDeniedException":
                raise
            self._may_count = False  # the run can be followed without its counts

    def _count_map_runs(self) -> None:
        for listed in self._stepfunctions.list_map_runs(executionArn=self.execution_arn)["mapRuns"]:
            arn = listed["mapRunArn"]
            if arn in self._ended_map_runs:
                continue
            name = self._map_run_stages.get(arn) or self._stage_of_map_run(arn, listed["startDate"])
            if name is None:
                continue
            map_run = self._stepfunctions.describe_map_run(mapRunArn=arn)
            items = map_run["itemCounts"]
            self._visits[name].counts = Counts(
                done=items["succeeded"],
                failed=items["failed"] + items["timedOut"] + items["aborted"],
                total=items["total"],
            )
            if map_run["status"] != RUNNING:
                self._ended_map_runs.add(arn)

    def _stage_of_map_run(self, arn: str, started_at: datetime) -> str | None:
        """Return the stage of a map run: by the label in its ARN, else by when it began."""
        assert self._machine  # noqa: S101 -- read before the history
        label = arn.partition(":mapRun:")[2].partition("/")[2].partition(":")[0]
        found: str | None = None
        for name, visit in self._visits.items():
            stage = self._machine.stage(name)
            if not stage or not stage.is_distributed:
                continue
            if label in (stage.map_label, name):
                return name
            if visit.entered_at <= started_at and (visit.exited_at is None or started_at <= visit.exited_at):
                found = name
        return found

    def _stages(self, status: str, until: datetime | None) -> tuple[StageProgress, ...]:
        assert self._machine  # noqa: S101 -- read before the history
        names = [stage.name for stage in self._machine.stages]
        furthest = max((names.index(name) for name in self._visits), default=-1)
        shown = []
        for number, stage in enumerate(self._machine.stages):
            visit = self._visits.get(stage.name)
            is_part = self._machine.home(stage.name) != stage
            if not stage.is_shown or is_part or (visit is None and not stage.certain):
                continue
            if visit is None:
                passed_over = number < furthest or status == SUCCEEDED
                shown.append(StageProgress(stage, "skipped" if passed_over else "pending"))
                continue
            ends_at = visit.exited_at or until
            state: StageState = "done" if visit.exited_at else "running"
            if state == "running" and until:
                state = "stopped"
            took = ((ends_at or self._now()) - visit.entered_at).total_seconds()
            inside = visit.inside.stages if visit.inside else ()
            took = max(took, 0.0)
            shown.append(StageProgress(stage, state, took, visit.counts, visit.note, inside, visit.figures))
        return tuple(shown)


def _object(text: str | None) -> Mapping[str, Any]:
    """Return the JSON object in a text; empty where there is none, such as where Step Functions cut it off."""
    try:
        data = json.loads(text or "")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _note(seen: Any) -> str:
    """Return a status and its message in words; empty where it is none."""
    if not isinstance(seen, dict) or not isinstance(seen.get("status"), str):
        return ""
    status = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", seen["status"]).lower()
    return ": ".join(filter(None, [status, str(seen.get("message") or "")]))


class Shown(Protocol):
    """Something that shows snapshots to a person."""

    def __enter__(self) -> "Shown": ...
    def __exit__(self, *exception: object) -> None: ...
    def update(self, snapshot: Snapshot) -> None:
        """Show a newer snapshot."""


def follow(
    follower: Follower,
    shown: Shown,
    *,
    pause_seconds: Callable[[float], float],
    patience_seconds: float = 0.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Snapshot:
    """Show an execution until it ends.

    Args:
        follower: Of the execution.
        shown: Where to show it.
        pause_seconds: Gives the pause between two looks, by how long the run has taken.
        patience_seconds: How long the network may be away.
        sleep: Waits.

    Returns:
        The last snapshot.
    """
    unknown_for = unreached_for = 0.0
    with shown:
        while True:
            try:
                snapshot = follower.snapshot()
            except UNREACHED:
                # A laptop loses its network now and then; the run does not care.
                if unreached_for >= patience_seconds:
                    raise
                unreached_for += 5.0
                sleep(5.0)
                continue
            except ClientError as error:
                # An execution that was just started may not be known everywhere yet.
                if error.response["Error"]["Code"] != "ExecutionDoesNotExist" or unknown_for > GRACE_SECONDS:
                    raise
                unknown_for += 1.0
                sleep(1.0)
                continue
            unknown_for, unreached_for = GRACE_SECONDS + 1, 0.0
            shown.update(snapshot)
            if snapshot.has_ended:
                return snapshot
            sleep(pause_seconds(snapshot.seconds))


def pause_locally(_seconds: float) -> float:
    """Look twice a second: nobody else asks this Step Functions."""
    return 0.5


def pause_on_aws(seconds: float) -> float:
    """Look every two seconds in the first minute, then every five: quotas are shared by the account."""
    return 2.0 if seconds < 60 else 5.0
