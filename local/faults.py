"""Fault rules: what a test asks the embedded AWS to do wrong. Stand-ins and gateway keep to the same ones."""

from __future__ import annotations

import hashlib
import threading
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

#: The connection is cut before anything is done.
CONNECTION_CUT = "connection_cut"
#: An HTML page with status 200 instead of an answer.
GARBAGE = "garbage"
#: The work is done, and the connection cut before the answer: what a client can't tell from ``connection_cut``.
ANSWER_LOST = "answer_lost"
#: The work is done, and half of the answer's body comes.
TRUNCATED = "truncated"

#: What a rule may have in place of a service's own error code.
KINDS = frozenset({CONNECTION_CUT, GARBAGE, ANSWER_LOST, TRUNCATED})
#: Those of them after which the service has done the work.
DONE = frozenset({ANSWER_LOST, TRUNCATED})

GARBAGE_PAGE = b"<html><body>502 Bad Gateway</body></html>"


class FaultRule(BaseModel):
    """One rule; it applies to calls of its operation after ``skip`` of them, ``count`` times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str
    operation: str
    #: An error code of the operation, one of ``KINDS``, or None for a delay only.
    error: str | None = None
    #: How long the call is held back, in milliseconds; before the work, where any is done.
    delay_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    #: How many calls it hits; None means all of them.
    count: Annotated[int, Field(ge=1)] | None = None
    #: How many calls pass untouched first.
    skip: Annotated[int, Field(ge=0)] = 0
    #: Which share of the calls that it could hit it does; which ones is the same each time.
    rate: Annotated[float, Field(gt=0, le=1)] = 1.0

    @property
    def name(self) -> str:
        """What a log calls the fault."""
        return self.error or "delay"


FAULT_RULES: TypeAdapter[list[FaultRule]] = TypeAdapter(list[FaultRule])


class Faults:
    """The rules in force, and how often each has been met; safe under threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._rules: list[FaultRule] = []
        self._seen: list[int] = []
        self._hit: list[int] = []

    def add(self, rules: list[FaultRule]) -> None:
        """Put rules in force after those that already are."""
        with self._guard:
            self._rules += rules
            self._seen += [0] * len(rules)
            self._hit += [0] * len(rules)

    def clear(self) -> None:
        """Take all rules out of force."""
        with self._guard:
            self._rules, self._seen, self._hit = [], [], []

    def next_for(self, service: str, operation: str) -> FaultRule | None:
        """Count one call and say which rule hits it: the first in force that does.

        Every rule of that operation counts the calls that reach it, so rules with counts run one after
        the other.
        """
        with self._guard:
            for number, rule in enumerate(self._rules):
                if (rule.service, rule.operation) != (service, operation):
                    continue
                if rule.count is not None and self._hit[number] >= rule.count:
                    continue
                met = self._seen[number]
                self._seen[number] += 1
                if met >= rule.skip and _drawn(rule, met) < rule.rate:
                    self._hit[number] += 1
                    return rule
            return None


def _drawn(rule: FaultRule, met: int) -> float:
    """Return a number of 0..1 that is the same for the same call of the same rule."""
    digest = hashlib.sha256(f"{rule.service}:{rule.operation}:{rule.error}:{met}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
