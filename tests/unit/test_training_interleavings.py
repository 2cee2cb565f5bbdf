"""Whatever happens in whatever order: nothing is left billing, nothing is paid twice, nothing lacks a row, and an
end that was recorded stays.

Real stages over fakes. Every call of a port is a place where a function may be overtaken by another one or may
die; executions are stopped, events get lost, services move or don't, and the clock goes on.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from storycast.errors import RetryableError
from storycast.failures import FailureEvent
from storycast.training import TrainingPlan
from tests.fakes.steps import DiedError, Invocation
from tests.fakes.trainings import RUN, SETTINGS, Account, ended, execution, session_scope

FUNCTION_LIMIT = timedelta(seconds=120)
MOST_BLOWS = 2
RETRIES = 5
"""Of a state, after errors that name a retry; one of them after the function died."""


@dataclass
class Execution:
    """An execution of ``train_model`` or ``tear_down``: which state it is in, and the function at work for it."""

    number: int
    enter: Callable[["Execution"], tuple[Callable[[Callable[[str], None]], Any], Callable[[Any], str | None]]]
    """Returns the work of the state it is in, and where it goes on with the answer; None ends it."""
    state: str
    status: str = "RUNNING"
    error: str = ""
    is_training: bool = False
    attempts: int = 0
    deaths: int = 0
    wait_until: datetime | None = None
    at_work: Invocation | None = None
    began_at: datetime | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return execution(self.number) if self.is_training else f"arn:aws:states:x:1:execution:t:{self.number}"


class Cloud(Protocol):
    """What a service does while Storycast's functions go on, whichever service it is."""

    @property
    def billed(self) -> list[str]: ...

    @property
    def paid_twice(self) -> list[str]: ...

    @property
    def made(self) -> list[str]:
        """Names of all that was ever made."""

    @property
    def training(self) -> list[str]:
        """Names of the jobs that train now."""

    @property
    def models(self) -> int:
        """How many models were trained."""

    def end_job(self, name: str, status: Any) -> None: ...

    def stop_job(self, name: str) -> None: ...

    def settle(self) -> None:
        """Let stops and deletions take effect, and hosting come into service."""

    def finish_drawings(self, names: Collection[str]) -> None:
        """Let jobs that draw come to their end."""

    def fail_drawing(self, which: int) -> None: ...

    def end_drawings(self) -> None:
        """Somebody does so in the console."""


class BedrockCloud:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._bedrock = account.bedrock

    @property
    def billed(self) -> list[str]:
        return self._bedrock.billed

    @property
    def paid_twice(self) -> list[str]:
        return self._bedrock.paid_twice

    @property
    def made(self) -> list[str]:
        return [*self._bedrock.made("create_job"), *self._bedrock.made("create_hosting")]

    @property
    def training(self) -> list[str]:
        return [job.name for job in self._bedrock.jobs.values() if job.status == "InProgress"]

    @property
    def models(self) -> int:
        return len(self._bedrock.models)

    def end_job(self, name: str, status: Any) -> None:
        self._bedrock.end_job(name, status, "" if status == "Completed" else "x")

    def stop_job(self, name: str) -> None:
        self._account.customizer.stop(self._bedrock.job(name).arn)

    def settle(self) -> None:
        self._bedrock.settle()

    def finish_drawings(self, names: Collection[str]) -> None:
        """Hosting never ends by itself."""

    def fail_drawing(self, which: int) -> None:
        hosted = [one for one in self._bedrock.hostings.values() if one.facts.status == "Creating"]
        if hosted:
            self._bedrock.move_hosting(hosted[which % len(hosted)].facts.name, "Failed", "no capacity")

    def end_drawings(self) -> None:
        for arn in [arn for arn, one in self._bedrock.hostings.items() if one.facts.status == "InService"]:
            self._account.host.delete(arn)


