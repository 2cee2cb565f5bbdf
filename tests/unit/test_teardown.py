"""Ending what is billed: each status, each scope, whatever died before; and what is told and written down."""

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from storycast import keys
from storycast.billing import INTENT_GRACE
from storycast.errors import DependencyUnavailableError, RequestInvalidError, ThrottledError
from storycast.failures import FailureEvent
from storycast.runs import change_run
from storycast.stages.end_billed import ABANDONED, PATIENCE
from storycast.teardown import TearDownRequest
from storycast.training import TrainingPlan
from tests.fakes.aws_training import START, Clock, FakeBedrock, FakeHost
from tests.fakes.steps import DiedError, DiesAt, Invocation, Meanwhile
from tests.fakes.trainings import (
    BUILT_BY,
    RUN,
    TEARDOWN,
    Account,
    ended,
    execution,
    session_of,
    session_scope,
)

RUN_SCOPE = {"scope": "run", "run_id": RUN, "reason": "somebody asked for it"}
SWEEP = {"scope": "expired", "reason": "its time is over"}


@pytest.fixture
def account() -> Account:
    return Account()


def _started(account: Account, number: int = 1, **request: Any) -> TrainingPlan:
    plan = account.plan(number, **request)
    account.start(plan)
    return plan


# ---- each status of a job -------------------------------------------------------------------------


def test_a_running_job_is_stopped_and_waited_for(account: Account) -> None:
    plan = _started(account)
    first = account.tear_down(session_scope(plan))
    assert first["status"] == "ending"
    assert plan.job_name in first["message"]
    assert account.bedrock.job(plan.job_name).status == "Stopping"
    assert account.tear_down(session_scope(plan))["status"] == "ending"
    account.bedrock.settle()
    assert account.tear_down(session_scope(plan))["status"] == "ended"
    assert account.bedrock.made("stop_job") == [plan.job_name], "a job that is stopping is not stopped again"
    assert account.claims.holders == {}
    assert account.book.history[-2:] == [(plan.job_name, "ending"), (plan.job_name, "ended")]
    assert account.tear_down(session_scope(plan)) == {"status": "ended", "message": "nothing was billed"}


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_job_that_has_ended_needs_no_stop(account: Account, status: Any) -> None:
    plan = _started(account)
    account.bedrock.end_job(plan.job_name, status)
    assert account.tear_down(session_scope(plan))["status"] == "ended"
    assert account.bedrock.made("stop_job") == []
    assert account.claims.holders == {}


def test_a_finished_job_keeps_its_model(account: Account) -> None:
    plan = _started(account)
    account.clock.forward(hours=1)
    account.bedrock.end_job(plan.job_name)
    account.clock.forward(hours=1)
    assert account.tear_down(session_scope(plan))["status"] == "ended"
    assert account.trained(plan) is not None
    assert account.book.row(plan.job_name).ended_at == START + timedelta(hours=1)  # type: ignore[union-attr]
    assert account.check(2)["start_with"] == "host"


def test_a_job_that_vanished_has_ended(account: Account) -> None:
    plan = _started(account)
    account.bedrock.jobs.clear()
    assert account.tear_down(session_scope(plan))["status"] == "ended"
    assert account.claims.holders == {}


def test_a_status_that_nobody_knows_is_stopped_and_waited_for(account: Account) -> None:
    plan = _started(account)
    account.bedrock.end_job(plan.job_name, "Paused")  # type: ignore[arg-type]
    ended_ = account.tear_down(session_scope(plan))
    assert (ended_["status"], "Paused" in ended_["message"]) == ("ending", True)


# ---- each status of hosting -----------------------------------------------------------------------


@pytest.mark.parametrize("status", ["InService", "Failed"])
def test_hosting_is_deleted_and_waited_for(account: Account, status: Any) -> None:
    plan = account.to_hosted()
    account.bedrock.move_hosting(plan.hosting_name, status)
    first = account.tear_down(session_scope(plan))
    assert (first["status"], plan.hosting_name in first["message"]) == ("ending", True)
    account.bedrock.settle()
    assert account.tear_down(session_scope(plan))["status"] == "ended"
    assert account.bedrock.made("delete_hosting") == [plan.hosting_name]
    assert account.bedrock.billed == []


@pytest.mark.parametrize("status", ["Creating", "Updating"])
def test_hosting_that_cannot_be_deleted_yet_is_asked_again(account: Account, status: Any) -> None:
    plan = account.to_hosted()
    account.bedrock.move_hosting(plan.hosting_name, status)
    assert account.tear_down(session_scope(plan))["status"] == "ending"
    assert account.torn_down(session_scope(plan))["status"] == "ended"
    assert account.bedrock.billed == []


