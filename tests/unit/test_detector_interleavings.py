"""Whatever happens in whatever order: a model that runs need keeps running, and nothing is left billing.

Real leases over fakes. Every call of a port is a place where a function may be overtaken by another one or may
die; runs are stopped, models fail to start, somebody else runs or stops the model, and the clock goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from storycast import names
from storycast.detector_leases import DetectorLeases, end_detectors
from storycast.errors import BillingClosedError, RetryableError
from storycast.plan import make_plan, write_plan
from storycast.settings import Settings
from storycast.teardown import TearDownRequest
from tests.fakes.aws_training import Clock, MemoryBook
from tests.fakes.custom_labels import ARN, MOVE, FakeVersions, MemoryLeaseBook
from tests.fakes.steps import DiedError, Invocation, Stepped
from tests.fakes.store import MemoryStore

FUNCTION_LIMIT = timedelta(seconds=60)
MOST_RUNS = 3


@dataclass
class Execution:
    """A run from its model's start to its release."""

    run_id: str
    state: str = "starting"
    """``starting``, ``extracting``, ``releasing``, ``ended``, ``failed`` or ``stopped``."""
    ready_at: datetime | None = None
    attempts: int = 0
    at_work: Invocation | None = None
    began_at: datetime | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:states:x:1:execution:build:{self.run_id}"

    @property
    def session(self) -> str:
        return names.session_id(self.arn)


