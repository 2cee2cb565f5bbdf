"""Custom Labels of Amazon Rekognition: a model that bills by the hour while it runs, and the runs that need it.

One row tells who needs a model and whether it is being stopped, so that both change in one step: whoever gives up
the last lease turns the row to *stopping*, and from then on nobody is let in until the service says that the model
has stopped.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, get_args

from storycast.footage import Record
from storycast.ports import Labels

VersionStatus = Literal[
    "TRAINING_IN_PROGRESS",
    "TRAINING_COMPLETED",
    "TRAINING_FAILED",
    "STARTING",
    "RUNNING",
    "FAILED",
    "STOPPING",
    "STOPPED",
    "DELETING",
    "COPYING_IN_PROGRESS",
    "COPYING_COMPLETED",
    "COPYING_FAILED",
    "DEPRECATED",
    "EXPIRED",
]
VERSION_STATUSES: frozenset[str] = frozenset(get_args(VersionStatus))
"""All that the service's model lists."""
STARTABLE: frozenset[str] = frozenset({"TRAINING_COMPLETED", "COPYING_COMPLETED", "STOPPED", "FAILED"})
BILLED: frozenset[str] = frozenset({"STARTING", "RUNNING", "STOPPING"})
UNUSABLE: frozenset[str] = VERSION_STATUSES - STARTABLE - BILLED
"""No waiting makes a model of them that runs."""

START_GRACE = timedelta(minutes=2)
"""How long after its intent a call that starts a model may still be under way: longer than the function that makes
it lives, a minute."""
START_LAG = timedelta(minutes=5)
"""How long after a start the service may still tell the status before it."""
START_DEADLINE = timedelta(hours=1)
"""How long a run waits for its model; starting takes some minutes."""

LeaseState = Literal["idle", "wanted", "stopping"]


class Lease(Record):
    """A run that needs the model, until when at most."""

    run_id: str
    session_id: str
    execution_arn: str
    acquired_at: datetime
    expires_at: datetime


class ModelLeases(Record):
    """Who needs a model; ``version`` counts the writes of the row.

    ``idle``: nobody. ``wanted``: the model is to run. ``stopping``: it is to be stopped; leases that come in are
    for the next start.
    """

    arn: str
    version: int = 0
    state: LeaseState = "idle"
    generation: int = 0
    """How often somebody meant to start it: each start is billed by itself, until its stop."""
    leases: tuple[Lease, ...] = ()
    starter: str = ""
    """The run that starts the model this time; empty where nobody has yet."""
    intended_at: datetime | None = None
    """When somebody last meant to start it."""
    confirmed: bool = False
    """Whether the call that starts it has come back."""
    seen: bool = False
    """Whether the service has told since that it starts, runs or stops: then its status is not the one before."""

    def lease_of(self, run_id: str) -> Lease | None:
        """Return a run's lease, None where it has none."""
        return next((lease for lease in self.leases if lease.run_id == run_id), None)

    def acquired(self, lease: Lease) -> "ModelLeases":
        """Let a run in; one that is in keeps its lease as it is."""
        leases = self.leases if self.lease_of(lease.run_id) else (*self.leases, lease)
        return self._with(leases)

    def released(self, run_id: str) -> "ModelLeases":
        """Take a run's lease back."""
        return self._with(tuple(lease for lease in self.leases if lease.run_id != run_id))

    def without(self, leases: "tuple[Lease, ...]") -> "ModelLeases":
        """Take leases back, whosever they are."""
        return self._with(tuple(lease for lease in self.leases if lease not in leases))

    def intended(self, run_id: str, now: datetime) -> "ModelLeases":
        """Note that a run is about to start the model."""
        start = {**_FRESH, "starter": run_id, "intended_at": now, "generation": self.generation + 1}
        return self.model_copy(update=start)

    def came_back(self, generation: int, *, seen: bool) -> "ModelLeases":
        """Note that the call of one start has come back, and whether the service's status is its effect."""
        if self.generation != generation or self.intended_at is None:
            return self
        return self.model_copy(update={"confirmed": True, "seen": self.seen or seen})

    def stopped(self) -> "ModelLeases":
        """Note that the service says that the model has stopped."""
        if self.state != "stopping":
            return self
        return self.model_copy(update={**_FRESH, "state": "idle"})._with(self.leases)

    def may_be_starting(self, now: datetime) -> bool:
        """Whether a call that starts the model may be under way."""
        return self.intended_at is not None and not self.confirmed and now < self.intended_at + START_GRACE

    def may_be_stale(self, now: datetime) -> bool:
        """Whether a status in which the model does not run may be the one before its start."""
        return self.intended_at is not None and not self.seen and now < self.intended_at + START_LAG

    def _with(self, leases: "tuple[Lease, ...]") -> "ModelLeases":
        """Return the row with other leases, and the state that follows from them."""
        update: dict[str, Any] = {"leases": leases}
        if self.state == "idle" and leases:
            update |= {**_FRESH, "state": "wanted"}
        if self.state == "wanted" and not leases:
            # What nobody of us meant to start is not ours to stop.
            update["state"] = "idle" if self.intended_at is None else "stopping"
        return self.model_copy(update=update)