def test_hosting_that_somebody_deleted_has_ended(account: Account) -> None:
    plan = account.to_hosted()
    account.host.delete(account.bedrock.hosting(plan.hosting_name).arn)
    account.bedrock.settle()
    assert account.tear_down(session_scope(plan))["status"] == "ended"


# ---- intents --------------------------------------------------------------------------------------


def _dies(work: Any, place: int) -> bool:
    try:
        work(DiesAt(place))
    except DiedError:
        return True
    return False


@pytest.mark.parametrize("lag_s", [0, 60])
def test_a_session_whose_start_died_anywhere_is_ended(lag_s: int) -> None:
    for place in range(100):
        account = Account(list_lag=timedelta(seconds=lag_s))
        plan = account.plan()
        died = _dies(lambda gate, a=account, p=plan: a.start(p, gate), place)
        assert account.torn_down(session_scope(plan))["status"] == "ended"
        assert account.bedrock.billed == [], place
        assert account.claims.holders == {}
        for name in account.bedrock.made("create_job"):
            row = account.book.row(name)
            assert row
            assert row.created_at is not None, "what was made is paid for, and so it is counted"
        if not died:
            return
    raise AssertionError("it never came to its end")


def test_a_session_whose_hosting_died_anywhere_is_ended() -> None:
    for place in range(100):
        account = Account()
        plan = account.to_trained()
        died = _dies(lambda gate, a=account, p=plan: a.provision(p, gate), place)
        assert account.torn_down(session_scope(plan))["status"] == "ended"
        assert account.bedrock.billed == [], place
        for row in map(account.book.row, account.bedrock.made("create_hosting")):
            assert row
            assert row.created_at is not None
        if not died:
            return
    raise AssertionError("it never came to its end")


def test_an_intent_without_a_resource_is_waited_for(account: Account) -> None:
    plan = account.plan()
    assert _dies(lambda gate: account.start(plan, gate), 7)
    assert account.bedrock.calls == []
    assert account.book.row(plan.job_name).state == "intended"  # type: ignore[union-attr]
    first = account.tear_down(session_scope(plan))
    assert (first["status"], "may still be made" in first["message"]) == ("ending", True)
    account.clock.now = START + INTENT_GRACE - timedelta(seconds=1)
    assert account.tear_down(session_scope(plan))["status"] == "ending"
    account.clock.now = START + INTENT_GRACE
    assert account.tear_down(session_scope(plan))["status"] == "ended"


def test_the_grace_counts_from_the_last_intent(account: Account) -> None:
    """A slow function of the fourth attempt makes the job minutes after the first one meant to."""
    plan = account.plan()
    assert _dies(lambda gate: account.start(plan, gate), 7)
    account.clock.now = START + INTENT_GRACE - timedelta(seconds=5)
    slow = Invocation(lambda gate: account.start(plan, gate))
    while account.book.row(plan.job_name).intended_at == START:  # type: ignore[union-attr]
        slow.step()
    account.clock.now = START + INTENT_GRACE + timedelta(seconds=5)
    assert account.tear_down(session_scope(plan))["status"] == "ending"
    slow.finish()
    assert account.bedrock.made("create_job") == [plan.job_name]
    assert account.torn_down(session_scope(plan))["status"] == "ended"
    assert account.bedrock.billed == []


@pytest.mark.parametrize("lag_s", [0, 2])
def test_a_start_that_is_under_way_when_the_session_is_torn_down_leaves_nothing(lag_s: int) -> None:
    """Stopping an execution stops no function: it goes on from wherever it was."""
    for place in range(100):
        account = Account(book_lag=timedelta(seconds=lag_s))
        plan = account.plan()
        slow = Invocation(partial(account.start, plan))
        slow.step(place)
        was_done = slow.is_done
        first = account.tear_down(session_scope(plan))
        slow.finish()
        if first["status"] == "ending":
            account.torn_down(session_scope(plan))
        for _ in range(4):
            account.clock.forward(minutes=15)
            account.torn_down(SWEEP)
        assert account.bedrock.billed == [], place
        assert account.claims.holders == {}
        assert not [row for row in account.book.rows() if row.is_open]
        if was_done:
            return
    raise AssertionError("it never came to its end")


