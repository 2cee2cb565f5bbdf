"""Fault rules: what a test asks the stand-ins to do wrong."""

from __future__ import annotations

import threading
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

CONNECTION_CUT = "connection_cut"
GARBAGE = "garbage"
#: The work is done, and the connection cut before the answer: what a client can't tell from ``connection_cut``.
ANSWER_LOST = "answer_lost"


class FaultRule(BaseModel):
    """One rule; it applies to calls of its operation after ``skip`` of them, ``count`` times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str
    operation: str
    #: An error code of the operation, ``connection_cut``, ``garbage`` (an HTML page with status 200),
    #: ``answer_lost``, or None for a delay only.
    error: str | None = None
    #: How long the answer is held back, in milliseconds.
    delay_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    #: How many calls it hits; None means all of them.
    count: Annotated[int, Field(ge=1)] | None = None
    #: How many calls pass untouched first.
    skip: Annotated[int, Field(ge=0)] = 0


FAULT_RULES: TypeAdapter[list[FaultRule]] = TypeAdapter(list[FaultRule])


class Faults:
    """The rules in force, and how often each has been met; safe under threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._rules: list[FaultRule] = []
        self._seen: list[int] = []

    def add(self, rules: list[FaultRule]) -> None:
        """Put rules in force after those that already are."""
        with self._guard:
            self._rules += rules
            self._seen += [0] * len(rules)

    def clear(self) -> None:
        """Take all rules out of force."""
        with self._guard:
            self._rules, self._seen = [], []

    def next_for(self, service: str, operation: str) -> FaultRule | None:
        """Count one call and say which rule hits it: the first in force that does.

        Every rule of that operation counts the calls that reach it, so rules with counts run one after
        the other.
        """
        with self._guard:
            for number, rule in enumerate(self._rules):
                if (rule.service, rule.operation) != (service, operation):
                    continue
                met = self._seen[number]
                if rule.count is not None and met >= rule.skip + rule.count:
                    continue
                self._seen[number] += 1
                if met >= rule.skip:
                    return rule
            return None
