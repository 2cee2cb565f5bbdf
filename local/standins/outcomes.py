"""Outcomes that a test asks for: what the services answer well-formed, and nobody hopes for."""

from __future__ import annotations

import threading
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator


class JobOutcome(BaseModel):
    """How a fine-tuning job goes: with which message it fails, or how many seconds it takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fail: str = ""
    seconds: Annotated[float, Field(ge=0.0)] | None = None


class ImageOutcome(BaseModel):
    """What a call for pictures gives: a refusal, or fewer pictures with an error beside them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    refuse: str = ""
    keep: Annotated[int, Field(ge=0)] | None = None
    error: str = ""


class Outcome(BaseModel):
    """One thing to happen otherwise, ``count`` times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: JobOutcome | None = None
    throughput: JobOutcome | None = None
    image: ImageOutcome | None = None
    count: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _names_one(self) -> Outcome:
        if sum(one is not None for one in (self.job, self.throughput, self.image)) != 1:
            raise ValueError("name exactly one of job, throughput and image")
        return self


class Outcomes:
    """The outcomes asked for, first come first; safe under threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        """Ask for one, after those that wait."""
        with self._guard:
            self._waiting += [outcome] * outcome.count

    def clear(self) -> None:
        """Ask for nothing any more."""
        with self._guard:
            self._waiting = []

    def take(self, kind: str) -> JobOutcome | ImageOutcome | None:
        """Take the next outcome of a kind, ``job``, ``throughput`` or ``image``; None when none waits."""
        with self._guard:
            for number, outcome in enumerate(self._waiting):
                found: JobOutcome | ImageOutcome | None = getattr(outcome, kind)
                if found is not None:
                    del self._waiting[number]
                    return found
        return None