# ---- teardowns that die ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["InProgress", "Completed", "Failed", "Stopped"])
def test_a_teardown_that_dies_anywhere_is_taken_up_by_the_sweep(status: Any) -> None:
    for place in range(200):
        account = Account()
        plan = _started(account)
        if status != "InProgress":
            account.bedrock.end_job(plan.job_name, status)
        died = _dies(lambda gate, a=account, p=plan: a.tear_down(session_scope(p), gate), place)
        account.bedrock.settle()
        account.clock.forward(seconds=ABANDONED.total_seconds())
        assert account.torn_down(SWEEP)["status"] == "ended"
        if account.book.row(plan.job_name).is_open:  # type: ignore[union-attr]
            assert account.torn_down(session_scope(plan))["status"] == "ended", "it had not come to the row"
        assert account.bedrock.billed == []
        assert (account.trained(plan) is not None) == (status == "Completed"), place
        following = account.check(2)
        assert following["start_with"] == ("host" if status == "Completed" else "train")
        if status != "Completed":
            assert account.start(account.plan_of(following))["is_own"] is True, place
        if not died:
            return
    raise AssertionError("it never came to its end")


def test_one_that_cannot_be_ended_keeps_nobody_from_ending_the_others(account: Account) -> None:
    hosted = account.to_hosted(1)
    job = _started(account, 2, training={"step_count": 300})

    class Broken(FakeHost):
        def get(self, arn: str) -> Any:
            raise RuntimeError("AccessDenied")

    sound = account.host
    account.host = Broken(account.bedrock)
    with pytest.raises(RuntimeError):
        account.tear_down(RUN_SCOPE)
    assert account.bedrock.job(job.job_name).status == "Stopping"
    account.host = sound
    assert account.torn_down(RUN_SCOPE)["status"] == "ended"
    assert account.book.row(hosted.hosting_name).state == "ended"  # type: ignore[union-attr]


@pytest.mark.parametrize("error", [ThrottledError("slow down"), DependencyUnavailableError("503")])
def test_a_service_that_wants_patience_is_waited_for(account: Account, error: Exception) -> None:
    plan = account.to_hosted()

    class Busy(FakeHost):
        def delete(self, arn: str) -> None:
            raise error

    account.host = Busy(account.bedrock)
    told = account.tear_down(session_scope(plan))
    assert (told["status"], str(error) in told["message"]) == ("ending", True)


# ---- scopes ---------------------------------------------------------------------------------------


def test_a_session_is_ended_and_others_go_on(account: Account) -> None:
    first = _started(account, 1)
    second = _started(account, 2, training={"step_count": 300})
    assert account.torn_down(session_scope(first))["status"] == "ended"
    assert account.bedrock.billed == [second.job_name]
    assert account.executions.stopped == [], "its own execution asks for it"


def test_a_run_is_ended_with_all_that_could_make_more(account: Account) -> None:
    _started(account, 1)
    hosted = account.to_hosted(2, training={"step_count": 300})
    account.plan(3, training={"step_count": 400})
    account.add_run("other-20260102-abcdef")
    other = account.plan(4, run_id="other-20260102-abcdef", training={"step_count": 500})
    account.start(other)
    assert account.torn_down(RUN_SCOPE)["status"] == "ended"
    assert account.bedrock.billed == [other.job_name]
    stopped = {arn for arn, _, _ in account.executions.stopped}
    assert stopped == {BUILT_BY, execution(1), execution(2), execution(3)}
    assert account.executions.stopped[0][1:] == ("TornDown", "somebody asked for it")
    assert hosted.hosting_name in account.bedrock.made("delete_hosting")


def test_a_session_that_has_made_nothing_yet_makes_nothing_after_the_run_was_ended(account: Account) -> None:
    plan = account.plan()
    assert account.tear_down(RUN_SCOPE)["status"] == "ended"
    with pytest.raises(Exception, match="teardown has begun"):
        account.start(plan)


def test_a_teardown_does_not_stop_itself(account: Account) -> None:
    change_run(account.store, RUN, lambda run: run.model_copy(update={"training_execution_arn": TEARDOWN}))
    account.tear_down(RUN_SCOPE, execution_arn=TEARDOWN)
    assert TEARDOWN not in {arn for arn, _, _ in account.executions.stopped}


def test_everything_is_ended(account: Account) -> None:
    _started(account, 1)
    account.add_run("other-20260102-abcdef")
    account.start(account.plan(2, run_id="other-20260102-abcdef", training={"step_count": 500}))
    assert account.torn_down({"scope": "all"})["status"] == "ended"
    assert account.bedrock.billed == []
    assert {arn for arn, _, _ in account.executions.stopped} == {execution(1), execution(2)}


