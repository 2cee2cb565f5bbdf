"""A Custom Labels model runs while a run needs it, and not longer: by hand, case by case."""

from datetime import timedelta
from typing import Any

import boto3
import pytest

from storycast import names
from storycast.adapters.lease_book import DynamoLeaseBook
from storycast.billing import Billed
from storycast.custom_labels import (
    BILLED,
    START_DEADLINE,
    START_GRACE,
    START_LAG,
    STARTABLE,
    UNUSABLE,
    VERSION_STATUSES,
    Lease,
    LeaseBook,
    LeaseChangedError,
    ModelLeases,
    billed_name,
)
from storycast.detector_leases import DetectorLeases, end_detectors
from storycast.errors import BillingClosedError
from storycast.plan import RunPlan, make_plan
from storycast.settings import Settings
from storycast.teardown import TearDownRequest
from tests.fakes.aws_training import START, Clock, MemoryBook
from tests.fakes.custom_labels import ARN, MOVE, FakeVersions, MemoryLeaseBook
from tests.fakes.steps import DiedError, DiesAt, Meanwhile, Stepped
from tests.fakes.store import MemoryStore
from tests.fakes.tables import create_billing_table


def plan_of(run_id: str) -> RunPlan:
    detection = {"methods": ["custom_labels"], "custom_labels_model": ARN, "custom_labels_units": 2}
    return make_plan(run_id, "p", Settings.model_validate({"detection": detection}), [])


def execution(run_id: str) -> str:
    return f"arn:aws:states:us-east-1:123456789012:execution:storycast-build-dataset:{run_id}"


class Account:
    """A model with its leases, and the book of what is billed."""

    def __init__(self, **version: Any) -> None:
        self.clock = Clock()
        self.versions = FakeVersions(self.clock, **version)
        self.leases = MemoryLeaseBook(self.clock)
        self.book = MemoryBook(self.clock)

    def on(self, gate: Any = lambda _: None) -> DetectorLeases:
        return DetectorLeases(
            Stepped(self.leases, gate),
            Stepped(self.book, gate),
            Stepped(self.versions, gate),
            now=self.clock.now,
        )

    def start(self, run_id: str = "one", gate: Any = lambda _: None) -> str:
        return str(self.on(gate).start(plan_of(run_id), execution(run_id))["status"])

    def told(self, run_id: str = "one") -> tuple[str, str]:
        answer = self.on().start(plan_of(run_id), execution(run_id))
        return answer["status"], answer["message"]

    def release(self, run_id: str = "one", gate: Any = lambda _: None) -> str:
        return self.on(gate).release(ARN, run_id, "done")

    def sweep(self) -> dict[str, str]:
        return end_detectors(TearDownRequest(scope="expired"), self.on(), MemoryStore())

    def moves(self, *, fails: str = "") -> None:
        self.clock.forward(seconds=MOVE.total_seconds())
        self.versions.settle(fails=fails)

    def runs(self, *run_ids: str) -> None:
        for run_id in run_ids:
            self.start(run_id)
        self.moves()
        assert [self.start(run_id) for run_id in run_ids] == ["ready"] * len(run_ids)

    @property
    def states(self) -> list[str]:
        return [row.state for row in self.book.rows()]