class SageMakerCloud:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._sagemaker = account.sagemaker

    @property
    def billed(self) -> list[str]:
        return self._sagemaker.billed

    @property
    def paid_twice(self) -> list[str]:
        return self._sagemaker.paid_twice

    @property
    def made(self) -> list[str]:
        return self._sagemaker.made("create")

    @property
    def training(self) -> list[str]:
        return self._under_way(is_drawing=False)

    @property
    def models(self) -> int:
        jobs = self._sagemaker.jobs.values()
        return sum(job.status == "Completed" and not job.name.endswith("-h") for job in jobs)

    def end_job(self, name: str, status: Any) -> None:
        self._sagemaker.end(name, status)

    def stop_job(self, name: str) -> None:
        self._account.jobs.stop(name)

    def settle(self) -> None:
        self._sagemaker.settle()

    def finish_drawings(self, names: Collection[str]) -> None:
        for name in set(self._under_way(is_drawing=True)) & set(names):
            self._sagemaker.end(name)

    def fail_drawing(self, which: int) -> None:
        if drawing := self._under_way(is_drawing=True):
            self._sagemaker.end(drawing[which % len(drawing)], "Failed", failure="x", drawn=which % 2)

    def end_drawings(self) -> None:
        for name in self._under_way(is_drawing=True):
            self._account.jobs.stop(name)

    def _under_way(self, *, is_drawing: bool) -> list[str]:
        jobs = self._sagemaker.jobs.values()
        return [job.name for job in jobs if job.status == "InProgress" and job.name.endswith("-h") == is_drawing]