def test_nothing_is_ended_where_nothing_is_asked_for(account: Account) -> None:
    _started(account)
    assert account.tear_down({"scope": "none"})["status"] == "ended"
    assert len(account.bedrock.billed) == 1


@pytest.mark.parametrize("request_", [{"scope": "run"}, {"scope": "session", "run_id": RUN}])
def test_a_scope_needs_its_names(account: Account, request_: Any) -> None:
    with pytest.raises(RequestInvalidError, match="needs a"):
        account.tear_down(request_)


def test_the_sweep_ends_what_has_outlived_its_time_and_nothing_else(account: Account) -> None:
    job = _started(account, 1)
    hosted = account.to_hosted(2, training={"step_count": 300}, hosting={"hours": 1})
    assert account.tear_down(SWEEP) == {"status": "ended", "message": "nothing was billed"}
    account.clock.forward(hours=1)
    assert account.torn_down(SWEEP)["status"] == "ended"
    assert account.bedrock.billed == [job.job_name]
    assert account.book.row(hosted.hosting_name).reason == "its time is over"  # type: ignore[union-attr]


def test_the_sweep_takes_up_what_an_earlier_teardown_left(account: Account) -> None:
    plan = _started(account)
    account.tear_down(session_scope(plan))
    account.bedrock.settle()
    account.clock.forward(seconds=ABANDONED.total_seconds() - 1)
    assert account.book.row(plan.job_name).state == "ending"  # type: ignore[union-attr]
    account.tear_down(SWEEP)
    assert account.book.row(plan.job_name).state == "ending"  # type: ignore[union-attr]
    account.clock.forward(seconds=1)
    account.tear_down(SWEEP)
    assert account.book.row(plan.job_name).state == "ended"  # type: ignore[union-attr]


# ---- what is told and written down ----------------------------------------------------------------


def test_what_would_not_end_is_told_once(account: Account) -> None:
    plan = account.to_hosted()
    began = account.clock.now

    class Stubborn(FakeHost):
        def delete(self, arn: str) -> None:
            pass

    account.host = Stubborn(account.bedrock)
    account.clock.now = began + PATIENCE - timedelta(seconds=1)
    assert account.tear_down(session_scope(plan), started_at=began)["status"] == "ending"
    assert account.notifier.told == []
    account.clock.now = began + PATIENCE
    for _ in range(3):
        overdue = account.tear_down(session_scope(plan), started_at=began)
        assert overdue["status"] == "overdue"
        assert plan.hosting_name in overdue["message"]
        account.clock.forward(minutes=15)
    ((subject, message),) = account.notifier.told
    assert subject == "Storycast: still billed"
    assert plan.hosting_name in message


def test_the_runs_record_has_a_copy_of_the_rows(account: Account) -> None:
    plan = account.to_hosted()
    account.torn_down(session_scope(plan))
    rows = account.run().billing
    assert [(row.name, row.state) for row in rows] == [(plan.hosting_name, "ended"), (plan.job_name, "ended")]
    assert all(row.created_at and row.ended_at for row in rows)


@pytest.mark.parametrize("content", [None, b"{", b"{}"])
def test_the_teardown_needs_no_record_of_the_run(account: Account, content: bytes | None) -> None:
    _started(account)
    key = keys.run_file(RUN, "run.json")
    account.store.delete(key)
    if content is not None:
        account.store.put(key, content, "application/json")
    assert account.torn_down(RUN_SCOPE)["status"] == "ended"
    assert account.bedrock.billed == []


# ---- failures -------------------------------------------------------------------------------------


def test_a_failed_training_leaves_its_dataset_usable(account: Account) -> None:
    plan = _started(account)
    cause = json.dumps({"errorMessage": "no quota", "errorType": "TrainingAccessError", "stackTrace": []})
    request = account.failed(execution(1), error="TrainingAccessError", cause=cause)
    assert request == TearDownRequest(
        scope="session",
        run_id=RUN,
        session_id=session_of(1),
        reason="FAILED: TrainingAccessError",
        failed=True,
    )
    run = account.run()
    assert (run.status, run.error, run.cause) == ("dataset_ready", "TrainingAccessError", "no quota")
    assert account.notifier.told[-1][0] == f"Storycast: {RUN} failed"
    assert account.torn_down(request)["status"] == "ended"
    assert account.book.row(plan.job_name).reason == "FAILED: TrainingAccessError"  # type: ignore[union-attr]