class Leases(RuleBasedStateMachine):
    """One model, up to three runs, teardowns and sweeps."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.versions = FakeVersions(self.clock)
        self.leases = MemoryLeaseBook(self.clock)
        self.book = MemoryBook(self.clock)
        self.store = MemoryStore()
        self.runs: list[Execution] = []
        self.others: list[tuple[Invocation, datetime]] = []
        """Functions of teardowns and sweeps, and those that go on although their run is over."""
        self.is_disturbed = False
        """Whether somebody outside touched the model, so that a run may lose it."""
        self.finishing = False

    @initialize(lag_s=st.sampled_from([0, 0, 100]), book_lag_s=st.sampled_from([0, 2]))
    def begin(self, lag_s: int, book_lag_s: int) -> None:
        self.versions.lag = timedelta(seconds=lag_s)
        self.leases = MemoryLeaseBook(self.clock, timedelta(seconds=book_lag_s))
        self.book = MemoryBook(self.clock, timedelta(seconds=book_lag_s))

    # ---- what may happen ----

    @precondition(lambda self: len(self.runs) < MOST_RUNS)
    @rule()
    def a_run_begins(self) -> None:
        one = Execution(f"run{len(self.runs) + 1}")
        write_plan(self.store, make_plan(one.run_id, "p", SETTINGS, []))
        self.runs.append(one)

    @precondition(lambda self: any(one.state in {"starting", "releasing"} for one in self.runs))
    @rule(which=st.integers(0, 5), places=st.sampled_from([1, 2, 5, 100]))
    def a_run_goes_on(self, which: int, places: int) -> None:
        busy = [one for one in self.runs if one.state in {"starting", "releasing"}]
        self._go_on(busy[which % len(busy)], places)

    @precondition(lambda self: any(one.state == "extracting" for one in self.runs))
    @rule(which=st.integers(0, 5))
    def a_run_needs_it_no_more(self, which: int) -> None:
        busy = [one for one in self.runs if one.state == "extracting"]
        busy[which % len(busy)].state = "releasing"

    @precondition(lambda self: any(one.at_work for one in self.runs))
    @rule(which=st.integers(0, 5))
    def a_function_dies(self, which: int) -> None:
        busy = [one for one in self.runs if one.at_work]
        one = busy[which % len(busy)]
        assert one.at_work
        one.at_work.die()
        self._finished(one)

    @precondition(lambda self: any(one.state in {"starting", "extracting", "releasing"} for one in self.runs))
    @rule(which=st.integers(0, 5))
    def a_run_is_stopped(self, which: int) -> None:
        alive = [one for one in self.runs if one.state in {"starting", "extracting", "releasing"}]
        one = alive[which % len(alive)]
        one.state = "stopped"
        if one.at_work:
            assert one.began_at
            self.others.append((one.at_work, one.began_at))
            one.at_work = None
        self._tear_down(one)

    @rule()
    def the_sweep_begins(self) -> None:
        self._other(lambda gate: end_detectors(TearDownRequest(scope="expired"), self._on(gate), self.store))

    @precondition(lambda self: self.others)
    @rule(which=st.integers(0, 9), places=st.sampled_from([1, 3, 100]))
    def another_function_goes_on(self, which: int, places: int) -> None:
        self.others[which % len(self.others)][0].step(places)

    @rule(seconds=st.sampled_from([1, 20, 61, 130, 400]))
    def time_passes(self, seconds: int) -> None:
        self._forward(timedelta(seconds=seconds))

    @rule(fails=st.sampled_from(["", "", "no capacity"]))
    def the_service_moves(self, fails: str) -> None:
        if self.versions.status == "STARTING" and fails:
            self.is_disturbed = True
        self.versions.settle(fails=fails)

    @precondition(lambda self: not self.is_disturbed)
    @rule(starts=st.booleans())
    def somebody_outside_runs_or_stops_it(self, starts: bool) -> None:
        before = self.versions.status
        if starts and self.leases.get(ARN).intended_at is not None:
            return  # Nobody could tell it from the start that one of us means to make.
        if starts:
            self.versions.somebody_starts()
        else:
            self.versions.somebody_stops()
        self.is_disturbed |= self.versions.status != before

    # ---- what always holds ----

    @invariant()
    def a_run_that_extracts_has_its_model(self) -> None:
        if self.is_disturbed:
            return
        for one in self.runs:
            lease = self.leases.get(ARN).lease_of(one.run_id)
            if one.state == "extracting":
                assert lease is not None or self._is_over(one)
                assert self.versions.status == "RUNNING" or self._is_over(one), (one, self.versions)

    @invariant()
    def every_start_has_its_row(self) -> None:
        starts = [call for call in self.versions.calls if call.startswith("start")]
        assert len(starts) <= len(self.book._rows)

    @invariant()
    def what_others_run_is_left_running(self) -> None:
        assert "stop foreign" not in self.versions.calls

    def _is_over(self, one: Execution) -> bool:
        """Whether its lease has outlived its time."""
        return one.ready_at is not None and self.clock.now >= one.ready_at + timedelta(hours=3)

    # ---- the end ----

    def teardown(self) -> None:
        self.finishing = True
        for one in self.runs:
            if one.state == "extracting":
                one.state = "releasing"
        for _ in range(40):
            for one in self.runs:
                if one.state in {"starting", "releasing"}:
                    self._go_on(one, 1000)
                if one.state == "extracting":
                    one.state = "releasing"
            self._everybody_else_finishes()
            self._forward(timedelta(seconds=125))
            self.versions.settle()
        assert all(one.state in {"ended", "failed", "stopped"} for one in self.runs), self.runs
        for _ in range(20):
            self.the_sweep_begins()
            self._everybody_else_finishes()
            self._forward(timedelta(minutes=15))
            self.versions.settle()
        assert not self.versions.is_billed or self.versions.is_foreign, self.versions
        assert list(self.leases.busy()) == []
        assert [row.name for row in self.book.rows() if row.is_open] == []

    def _everybody_else_finishes(self) -> None:
        for one, _ in self.others:
            one.finish()
        self.others = []

    # ---- how functions go ----

    def _on(self, gate: Callable[[str], None]) -> DetectorLeases:
        return DetectorLeases(
            Stepped(self.leases, gate),
            Stepped(self.book, gate),
            Stepped(self.versions, gate),
            now=self.clock.now,
        )

    def _other(self, work: Callable[[Callable[[str], None]], Any]) -> None:
        self.others.append((Invocation(work), self.clock.now))

    def _tear_down(self, one: Execution) -> None:
        def work(gate: Callable[[str], None]) -> Any:
            Stepped(self.book, gate).close(one.run_id, one.session)
            return end_detectors(TearDownRequest(scope="run", run_id=one.run_id), self._on(gate), self.store)

        self._other(work)

    def _go_on(self, one: Execution, places: int) -> None:
        if one.at_work is None:
            plan = make_plan(one.run_id, "p", SETTINGS, [])

            def start(gate: Callable[[str], None]) -> Any:
                return self._on(gate).start(plan, one.arn)["status"]

            def release(gate: Callable[[str], None]) -> Any:
                return self._on(gate).release(ARN, one.run_id, "done")

            one.at_work = Invocation(start if one.state == "starting" else release)
            one.began_at = self.clock.now
        one.at_work.step(places)
        if one.at_work.is_done:
            self._finished(one)

    def _finished(self, one: Execution) -> None:
        assert one.at_work
        answer, error = one.at_work.answer, one.at_work.error
        one.at_work = None
        if isinstance(error, DiedError | RetryableError):
            return
        if isinstance(error, BillingClosedError):
            one.state = "failed"
            self._tear_down(one)
            return
        if error is not None:
            raise error
        if one.state == "starting":
            if answer == "ready":
                one.state, one.ready_at = "extracting", self.clock.now
            elif answer in {"failed", "overdue"}:
                one.state = "failed"
                self._tear_down(one)
        elif not answer:
            one.state = "ended"

    def _forward(self, amount: timedelta) -> None:
        """Functions end with their time limit, whoever waits for them."""
        self.clock.now += amount
        for one in self.runs:
            if one.at_work and one.began_at and self.clock.now - one.began_at >= FUNCTION_LIMIT:
                one.at_work.die()
                self._finished(one)
        for other, began_at in self.others:
            if self.clock.now - began_at >= FUNCTION_LIMIT:
                other.die()
        self.others = [(other, began_at) for other, began_at in self.others if not other.is_done]


SETTINGS = Settings.model_validate({"detection": {"methods": ["custom_labels"], "custom_labels_model": ARN}})
assert MOVE >= FUNCTION_LIMIT, "a function that is about to stop a model sees no second start of it"

TestLeases = Leases.TestCase
TestLeases.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