def test_the_statuses_are_those_of_the_service() -> None:
    client = boto3.client("rekognition", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    shape: Any = client.meta.service_model.shape_for("ProjectVersionStatus")
    assert set(shape.enum) == VERSION_STATUSES
    assert STARTABLE | BILLED | UNUSABLE == VERSION_STATUSES
    assert not STARTABLE & BILLED


def test_a_model_is_started_awaited_and_stopped_for_one_run() -> None:
    account = Account()
    assert account.told() == ("waiting", f"{ARN}: it is being started")
    row = account.book.row(billed_name(ARN, 1))
    assert row is not None
    assert (row.kind, row.state, row.model_units, row.arn, row.run_id) == (
        "custom_labels_model",
        "live",
        2,
        ARN,
        "one",
    )
    assert row.expires_at == START + timedelta(hours=4)
    assert account.start() == "waiting"
    account.moves()
    assert account.told() == ("ready", f"{ARN} runs")
    assert account.release() == "STOPPING"
    assert account.states == ["ending"]
    account.moves()
    assert account.release() == ""
    assert account.versions.calls == ["start 2", "stop"]
    (row,) = account.book.rows()
    assert (row.state, row.ended_at, row.reason) == ("ended", account.clock.now, "done")
    assert list(account.leases.busy()) == []


def test_the_last_of_two_overlapping_runs_stops_it() -> None:
    account = Account()
    account.runs("one", "two")
    assert account.release("one") == ""
    assert account.versions.status == "RUNNING"
    assert account.start("three") == "ready"
    assert account.release("two") == ""
    assert account.versions.status == "RUNNING"
    assert account.release("three") == "STOPPING"
    assert account.versions.calls == ["start 2", "stop"]
    assert len(account.book.rows()) == 1


def test_who_comes_while_it_is_being_stopped_waits_and_starts_it_again() -> None:
    account = Account()
    account.runs("one")
    assert account.release("one") == "STOPPING"
    assert account.told("two") == ("waiting", f"{ARN}: it is still being stopped after another run")
    assert account.release("one") == "STOPPING", "the run that is over asks again"
    account.moves()
    assert account.start("two") == "waiting"
    account.moves()
    assert account.start("two") == "ready"
    assert account.release("one") == "", "its lease is long gone, and two has one"
    assert account.versions.calls == ["start 2", "stop", "start 2"]
    assert account.states == ["ended", "live"]


def test_a_lease_is_never_lost_between_the_decision_to_stop_and_the_stop() -> None:
    account = Account()
    account.runs("one")
    joins = Meanwhile("before stop", lambda: account.start("two"))
    account.release("one", joins)
    assert joins.has_happened
    account.moves()
    assert account.start("two") == "waiting"
    account.moves()
    assert account.start("two") == "ready"
    joins = Meanwhile("before put", lambda: account.start("two"))
    other = Account()
    other.runs("one")
    joins = Meanwhile("before put", lambda: other.start("two"))
    assert other.release("one", joins) == "", "two came first, so that one was not the last"
    assert other.versions.status == "RUNNING"


def test_one_that_fails_to_start_is_told_and_bills_nothing() -> None:
    account = Account()
    account.start("one")
    account.start("two")
    account.moves(fails="Insufficient capacity")
    for run_id in ("one", "two"):
        status, message = account.told(run_id)
        assert status == "failed"
        assert "did not start: Insufficient capacity" in message
    assert account.states == ["ended"]
    assert list(account.leases.busy()) == []
    assert account.start("three") == "waiting", "a later run tries again"
    assert account.versions.calls == ["start 2", "start 2"]


def test_one_that_the_service_refuses_to_start_is_told() -> None:
    account = Account(refuses="StartProjectVersion: LimitExceededException: 2 inference units")
    status, message = account.told()
    assert (status, "LimitExceededException" in message) == ("failed", True)
    assert account.states == ["ended"]
    assert list(account.leases.busy()) == []


@pytest.mark.parametrize("status", sorted(UNUSABLE))
def test_one_that_can_not_run_is_never_started(status: Any) -> None:
    account = Account(status=status, message="why")
    answer, message = account.told()
    assert answer == "failed"
    assert status in message
    assert "why" in message
    assert account.versions.calls == []
    assert account.book.rows() == []


def test_one_that_is_not_there_is_told() -> None:
    status, message = Account(is_gone=True).told()
    assert status == "failed"
    assert "detection.custom_labels_model" in message


@pytest.mark.parametrize("status", sorted(STARTABLE))
def test_whatever_can_be_started_is(status: Any) -> None:
    account = Account(status=status)
    account.runs("one")
    assert account.versions.calls == ["start 2"]


def test_one_that_somebody_else_runs_is_used_and_left_running() -> None:
    account = Account()
    account.versions.somebody_starts()
    assert account.start("one") == "ready"
    assert account.release("one") == ""
    assert account.versions.status == "RUNNING"
    assert account.book.rows() == []
    account.start("one")
    account.versions.somebody_stops()
    assert account.start("one") == "waiting", "whoever ran it has stopped it: now it is ours to start"
    account.moves()
    account.start("one")
    assert account.release("one") == "STOPPING"


def test_one_that_somebody_stops_while_runs_need_it_is_told() -> None:
    account = Account()
    account.runs("one")
    account.versions.somebody_stops()
    status, message = account.told()
    assert (status, "somebody stopped it" in message) == ("failed", True)
    assert account.states == ["ended"]


def test_one_that_never_comes_up_is_overdue_and_given_up() -> None:
    account = Account()
    account.start()
    account.clock.now += START_DEADLINE
    status, message = account.told()
    assert (status, "did not run within 1 hours" in message) == ("overdue", True)
    assert account.states == ["ending"], "a model that is starting can't be stopped yet"
    account.moves()
    assert account.sweep() == {ARN: "STOPPING"}
    account.moves()
    assert account.sweep() == {}
    assert account.states == ["ended"]


def test_a_status_of_before_the_start_is_not_believed() -> None:
    account = Account(lag=timedelta(minutes=3), status="FAILED", message="of yesterday")
    assert account.start() == "waiting"
    assert account.start() == "waiting", "it still is said to have failed, which it had before"
    assert account.versions.calls == ["start 2"]
    assert account.release() == "FAILED", "it may be starting"
    account.clock.forward(seconds=180)
    assert account.release() == "STARTING"
    account.moves()
    assert account.sweep() == {ARN: "STOPPING"}
    account.moves()
    assert account.sweep() == {}


def test_one_that_never_says_that_it_starts_is_not_waited_for_forever() -> None:
    account = Account(lag=timedelta(days=1))
    account.start()
    account.clock.now += START_LAG
    assert account.told()[0] == "failed"


def test_a_lease_that_has_expired_is_swept_and_the_others_stay() -> None:
    account = Account()
    account.runs("one")
    account.clock.forward(hours=2)
    assert account.start("two") == "ready"
    account.clock.forward(hours=2)
    assert account.sweep() == {}
    assert [lease.run_id for lease in account.leases.get(ARN).leases] == ["two"]
    account.clock.forward(hours=2)
    assert account.sweep() == {ARN: "STOPPING"}
    account.moves()
    assert account.sweep() == {}
    assert account.states == ["ended"]


def test_a_teardown_of_all_takes_all_leases_back() -> None:
    account = Account()
    account.runs("one", "two")
    told = end_detectors(TearDownRequest(scope="all"), account.on(), MemoryStore())
    assert told == {ARN: "STOPPING"}


def test_a_run_that_was_torn_down_gets_no_lease() -> None:
    account = Account()
    account.book.close("one", names.session_id(execution("one")))
    with pytest.raises(BillingClosedError):
        account.start("one")
    assert list(account.leases.busy()) == []
    assert account.versions.calls == []


def test_a_teardown_between_the_intent_and_the_call_keeps_the_call_from_being_made() -> None:
    account = Account()

    def torn_down() -> None:
        account.book.close("one", names.session_id(execution("one")))
        account.release("one")

    with pytest.raises(BillingClosedError):
        account.start("one", Meanwhile("before intend", torn_down))
    assert account.versions.calls == []
    assert account.states == ["ended"]
    assert list(account.leases.busy()) == []


def test_a_start_that_comes_after_the_teardown_is_found_and_stopped() -> None:
    account = Account()
    torn_down = Meanwhile("before start", lambda: account.release("one"))
    with pytest.raises(BillingClosedError):
        account.start("one", torn_down)
    assert account.versions.status == "STARTING"
    assert account.sweep() == {ARN: "STARTING"}
    account.moves()
    assert account.sweep() == {ARN: "STOPPING"}
    account.moves()
    assert account.sweep() == {}
    assert account.states == ["ended"]


@pytest.mark.parametrize("place", range(40))
def test_a_function_that_dies_anywhere_leaves_a_model_that_comes_up_and_goes_down(place: int) -> None:
    account = Account()
    gate = DiesAt(place)
    try:
        account.start("one", gate)
    except DiedError:
        assert gate.died_at
    for _ in range(4):
        account.moves()
        if account.start("one") == "ready":
            break
    else:
        pytest.fail("it never came up")
    assert [call for call in account.versions.calls if call.startswith("start")] == ["start 2"]
    gate = DiesAt(place)
    try:
        account.release("one", gate)
    except DiedError:
        assert gate.died_at
    for _ in range(8):
        account.moves()
        account.release("one")
    assert account.versions.status == "STOPPED"
    assert set(account.states) == {"ended"}
    assert list(account.leases.busy()) == []


def test_another_run_starts_it_when_the_starter_has_died() -> None:
    account = Account()
    with pytest.raises(DiedError):
        account.start("one", DiesAt(12))
    assert account.versions.calls == []
    assert account.leases.get(ARN).starter == "one"
    assert account.told("two") == ("waiting", f"{ARN}: the run one starts it")
    account.clock.now += START_GRACE
    assert account.start("two") == "waiting"
    assert account.versions.calls == ["start 2"]
    account.moves()
    assert account.start("two") == "ready"


# ---- the rows -------------------------------------------------------------------------------------


@pytest.fixture(params=["fake", "dynamodb"])
def lease_book(request: pytest.FixtureRequest) -> LeaseBook:
    if request.param == "fake":
        return MemoryLeaseBook(Clock())
    request.getfixturevalue("aws")
    dynamodb = boto3.client("dynamodb", region_name="us-east-1")
    create_billing_table(dynamodb, "table")
    return DynamoLeaseBook("table", dynamodb)


LEASE = Lease(
    run_id="one",
    session_id="0a1b2c",
    execution_arn="e",
    acquired_at=START,
    expires_at=START + timedelta(hours=1),
)


def test_a_row_is_written_in_place_of_one_version_alone(lease_book: LeaseBook) -> None:
    first = lease_book.get(ARN)
    assert first == ModelLeases(arn=ARN)
    taken = lease_book.put(first.acquired(LEASE))
    assert lease_book.get(ARN) == taken
    assert taken.version == 1
    for stale in (first, first.acquired(LEASE)):
        with pytest.raises(LeaseChangedError):
            lease_book.put(stale)
    intended = lease_book.put(taken.intended("one", START))
    with pytest.raises(LeaseChangedError):
        lease_book.put(taken.released("one"))
    assert lease_book.get(ARN) == intended


def test_models_that_nobody_needs_are_not_busy(lease_book: LeaseBook) -> None:
    assert list(lease_book.busy()) == []
    row = lease_book.put(lease_book.get(ARN).acquired(LEASE))
    assert list(lease_book.busy()) == [ARN]
    stopping = lease_book.put(row.intended("one", START).released("one"))
    assert stopping.state == "stopping"
    assert list(lease_book.busy()) == [ARN]
    lease_book.put(stopping.stopped())
    assert list(lease_book.busy()) == []
    assert lease_book.get(ARN).generation == 1


def test_the_book_takes_a_model(lease_book: LeaseBook) -> None:
    row = Billed(
        name="x",
        kind="custom_labels_model",
        run_id="r",
        session_id="0a1b2c",
        execution_arn="e",
        state="intended",
        intended_at=START,
        expires_at=START,
    )
    assert row.training_id == ""
    assert not row.is_training
