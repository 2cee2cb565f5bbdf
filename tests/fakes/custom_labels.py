"""Custom Labels models and their leases in memory. Nothing moves by itself, and nothing at once: see MOVE."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from storycast.boxes import Box
from storycast.custom_labels import STARTABLE, LeaseChangedError, ModelLeases, VersionFacts, VersionStatus
from storycast.errors import DependencyUnavailableError, DetectorFailedError
from storycast.ports import LabelledBox, Labels
from tests.fakes.aws_training import Clock

ARN = "arn:aws:rekognition:us-east-1:123456789012:project/cast/version/v1/1793664000000"
MOVE = timedelta(minutes=1)
"""The service takes at least as long to start or to stop a model, and a function lives no longer."""


@dataclass
class FakeVersions:
    """One project version; a :class:`~storycast.custom_labels.CustomLabelModels`."""

    clock: Clock
    status: VersionStatus = "TRAINING_COMPLETED"
    message: str = ""
    changed_at: datetime = field(init=False)
    lag: timedelta = timedelta()
    """How long after a start the status before it is told."""
    before: VersionStatus | None = None
    refuses: str = ""
    """Why it can't be started; empty where it can."""
    is_gone: bool = False
    is_down: bool = False
    """Whether the service fails to tell."""
    calls: list[str] = field(default_factory=list)
    """Calls that had an effect."""
    is_foreign: bool = False
    """Whether somebody outside runs it."""

    def __post_init__(self) -> None:
        self.changed_at = self.clock.now

    def get(self, arn: str) -> VersionFacts | None:
        if self.is_down:
            raise DependencyUnavailableError("down")
        if self.is_gone or arn != ARN:
            return None
        is_late = self.before is not None and self.clock.now < self.changed_at + self.lag
        status = self.before if is_late and self.before else self.status
        return VersionFacts(arn, status, self.message)

    def start(self, arn: str, units: int) -> None:
        assert arn == ARN
        if self.refuses:
            raise DetectorFailedError(self.refuses)
        if self.status in STARTABLE:
            self.before = self.status
            self._move("STARTING")
            self.calls.append(f"start {units}")
            self.is_foreign = False

    def stop(self, arn: str) -> None:
        assert arn == ARN
        if self.status == "RUNNING":
            self.before = None
            self._move("STOPPING")
            self.calls.append("stop" if not self.is_foreign else "stop foreign")

    def settle(self, *, fails: str = "") -> None:
        """Let a start or a stop take effect that is old enough."""
        if self.clock.now < self.changed_at + MOVE:
            return
        self.before = None
        if self.status == "STARTING":
            self.message = fails
            self._move("FAILED" if fails else "RUNNING")
        elif self.status == "STOPPING":
            self._move("STOPPED")

    @property
    def is_billed(self) -> bool:
        return self.status in {"STARTING", "RUNNING", "STOPPING"}

    def somebody_starts(self) -> None:
        """Somebody outside runs it."""
        if self.status in STARTABLE:
            self._move("RUNNING")
            self.is_foreign = True

    def somebody_stops(self) -> None:
        if self.status == "RUNNING":
            self._move("STOPPED")

    def _move(self, status: VersionStatus) -> None:
        self.status, self.changed_at = status, self.clock.now


class MemoryLeaseBook:
    """A :class:`~storycast.custom_labels.LeaseBook`; what is busy may be known late, as DynamoDB's index is."""

    def __init__(self, clock: Clock, lag: timedelta = timedelta()) -> None:
        self._clock, self._lag = clock, lag
        self._rows: dict[str, ModelLeases] = {}
        self._busy_since: dict[str, datetime] = {}

    def get(self, arn: str) -> ModelLeases:
        return self._rows.get(arn) or ModelLeases(arn=arn)

    def put(self, row: ModelLeases) -> ModelLeases:
        if self.get(row.arn).version != row.version:
            raise LeaseChangedError(row.arn)
        written = row.model_copy(update={"version": row.version + 1})
        self._rows[row.arn] = written
        if written.state == "idle":
            self._busy_since.pop(row.arn, None)
        else:
            self._busy_since.setdefault(row.arn, self._clock.now)
        return written

    def busy(self) -> Iterator[str]:
        yield from [arn for arn, since in self._busy_since.items() if self._clock.now >= since + self._lag]


class SaysLabels:
    """A :class:`~storycast.custom_labels.CustomLabelDetector` that says what it was given, by key."""

    def __init__(self, found: dict[str, list[tuple[Box, str, float]]]) -> None:
        self._found = found
        self.asked: list[tuple[str, float | None]] = []

    def detect(self, key: str, *, min_confidence: float | None) -> Labels:
        self.asked.append((key, min_confidence))
        boxes = [LabelledBox(box, label, sure, "custom_labels") for box, label, sure in self._found.get(key, [])]
        return Labels(tuple(boxes), ARN)