class Interleavings(RuleBasedStateMachine):
    """One account, up to three sessions of two trainings, teardowns and sweeps."""

    project: ClassVar[Mapping[str, Any]] = SETTINGS
    cloud_of: ClassVar[type[BedrockCloud | SageMakerCloud]] = BedrockCloud

    def __init__(self) -> None:
        super().__init__()
        self.account = Account()
        self.cloud: Cloud = self.cloud_of(self.account)
        self.all: list[Execution] = []
        self.orphans: list[tuple[Invocation, datetime]] = []
        """Functions that go on although their execution is over."""
        self.blows = 0
        """How often somebody stopped or tore down; few of them, or nothing ever comes far."""
        self.is_unheard = False
        """Whether the event of an execution's end got lost."""
        self.recorded: dict[str, str] = {}
        """Errors that the run's record told, by the execution that was its newest then."""

    @initialize(list_lag=st.sampled_from([0, 20]), book_lag=st.sampled_from([0, 2]), is_trained=st.booleans())
    def begin(self, list_lag: int, book_lag: int, is_trained: bool) -> None:
        self.account = Account(
            settings=self.project,
            list_lag=timedelta(seconds=list_lag),
            book_lag=timedelta(seconds=book_lag),
        )
        self.cloud = self.cloud_of(self.account)
        if is_trained:  # long ago: the sessions to come draw
            plan = self.account.plan(99, training={"step_count": 100})
            self.account.start(plan)
            self.account.clock.forward(minutes=1)
            self.cloud.end_job(plan.job_name, "Completed")
            assert self.account.look_at_training(plan)["status"] == "Completed"
        self.account.executions.on_stop = self._stop_by_arn
        self.a_session_begins(100, True)

    # ---- what may happen ----

    @precondition(lambda self: sum(one.is_training for one in self.all) < 3)
    @rule(steps=st.sampled_from([100, 100, 200]), draws=st.booleans())
    def a_session_begins(self, steps: int, draws: bool) -> None:
        number = len(self.all) + 1
        request: dict[str, Any] = {"training": {"step_count": steps}}
        if not draws:
            request["storyboard"] = {"prompts": []}
        self.all.append(
            Execution(number, self._enter_training, "plan", is_training=True, facts={"request": request})
        )

    @precondition(lambda self: self.all)
    @rule(which=st.integers(0, 20), places=st.sampled_from([1, 3, 10]))
    def an_execution_goes_on(self, which: int, places: int) -> None:
        running = [one for one in self.all if one.status == "RUNNING"]
        if running:
            self._go_on(running[which % len(running)], places)

    @rule(which=st.integers(0, 20), waits=st.booleans())
    def a_function_ends(self, which: int, waits: bool) -> None:
        running = [one for one in self.all if one.status == "RUNNING"]
        if running:
            one = running[which % len(running)]
            if waits and one.wait_until is not None:
                self._forward(max(one.wait_until - self.account.clock.now, timedelta()))
            self._go_on(one, 1000)

    @precondition(lambda self: self.orphans)
    @rule(which=st.integers(0, 20), places=st.sampled_from([1, 5, 100]))
    def an_orphan_goes_on(self, which: int, places: int) -> None:
        self.orphans[which % len(self.orphans)][0].step(places)

    @precondition(lambda self: any(one.at_work for one in self.all))
    @rule(which=st.integers(0, 20))
    def a_function_dies(self, which: int) -> None:
        busy = [one for one in self.all if one.at_work]
        one = busy[which % len(busy)]
        assert one.at_work
        one.at_work.die()
        self._finished(one)

    @rule(seconds=st.sampled_from([1, 10, 60, 125, 400, 9000]))
    def time_passes(self, seconds: int) -> None:
        self._forward(timedelta(seconds=seconds))

    @rule(which=st.integers(0, 20), status=st.sampled_from(["Completed", "Completed", "Failed"]))
    def a_job_ends(self, which: int, status: Any) -> None:
        if jobs := self.cloud.training:
            self.cloud.end_job(jobs[which % len(jobs)], status)

    @rule()
    def the_service_settles(self) -> None:
        self.cloud.settle()

    @rule()
    def drawings_are_done(self) -> None:
        self.cloud.finish_drawings(self.cloud.made)

    @rule(which=st.integers(0, 20))
    def what_draws_fails(self, which: int) -> None:
        self.cloud.fail_drawing(which)

    @rule(which=st.integers(0, 20))
    def somebody_stops_a_job_in_the_console(self, which: int) -> None:
        if jobs := self.cloud.training:
            self.cloud.stop_job(jobs[which % len(jobs)])

    @rule()
    def somebody_ends_what_draws_in_the_console(self) -> None:
        self.cloud.end_drawings()

    @precondition(lambda self: self.blows < MOST_BLOWS and any(one.status == "RUNNING" for one in self.all))
    @rule(which=st.integers(0, 20), is_heard=st.booleans())
    def somebody_stops_an_execution(self, which: int, is_heard: bool) -> None:
        running = [one for one in self.all if one.status == "RUNNING" and one.is_training]
        if running:
            self.blows += 1
            self.is_unheard |= not is_heard
            self._stop(running[which % len(running)], is_heard=is_heard)

    @precondition(lambda self: self.blows < MOST_BLOWS)
    @rule(request=st.sampled_from([{"scope": "run", "run_id": RUN}, {"scope": "all"}]))
    def a_teardown_begins(self, request: dict[str, Any]) -> None:
        self.blows += 1
        self._tear_down(request)

    @precondition(lambda self: sum(one.status == "RUNNING" for one in self.all) < 6)
    @rule()
    def the_sweep_begins(self) -> None:
        self._tear_down({"scope": "expired"})

    # ---- the end ----

    def teardown(self) -> None:
        """Let everything come to its end, and look."""
        for turn in range(200):
            if turn % 8 == 7:
                self._tear_down({"scope": "expired"})
            self._everything_goes_on()
            if not any(one.status == "RUNNING" for one in self.all):
                break
        self.every_call_of_the_service_has_a_row()
        if not self.is_unheard:
            self._sweep_for(timedelta(hours=1))
            assert self.cloud.billed == [], "the events of the executions and three sweeps end it all"
        self._forward(timedelta(hours=80))
        self._sweep_for(timedelta(hours=1))
        assert not any(one.status == "RUNNING" for one in self.all)
        assert self.cloud.billed == []
        assert [row.name for row in self.account.book.rows() if row.is_open] == []
        assert self.cloud.paid_twice == []
        recorded = [key for key in self.account.store.keys("projects/") if key.endswith("/model.json")]
        assert len(recorded) == self.cloud.models, "what was paid for is written down"
        run = self.account.run()
        if (error := self.recorded.get(run.training_execution_arn or "")) is not None:
            assert (run.status, run.error) == ("dataset_ready", error), "nobody takes back how it ended"

    def _everything_goes_on(self) -> None:
        for one in list(self.all):
            if one.status == "RUNNING":
                self._go_on(one, 1000)
        for orphan, _ in self.orphans:
            orphan.finish()
        self.cloud.settle()
        for name in self.cloud.training:
            if name.rsplit("-", 1)[0] in self._wanted():
                self.cloud.end_job(name, "Completed")
        waiting = [one for one in self.all if one.status == "RUNNING" and "plan" in one.facts]
        self.cloud.finish_drawings([one.facts["plan"].hosting_name for one in waiting])
        self._forward(timedelta(seconds=125))

    def _sweep_for(self, how_long: timedelta) -> None:
        until = self.account.clock.now + how_long
        while self.account.clock.now < until:
            self._tear_down({"scope": "expired"})
            for _ in range(8):
                self._everything_goes_on()

    def _wanted(self) -> set[str]:
        """Trainings that somebody waits for."""
        waiting = [one for one in self.all if one.status == "RUNNING" and "training_id" in one.facts]
        return {f"{RUN}-{one.facts['training_id']}" for one in waiting}

    def every_call_of_the_service_has_a_row(self) -> None:
        for name in self.cloud.made:
            assert self.account.book.row(name), name

    # ---- how executions go ----

    def _forward(self, amount: timedelta) -> None:
        """Functions end with their time limit, whoever waits for them."""
        self.account.clock.now += amount
        now = self.account.clock.now
        for one in self.all:
            if one.at_work and one.began_at and now - one.began_at >= FUNCTION_LIMIT:
                one.at_work.die()
                self._finished(one)
        for orphan, began_at in self.orphans:
            if now - began_at >= FUNCTION_LIMIT:
                orphan.die()
        self.orphans = [(orphan, began_at) for orphan, began_at in self.orphans if not orphan.is_done]

    def _go_on(self, one: Execution, places: int) -> None:
        if one.wait_until is not None:
            if self.account.clock.now < one.wait_until:
                return
            one.wait_until = None
        if one.at_work is None:
            work, one.facts["then"] = one.enter(one)
            one.at_work, one.began_at = Invocation(work), self.account.clock.now
        one.at_work.step(places)
        if one.at_work and one.at_work.is_done:
            self._finished(one)

    def _finished(self, one: Execution) -> None:
        assert one.at_work
        answer, error = one.at_work.answer, one.at_work.error
        one.at_work = None
        if one.status != "RUNNING":
            return
        if isinstance(error, DiedError | RetryableError):
            one.attempts += 1
            one.deaths += isinstance(error, DiedError)
            if one.attempts <= RETRIES and one.deaths <= 1:
                return
        elif isinstance(error, AssertionError | TypeError | AttributeError | KeyError):
            raise error
        if error is not None:
            one.facts.get("catch", lambda: None)()
            self._end(one, "FAILED", type(error).__name__)
            return
        one.attempts = one.deaths = 0
        following = one.facts["then"](answer)
        if following is None:
            one.status = "SUCCEEDED"
        elif following.startswith("fail:"):
            self._end(one, "FAILED", following.removeprefix("fail:"))
        else:
            one.state = following

    def _end(self, one: Execution, status: str, error: str, *, is_heard: bool = True) -> None:
        one.status, one.error = status, error
        if one.is_training and is_heard:
            number = len(self.all) + 1
            arn = one.arn

            def enter(_: Execution) -> Any:
                def then(request: Any) -> str | None:
                    if request.scope == "none":
                        return None
                    run = self.account.run()
                    if run.training_execution_arn == arn and run.error == error:
                        self.recorded[arn] = error
                    self._tear_down(request.model_dump(mode="json"))
                    return None

                return (lambda gate: self.account.failed(arn, gate, status=status, error=error)), then

            def otherwise() -> None:
                self._tear_down(FailureEvent(detail=ended(arn, status=status, error=error)))

            self.all.append(Execution(number, enter, "record", facts={"catch": otherwise}))

    def _stop(self, one: Execution, *, is_heard: bool) -> None:
        """Stop an execution; the function that is at work for it goes on."""
        if one.status != "RUNNING":
            return
        if one.at_work:
            assert one.began_at
            self.orphans.append((one.at_work, one.began_at))
            one.at_work = None
        self._end(one, "ABORTED", "Aborted", is_heard=is_heard)

    def _stop_by_arn(self, arn: str) -> None:
        for one in list(self.all):
            if one.is_training and one.arn == arn:
                self._stop(one, is_heard=True)

    def _tear_down(self, request: dict[str, Any] | FailureEvent) -> Execution:
        began_at = self.account.clock.now

        def enter(one: Execution) -> Any:
            def work(gate: Callable[[str], None]) -> Any:
                return self.account.tear_down(request, gate, started_at=began_at, execution_arn=one.arn)

            def then(answer: Any) -> str | None:
                if answer["status"] == "ended":
                    return None
                if answer["status"] == "overdue":
                    return "fail:StillBillingError"
                one.wait_until = self.account.clock.now + timedelta(seconds=120)
                return "end"

            return work, then

        one = Execution(len(self.all) + 1, enter, "end")
        self.all.append(one)
        return one

    def _enter_training(self, one: Execution) -> Any:
        account = self.account
        if one.state == "plan":

            def planned(checked: Any) -> str | None:
                one.facts.update(checked)
                one.facts["plan"] = account.plan_of(checked)
                return {"train": "start", "host": "provision"}.get(checked["start_with"])

            return (lambda gate: account.check(one.number, gate, **one.facts["request"])), planned
        plan: TrainingPlan = one.facts["plan"]
        if one.state == "start":
            return (lambda gate: account.start(plan, gate)), self._waited(one, "look")
        if one.state == "look":
            return (lambda gate: account.look_at_training(plan, gate)), self._after_training(one)
        if one.state == "provision":
            return (lambda gate: account.provision(plan, gate)), self._waited(one, "serve")
        if one.state == "serve":
            return (lambda gate: account.look_at_hosting(plan, gate)), self._after_hosting(one)
        assert one.state == "end"

        def work(gate: Callable[[str], None]) -> Any:
            began_at = one.facts.setdefault("ending", account.clock.now)
            return account.tear_down(session_scope(plan), gate, started_at=began_at, execution_arn="arn:own")

        def then(answer: Any) -> str | None:
            return None if answer["status"] == "ended" else self._waited(one, "end")(answer)

        return work, then

    def _waited(self, one: Execution, state: str) -> Callable[[Any], str | None]:
        def then(_: Any) -> str:
            one.wait_until = self.account.clock.now + timedelta(seconds=120)
            return state

        return then

    def _after_training(self, one: Execution) -> Callable[[Any], str | None]:
        def then(answer: Any) -> str | None:
            status = answer["status"]
            if status == "Completed":
                return "provision" if one.facts["draws"] else None
            if status == "Vanished":
                return "start"
            if status in {"InProgress", "Stopping"}:
                return self._waited(one, "look")(answer)
            return f"fail:Training{status}Error"

        return then

    def _after_hosting(self, one: Execution) -> Callable[[Any], str | None]:
        def then(answer: Any) -> str | None:
            if answer["status"] == "InService":
                return "end"
            if answer["status"] in {"Creating", "Updating"}:
                return self._waited(one, "serve")(answer)
            return f"fail:Hosting{answer['status']}Error"

        return then


class LoraInterleavings(Interleavings):
    """The same on SageMaker, whose names serve once and whose jobs end by themselves."""

    project: ClassVar[Mapping[str, Any]] = {
        **SETTINGS,
        "training": {**SETTINGS["training"], "target": "sagemaker"},
    }
    cloud_of = SageMakerCloud


LIMITS = settings(max_examples=80, stateful_step_count=60, suppress_health_check=list(HealthCheck))
Interleavings.TestCase.settings = LIMITS
LoraInterleavings.TestCase.settings = LIMITS
TestInterleavings = pytest.mark.filterwarnings("error")(Interleavings.TestCase)
TestLoraInterleavings = pytest.mark.filterwarnings("error")(LoraInterleavings.TestCase)
