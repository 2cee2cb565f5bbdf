"""Outcomes that a test asks for: what the services answer well-formed, and nobody hopes for."""

from __future__ import annotations

import threading
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(ge=0.0, le=1e6)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class JobOutcome(_Asked):
    """How a fine-tuning job goes."""

    #: The ``failureMessage`` that it ends with once it has trained; empty means that it succeeds.
    fail: str = ""
    #: How long it takes at least; None is as always.
    seconds: Seconds | None = None


class ThroughputOutcome(_Asked):
    """How a hosting goes."""

    #: The ``failureMessage`` that it has, at once or after ``seconds``; empty means that it succeeds.
    fail: str = ""
    #: How long it is ``Creating``; None is as always.
    seconds: Seconds | None = None
    #: How long its deletion takes; None is as always.
    deletion_seconds: Seconds | None = None


class ImageOutcome(_Asked):
    """What a call for pictures gives: a refusal, or fewer pictures with an error beside them."""

    #: The message of the ``ValidationException`` that it is refused with; empty means that it is not.
    refuse: str = ""
    #: How many pictures are kept; None means all.
    keep: Annotated[int, Field(ge=0)] | None = None
    #: What stands in ``error``.
    error: str = ""


class CaptionOutcome(_Asked):
    """What Converse answers instead of a caption; it is charged all the same."""

    #: The answer; None is as always, but for ``nonsense_share``.
    text: str | None = None
    #: Why that answer ended.
    stop_reason: Literal["end_turn", "stop_sequence", "max_tokens", "content_filtered", "guardrail_intervened"] = (
        "end_turn"
    )
    #: Share of the pictures that get an answer of no use; which ones is decided by the picture and the turn.
    nonsense_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0


class ModelOutcome(_Asked):
    """How a Custom Labels model goes that is started."""

    #: The ``StatusMessage`` that it has when it has failed to start, after ``seconds``; empty means that it runs.
    fail: str = ""
    #: How long it is ``STARTING``; None is as always.
    seconds: Seconds | None = None
    #: How long it is ``STOPPING``; None is as always.
    stop_seconds: Seconds | None = None


class TrainingJobOutcome(_Asked):
    """How a training job of SageMaker goes."""

    #: The ``FailureReason`` that it ends with instead of getting a machine; empty means that it gets one.
    fail: str = ""
    #: How long it waits for a machine at least.
    seconds: Seconds = 0.0
    #: Step after which its spot capacity is taken away, once; None means never.
    interrupt_after_step: Annotated[int, Field(ge=0)] | None = None
    #: Whether its time is over as soon as it has trained some steps, or draws.
    exceed: bool = False
    #: Whether the time that it may wait for spot capacity is over, as soon as it has waited ``seconds``.
    exceed_wait: bool = False
    #: What is billed of it at its end, s; None is as always.
    billable_seconds: Annotated[int, Field(ge=1)] | None = None


class Outcome(_Asked):
    """One thing to happen otherwise, the next ``count`` times."""

    job: JobOutcome | None = None
    throughput: ThroughputOutcome | None = None
    image: ImageOutcome | None = None
    caption: CaptionOutcome | None = None
    training_job: TrainingJobOutcome | None = None
    model: ModelOutcome | None = None
    count: Annotated[int, Field(ge=1, le=1000)] = 1

    @model_validator(mode="after")
    def _names_one(self) -> Outcome:
        if sum(one is not None for one in self._named) != 1:
            raise ValueError("name exactly one of job, throughput, image, caption, training_job and model")
        return self

    @property
    def _named(self) -> tuple[_Asked | None, ...]:
        return (self.job, self.throughput, self.image, self.caption, self.training_job, self.model)

    @property
    def asked(self) -> _Asked:
        """The one that is named."""
        return next(one for one in self._named if one is not None)


class Outcomes:
    """The outcomes asked for, first come first; safe under threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: list[_Asked] = []

    def add(self, outcome: Outcome) -> None:
        """Ask for one, after those that wait."""
        with self._guard:
            self._waiting += [outcome.asked] * outcome.count

    def clear(self) -> None:
        """Ask for nothing any more."""
        with self._guard:
            self._waiting = []

    def take[T: _Asked](self, kind: type[T]) -> T:
        """Take the next outcome of a kind; one that changes nothing when none waits."""
        with self._guard:
            for number, asked in enumerate(self._waiting):
                if isinstance(asked, kind):
                    del self._waiting[number]
                    return asked
        return kind()
