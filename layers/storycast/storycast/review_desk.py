"""The review desk: takes decisions into the log, whoever else decides at the same time, and closes the review."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from storycast.decisions import (
    Change,
    Conflict,
    Decision,
    SequenceTakenError,
    State,
    Via,
    What,
    state_of,
)
from storycast.errors import ThrottledError
from storycast.ports import Callbacks, ObjectStore, ReviewLog
from storycast.review import Review
from storycast.runs import read_run

ATTEMPTS = 50
"""How often a number in the log is tried for; each lost one means that somebody else's decision came in."""
TOKENS = 3
"""Tokens that are tried in a row; a waiting execution gets a new one at most every minute."""


class ReviewClosedError(Exception):
    """The review takes no more decisions; the message says who closed it, when, and what became of the run."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What somebody wants to decide; see :class:`~storycast.decisions.Decision`."""

    id: str
    who: str
    what: What
    via: Via
    changes: tuple[Change, ...] = ()
    undoes: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a proposal: the decision that was added, None where nothing was left to change."""

    decision: Decision | None
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """Where a review stands."""

    state: Literal["waiting", "finished", "timed_out", "ended"]
    message: str
    deadline: str | None = None


class ReviewDesk:
    """The decisions of one run's review; safe under threads, and beside other desks over the same log."""

    def __init__(
        self,
        review: Review,
        *,
        log: ReviewLog,
        callbacks: Callbacks,
        store: ObjectStore,
        clock: Callable[[], datetime],
    ) -> None:
        """Sit down at the desk.

        Args:
            review: What is reviewed.
            log: Where decisions are kept.
            callbacks: Lets the run go on.
            store: The bucket, for the run's record.
            clock: Tells the time, with its zone.
        """
        self._review = review
        self._log = log
        self._callbacks = callbacks
        self._store = store
        self._clock = clock
        self._guard = threading.RLock()
        self._decisions: list[Decision] = []
        self._state: State = state_of(review.initial, ())

    def decisions(self, after: int = 0) -> list[Decision]:
        """Return the decisions whose ``seq`` is above ``after``, with everybody's newest."""
        with self._guard:
            self._refresh()
            return self._decisions[after:]

    def state(self) -> State:
        """Return what the decisions come to by now."""
        with self._guard:
            self._refresh()
            return state_of(self._review.initial, self._decisions)

    def decide(self, proposal: Proposal) -> Answer:
        """Add a decision. What somebody else changed meanwhile is left as it is, and told.

        The same proposal again changes nothing, and is answered with the decision that it made.

        Raises:
            ChangeRefusedError: A change asks for what cannot be; nothing of the proposal is done.
            ReviewClosedError: The review takes no more decisions.
        """
        for change in proposal.changes:
            self._review.check(change)
        with self._guard:
            for _ in range(ATTEMPTS):
                self._refresh()
                if made := self._made(proposal.id):
                    return Answer(made)
                self._refuse_closed()
                sound, conflicts = self._state.divided(proposal.changes)
                if not sound:
                    return Answer(None, tuple(conflicts))
                if decision := self._added(proposal, sound):
                    return Answer(decision, tuple(conflicts))
        raise ThrottledError(f"So many people decide on {self._review.run_id} that no number was free. Try again.")

    def finish(self, who: str, decision_id: str, via: Via = "page") -> Status:
        """Close the review and let the run go on.

        Finishing what the same person's same click has finished lets the run go on once more where it still waits.

        Raises:
            ReviewClosedError: Somebody has closed it before, or its time was over, or the run has ended.
        """
        with self._guard:
            for _ in range(ATTEMPTS):
                self._refresh()
                if not self._made(decision_id):
                    self._refuse_closed()
                    self._refuse_ended()
                    proposal = Proposal(decision_id, who, "finish", via)
                    if not self._added(proposal, ()):
                        continue
                self._let_go_on()
                return self.status()
        raise ThrottledError(f"So many people decide on {self._review.run_id} that no number was free. Try again.")

    def status(self) -> Status:
        """Return where the review stands."""
        with self._guard:
            self._refresh()
            gate = self._log.gate(self._review.run_id)
            deadline = gate.deadline.isoformat() if gate else None
            if closed := self._state.closed_by:
                if closed.what == "finish":
                    message = f"{closed.who} finished this review on {_moment(closed.when)}."
                    return Status("finished", f"{message} {self._run_now()}", deadline)
                message = f"The time for this review was over on {_moment(closed.when)}."
                return Status("timed_out", f"{message} {self._run_now()}", deadline)
            if self._is_over():
                return Status("ended", f"The run does not wait for a review. {self._run_now()}", deadline)
            return Status("waiting", "", deadline)

    def _refresh(self) -> None:
        for decision in self._log.read(self._review.run_id, self._state.seq):
            self._state.apply(decision)
            self._decisions.append(decision)

    def _made(self, decision_id: str) -> Decision | None:
        return next((one for one in self._decisions if one.id == decision_id), None)

    def _added(self, proposal: Proposal, changes: Sequence[Change]) -> Decision | None:
        """Add a decision under the next number; None where somebody else's was faster."""
        decision = Decision(
            seq=self._state.seq + 1,
            id=proposal.id,
            who=proposal.who,
            when=self._clock().isoformat(timespec="milliseconds"),
            what=proposal.what,
            via=proposal.via,
            undoes=proposal.undoes,
            changes=tuple(changes),
        )
        try:
            self._log.append(self._review.run_id, decision)
        except SequenceTakenError:
            return None
        self._refresh()
        return decision

    def _refuse_closed(self) -> None:
        if self._state.closed_by:
            raise ReviewClosedError(self.status().message)

    def _refuse_ended(self) -> None:
        if self._is_over():
            raise ReviewClosedError(f"The run does not wait for a review. {self._run_now()}")

    def _let_go_on(self) -> None:
        """Answer the newest token. Where none is valid just now, the run finds the log closed when it looks."""
        tried: set[str] = set()
        for _ in range(TOKENS):
            gate = self._log.gate(self._review.run_id)
            if gate is None or not gate.task_token or gate.task_token in tried:
                return
            tried.add(gate.task_token)
            if self._callbacks.succeed(gate.task_token, {"decisions": self._state.seq}):
                return

    def _is_over(self) -> bool:
        try:
            return read_run(self._store, self._review.run_id).status not in {"running", "in_review"}
        except (KeyError, ValueError):
            return False

    def _run_now(self) -> str:
        """Say in words what became of the run."""
        try:
            run = read_run(self._store, self._review.run_id)
        except (KeyError, ValueError):
            return "The run's record is missing."
        if run.status in {"running", "in_review"}:
            return "The run goes on."
        if run.status == "failed":
            return (
                f"The run failed: {run.error}: {run.cause} Start it again: what was paid for is kept, and so is "
                "what was decided."
            )
        return f"The run is {run.status.replace('_', ' ')}."


def _moment(when: str) -> str:
    return f"{datetime.fromisoformat(when):%Y-%m-%d %H:%M %Z}"