def test_a_nested_failure_is_told_as_the_childs(account: Account) -> None:
    _started(account)
    account.failed(execution(1), error="TrainingFailedError", cause="The images are corrupt.")
    account.claims.register(BUILT_BY, RUN)
    child = {"ExecutionArn": execution(1), "Error": "TrainingFailedError", "Cause": "The images are corrupt."}
    request = account.failed(BUILT_BY, error="States.TaskFailed", cause=json.dumps(child))
    assert (request.scope, request.reason) == ("run", "FAILED: TrainingFailedError")
    run = account.run()
    assert (run.status, run.error, run.cause) == ("failed", "TrainingFailedError", "The images are corrupt.")
    account.failed(BUILT_BY, status="ABORTED", error="Aborted", cause="again")
    assert account.run() == run, "the first word counts"


def test_a_training_that_is_reported_after_its_run_stays_failed(account: Account) -> None:
    _started(account)
    account.claims.register(BUILT_BY, RUN)
    account.failed(BUILT_BY, error="TrainingFailedError", cause="x")
    account.failed(execution(1), error="TrainingFailedError", cause="x")
    assert account.run().status == "failed"


def test_the_record_of_a_newer_session_is_left_alone(account: Account) -> None:
    _started(account, 1)
    _started(account, 2, training={"step_count": 300})
    before = account.run()
    request = account.failed(execution(1), status="TIMED_OUT")
    assert account.run() == before
    assert request.session_id == session_of(1)
    assert request.reason == "TIMED_OUT: TIMED_OUT"


@pytest.mark.parametrize("status", ["running", "in_review"])
def test_a_training_that_comes_too_early_leaves_a_run_alone(account: Account, status: str) -> None:
    change_run(account.store, RUN, lambda run: run.model_copy(update={"status": status}))
    account.store.delete(keys.run_file(RUN, keys.APPROVED_MANIFEST))
    with pytest.raises(Exception, match="must be approved"):
        account.check()
    account.failed(execution(1), error="TrainingPlanInvalidError", cause="must be approved")
    assert (account.run().status, account.run().error) == (status, None)


def test_the_first_word_on_the_end_of_a_training_counts(account: Account) -> None:
    """The event may come twice; the emulator also tells how the last function of a stopped execution ended."""
    _started(account)
    account.failed(execution(1), status="ABORTED", error="Cancelled")
    run = account.run()
    account.clock.forward(seconds=5)
    account.failed(execution(1), error="BillingClosedError")
    assert account.run() == run


def test_an_end_that_is_recorded_while_rows_are_copied_stays(account: Account) -> None:
    plan = _started(account)
    gate = Meanwhile("before put_if", lambda: account.failed(execution(1), status="ABORTED", error="Cancelled"))
    account.tear_down(session_scope(plan), gate)
    assert gate.has_happened
    run = account.run()
    assert (run.status, run.error) == ("dataset_ready", "Cancelled")
    assert [row.state for row in run.billing] == ["ending"]


def test_what_is_copied_while_an_end_is_recorded_stays(account: Account) -> None:
    plan = _started(account)
    account.bedrock.end_job(plan.job_name)
    gate = Meanwhile("before put_if", lambda: account.look_at_training(plan))
    account.failed(execution(1), gate, status="ABORTED", error="Cancelled")
    assert gate.has_happened
    run = account.run()
    assert (run.status, run.error) == ("dataset_ready", "Cancelled")
    assert [row.state for row in run.billing] == ["ended"]


def test_a_session_that_begins_while_the_end_of_another_is_recorded_is_left_alone(account: Account) -> None:
    _started(account, 1)
    gate = Meanwhile("before put_if", lambda: account.check(2, training={"step_count": 300}))
    account.failed(execution(1), gate, status="ABORTED", error="Cancelled")
    assert gate.has_happened
    run = account.run()
    assert (run.status, run.error, run.training_execution_arn) == ("training", None, execution(2))


def test_a_session_that_is_stopped_while_it_is_planned_stays_stopped(account: Account) -> None:
    """Its function is late: it plans a training that nobody runs any more."""
    gate = Meanwhile("after put", lambda: account.failed(execution(1), status="ABORTED", error="Cancelled"))
    checked = account.check(1, gate)
    assert gate.has_happened
    run = account.run()
    assert (run.status, run.error) == ("dataset_ready", "Cancelled")
    assert run.training_ids == (checked["training_id"],)
    account.clock.forward(seconds=60)
    account.check(2)
    assert (account.run().status, account.run().error) == ("training", None)