_FRESH: dict[str, Any] = {"starter": "", "intended_at": None, "confirmed": False, "seen": False}


def billed_name(arn: str, generation: int) -> str:
    """Return what one start of a model is called in the billing book: a name that no other start ever has."""
    return f"custom-labels-{hashlib.sha256(arn.encode()).hexdigest()[:12]}-{generation}"


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What the service says of a model."""

    arn: str
    status: VersionStatus
    message: str = ""


def why_unusable(arn: str, facts: VersionFacts | None) -> str:
    """Return why no waiting makes a model run, and what to do; empty where it may run."""
    if facts is None:
        return f"There is no Custom Labels model {arn}. Mend detection.custom_labels_model in the project file."
    if facts.status not in UNUSABLE:
        return ""
    told = f": {facts.message}" if facts.message else ""
    return (
        f"The Custom Labels model {arn} is {facts.status}{told}. It can't be started; name a version that was "
        "trained in detection.custom_labels_model."
    )


class CustomLabelModels(Protocol):
    """Starts and stops Custom Labels models."""

    def get(self, arn: str) -> VersionFacts | None:
        """Return what is known of a model; None where there is none of this ARN."""

    def start(self, arn: str, units: int) -> None:
        """Begin to run a model; the call is made once. One that is running or starting is no fault.

        Raises:
            DetectorFailedError: The service refuses to start it.
        """

    def stop(self, arn: str) -> None:
        """Ask a running model to stop; one that does not run, or is gone, is no fault."""


class CustomLabelDetector(Protocol):
    """A running Custom Labels model."""

    def detect(self, key: str, *, min_confidence: float | None) -> Labels:
        """Return the model's labels that have boxes, in a picture of the media bucket.

        Args:
            key: Key of a JPEG or PNG.
            min_confidence: Confidence from which labels count, 0..100; None for the threshold that the model
                chose for each label when it was trained.

        Raises:
            FrameRefusedError: The service can't use this picture.
            DependencyUnavailableError: The model does not run.
        """


class LeaseChangedError(Exception):
    """A row is not what a write meant to replace: somebody else wrote it meanwhile."""


class LeaseBook(Protocol):
    """The rows of who needs which model."""

    def get(self, arn: str) -> ModelLeases:
        """Return a model's row as of the last write; an idle one where there is none."""

    def put(self, row: ModelLeases) -> ModelLeases:
        """Write a row in place of the one of its ``version``, and return it with the next one.

        Raises:
            LeaseChangedError: The row that is there has another version.
        """

    def busy(self) -> Iterator[str]:
        """Yield the ARNs of models whose rows are not idle; one written within the last second may be missing."""