def test_a_failure_of_nobody_ends_nothing(account: Account) -> None:
    _started(account)
    request = account.failed("arn:x:stranger", status="ABORTED")
    assert (request.scope, request.failed) == ("none", True)
    assert account.notifier.told[-1][0] == "Storycast: stranger aborted"
    event = FailureEvent(detail=ended("arn:x:stranger"))
    assert account.tear_down(event)["status"] == "ended"
    assert len(account.bedrock.billed) == 1


@pytest.mark.parametrize(("arn", "scope"), [(execution(1), "session"), (BUILT_BY, "run")])
def test_a_failure_that_could_not_be_recorded_ends_as_much(account: Account, arn: str, scope: str) -> None:
    _started(account, 1)
    account.claims.register(BUILT_BY, RUN)
    other = _started(account, 2, training={"step_count": 300})
    assert account.torn_down(FailureEvent(detail=ended(arn)))["status"] == "ended"
    assert account.bedrock.billed == ([other.job_name] if scope == "session" else [])


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (None, ""),
        ("plain", "plain"),
        ("[1]", "[1]"),
        ('{"Error": "A"}', ""),
        ('{"other": 1}', '{"other": 1}'),
        ('{"errorMessage": "m"}', "m"),
        (json.dumps({"Error": "A", "Cause": json.dumps({"Error": "B", "Cause": "deep"})}), "deep"),
    ],
)
def test_a_cause_of_any_form_is_told(cause: str | None, told: str) -> None:
    assert ended("arn", error="E", cause=cause).named[1] == told


# ---- models ---------------------------------------------------------------------------------------


def test_the_models_of_a_run_are_deleted_with_their_records(account: Account) -> None:
    first = account.to_trained(1)
    second = account.to_trained(2, training={"step_count": 300})
    account.add_run("other-20260102-abcdef")
    other = account.to_trained(3, run_id="other-20260102-abcdef", training={"step_count": 500})
    deleted = account.delete()
    assert (sorted(deleted["deleted"]), deleted["deleted_count"]) == (sorted([first.job_name, second.job_name]), 2)
    assert len(account.bedrock.models) == 1
    assert account.trained(first) is None
    assert account.trained(other) is not None
    assert account.delete() == {"deleted": [], "deleted_count": 0, "told": []}
    assert account.start(account.plan(4))["is_own"] is True, "its claim is nobody's"


def test_a_model_that_is_still_hosted_is_asked_for_later(account: Account) -> None:
    plan = account.to_hosted()
    with pytest.raises(DependencyUnavailableError):
        account.delete()
    assert account.trained(plan) is not None
    account.torn_down(RUN_SCOPE)
    assert account.delete()["deleted"] == [plan.job_name]


@pytest.mark.parametrize("request_", [{"run_id": None}, {"delete_model": False}, {"run_id": "nobody"}])
def test_models_are_deleted_run_by_run_and_when_told_to(account: Account, request_: Any) -> None:
    with pytest.raises(RequestInvalidError):
        account.delete(**request_)


# ---- hosting that no run owns ---------------------------------------------------------------------


def test_hosting_that_no_run_owns_is_told_once_a_day_and_left_alone(account: Account) -> None:
    account.to_hosted()
    account.host.create("somebody-elses", "arn:model", 2, {})
    for _ in range(3):
        assert account.look_for_unowned() == {"unowned_count": 1, "unowned": ["somebody-elses"]}
        account.clock.forward(minutes=15)
    ((subject, message),) = account.notifier.told
    assert subject == "Storycast: hosting that no run owns"
    assert "somebody-elses" in message
    account.clock.forward(hours=24)
    account.look_for_unowned()
    assert len(account.notifier.told) == 2
    assert account.bedrock.made("delete_hosting") == []


def test_hosting_whose_row_has_ended_is_a_find(account: Account) -> None:
    plan = account.to_hosted()
    account.book.ended(plan.hosting_name, account.clock.now, "by mistake")
    assert account.look_for_unowned()["unowned"] == [plan.hosting_name]


def test_many_finds_fit_into_the_payload(account: Account) -> None:
    bedrock = FakeBedrock(Clock())
    account.host = FakeHost(bedrock)
    for number in range(30):
        account.host.create(f"other-{number}", "arn:model", 1, {})
    found = account.look_for_unowned()
    assert (found["unowned_count"], len(found["unowned"])) == (30, 20)
