"""The functions of a training session, one by one: every status, what they write, what they refuse."""

import json
from datetime import timedelta
from typing import Any

import pytest

from storycast import keys
from storycast.approval import FinalNames
from storycast.errors import (
    BillingClosedError,
    BudgetExceededError,
    DependencyUnavailableError,
    ModelMissingError,
    RequestInvalidError,
    SettingsInvalidError,
    TrainingPlanInvalidError,
)
from storycast.manifest import read_manifest
from storycast.renderers import HOSTING_PATIENCE
from storycast.storyboard import panel_requests, panels_key
from storycast.training import read_training_plan
from tests.fakes.aws_training import START
from tests.fakes.services import ListedModels
from tests.fakes.steps import DiedError, DiesAt, Invocation
from tests.fakes.trainings import (
    PROJECT,
    RUN,
    SCENES,
    SETTINGS,
    Account,
    curated,
    execution,
    session_of,
    session_scope,
)

OUTPUT = "output/model-customization-job-1/training_artifacts/step_wise_training_metrics.csv"


@pytest.fixture
def account() -> Account:
    return Account()


def _panels_are_drawn(account: Account, plan: Any) -> None:
    for index in range(len(plan.settings.storyboard.prompts)):
        for order in panel_requests(plan, index):
            record = {
                "fingerprint": order.fingerprint,
                "drawn_by": order.drawn_by,
                "model_id": "m",
                "request": order.request.model_dump(),
                "picture_keys": [],
                "composite": False,
                "refused": "",
                "paid_by": plan.session_id,
            }
            account.store.put(panels_key(plan, order), json.dumps(record).encode(), "application/json")


# ---- CheckTrainingPlan ----------------------------------------------------------------------------


def test_a_session_is_planned(account: Account) -> None:
    checked = account.check()
    assert checked == {
        "run_id": RUN,
        "training_id": checked["training_id"],
        "session_id": session_of(1),
        "start_with": "train",
        "draws": True,
        "prompts": [0, 1],
    }
    plan = account.plan_of(checked)
    assert plan.job_name == f"{RUN}-{plan.training_id}-{plan.session_id}"
    assert len(plan.hosting_name) <= 63
    assert (plan.record_count, plan.held_out) == (12, ())
    assert plan.deadline_at == START + timedelta(hours=72)
    records, problems = read_manifest(account.store.get(plan.manifest_key))
    assert (len(records), problems) == (12, {})
    run = account.run()
    assert (run.status, run.training_execution_arn) == ("training", execution(1))
    assert run.training_ids == (plan.training_id,)
    assert account.claims.run_of(execution(1)) == RUN


def test_prompts_call_the_characters_as_the_review_does(account: Account) -> None:
    """The model learns no other names."""
    names = FinalNames(names={"Mara": "Ruby", "Pip": "Mara"})
    account.store.put(keys.run_file(RUN, keys.FINAL_NAMES), names.model_dump_json().encode(), "application/json")
    checked = account.check(storyboard={"prompts": ["Mara and Pip at sea", "Maras ship", "Mara " + "x" * 1019]})
    prompts = account.plan_of(checked).settings.storyboard.prompts
    assert prompts[:2] == ("Ruby and Mara at sea", "Maras ship")
    assert len(prompts[2]) == 1024


def test_nothing_of_a_plan_is_billed(account: Account) -> None:
    account.check()
    assert account.bedrock.calls == []
    assert account.book.rows() == []


def test_the_same_again_is_the_same_plan(account: Account) -> None:
    first, again = account.check(), account.check()
    assert first == again
    assert account.run().training_ids == (first["training_id"],)


def test_other_values_other_captions_and_other_pictures_are_other_trainings(account: Account) -> None:
    ids = [account.check()["training_id"], account.check(2, training={"step_count": 300})["training_id"]]
    ids.append(account.check(3, training={"learning_rate": 1e-5})["training_id"])
    approved = keys.run_file(RUN, keys.APPROVED_MANIFEST)
    account.store.put(approved, account.store.get(approved).replace(b"leans over", b"bends across"), "x")
    ids.append(account.check(4)["training_id"])
    picture = next(key for key in account.store.keys(f"runs/{RUN}/dataset/images/"))
    account.store.put(picture, b"another picture", "image/png")
    ids.append(account.check(5)["training_id"])
    assert len(set(ids)) == 5
    assert account.run().training_ids == tuple(ids)


def test_the_same_dataset_of_another_run_is_the_same_training(account: Account) -> None:
    account.add_run("other-20260102-abcdef")
    assert account.check(1)["training_id"] == account.check(2, run_id="other-20260102-abcdef")["training_id"]


def test_the_storyboard_makes_no_other_training(account: Account) -> None:
    first = account.check(1)["training_id"]
    assert account.check(2, storyboard={"prompts": ["A sea"]}, hosting={"hours": 1})["training_id"] == first


def test_both_key_styles_are_read(account: Account) -> None:
    first = account.check(1)["training_id"]
    approved = keys.run_file(RUN, keys.APPROVED_MANIFEST)
    content = (
        account.store.get(approved).replace(b'"image-ref"', b'"image_ref"').replace(b'"caption"', b'"alt_text"')
    )
    account.store.put(approved, content, "x")
    assert account.check(2)["training_id"] == first


def test_whole_shots_are_held_out() -> None:
    account = Account(settings={**SETTINGS, "training": {**SETTINGS["training"], "hold_out_share": 0.2}})
    account.put_dataset(RUN, [curated(number, shot=number // 2) for number in range(12)])
    plan = account.plan()
    assert plan.held_out == ("crop-00", "crop-01")
    assert plan.record_count == 10
    trained_on = account.store.get(plan.manifest_key).decode()
    assert not any(crop_id in trained_on for crop_id in plan.held_out)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 13: it is no JSON object"),
        ("[]", "line 13: it is no JSON object"),
        ("7", "line 13: it is no JSON object"),
        ('{"image-ref": "s3://media/x.png"}', "line 13: it is no JSON object"),
        ('{"image-ref": 1, "caption": "Mara"}', "line 13: it is no JSON object"),
        ('{"image-ref": "s3://media/runs/x.png", "caption": "M"}', "line 13: its caption has 1 characters"),
        (
            '{"image-ref": "s3://media/runs/x.png", "caption": "Mara sits"}',
            "line 13: there is no picture runs/x.png",
        ),
        ('{"image-ref": "s3://other/x.png", "caption": "Mara sits"}', "not in the bucket media"),
        ('{"image-ref": "s3://media/uploads/x.png", "caption": "Mara sits"}', "where the job may read"),
        ('{"image-ref": "s3://media/x.png", "caption": "Mara sits"}', "where the job may read"),
    ],
)
def test_a_line_that_cannot_be_trained_on_is_named(account: Account, line: str, message: str) -> None:
    approved = keys.run_file(RUN, keys.APPROVED_MANIFEST)
    account.store.put(approved, account.store.get(approved) + line.encode() + b"\n", "x")
    with pytest.raises(TrainingPlanInvalidError, match=message) as caught:
        account.check()
    assert approved in str(caught.value)


def test_many_bad_lines_are_counted(account: Account) -> None:
    account.store.put(keys.run_file(RUN, keys.APPROVED_MANIFEST), b"{\n" * 25, "x")
    with pytest.raises(TrainingPlanInvalidError, match="and 15 more"):
        account.check()


def test_a_dataset_too_small_is_refused(account: Account) -> None:
    account.put_dataset(RUN, [curated(number) for number in range(4)])
    with pytest.raises(TrainingPlanInvalidError, match="at least 5 pictures"):
        account.check()


def test_a_run_without_an_approved_dataset_is_told(account: Account) -> None:
    account.store.delete(keys.run_file(RUN, keys.APPROVED_MANIFEST))
    with pytest.raises(TrainingPlanInvalidError, match="must be approved"):
        account.check()
    assert account.run().status == "dataset_ready"


def test_a_manifest_of_ones_own_makes_a_run(account: Account) -> None:
    for number in range(6):
        account.store.put(f"datasets/mine/{number}.png", f"{number}".encode(), "image/png")
    lines = [
        json.dumps({"image_ref": f"s3://media/datasets/mine/{n}.png", "alt_text": one.caption})
        for n, one in enumerate(SCENES[:6])
    ]
    account.store.put("datasets/mine.jsonl", "\n".join(lines).encode(), "x")
    asked = {"run_id": "mine", "project": "hers", "manifest_key": "datasets/mine.jsonl", "budget_usd": 5000}
    plan = account.plan(1, **asked)
    assert (plan.project, plan.record_count, plan.held_out) == ("hers", 6, ())
    assert account.run("mine").status == "training"
    assert account.plan(1, **asked) == plan


def test_no_run_and_no_manifest_is_refused(account: Account) -> None:
    with pytest.raises(RequestInvalidError, match="There is no run 'nobody'"):
        account.check(run_id="nobody")


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ({"training": {"step_count": 20_001}}, "training.step_count"),
        ({"training": {"steps": 5}}, "training.steps"),
        ({"hosting": {"hours": 0}}, "hosting.hours"),
        ({"storyboard": {"seed": 0}}, "storyboard.seed"),
    ],
)
def test_an_override_that_is_not_valid_is_named(account: Account, override: Any, named: str) -> None:
    with pytest.raises(SettingsInvalidError, match=named):
        account.check(**override)


def test_a_training_without_a_budget_is_refused(account: Account) -> None:
    with pytest.raises(TrainingPlanInvalidError, match="budget_usd"):
        account.check(budget_usd=0)


def test_a_budget_that_does_not_reach_is_refused_before_anything_is_paid(account: Account) -> None:
    with pytest.raises(BudgetExceededError, match=r"training\.step_count: 20,000"):
        account.check(training={"step_count": 20_000, "batch_size": 192}, budget_usd=300)
    assert account.bedrock.calls == []


def test_an_ended_model_is_refused() -> None:
    account = Account(catalogue=ListedModels(ends_at={"amazon.nova-canvas-v1:0": START - timedelta(days=1)}))
    with pytest.raises(Exception, match="reached its end of life") as caught:
        account.check()
    assert type(caught.value).__name__ == "ModelRetiredError"


def test_an_absurd_length_is_told_with_numbers(account: Account) -> None:
    account.check(training={"step_count": 14_000, "batch_size": 64})
    (warning,) = [warning for warning in account.run().warnings if "epochs" in warning]
    assert "14,000 steps of 64 on 12 pictures are 74,667 epochs" in warning
    assert "training.step_count: 56" in warning


# ---- what is paid already -------------------------------------------------------------------------


def test_a_model_that_is_there_is_not_trained_again(account: Account) -> None:
    account.to_trained(1)
    assert account.check(2)["start_with"] == "host"


def test_nothing_to_draw_is_a_report(account: Account) -> None:
    account.to_trained(1)
    checked = account.check(2, storyboard={"prompts": []})
    assert (checked["start_with"], checked["draws"], checked["prompts"]) == ("report", False, [])


def test_a_storyboard_that_is_paid_is_graded(account: Account) -> None:
    plan = account.to_trained(1)
    _panels_are_drawn(account, plan)
    assert account.check(2)["start_with"] == "grade"
    assert account.check(3, storyboard={"prompts": ["A third"]})["start_with"] == "host"


def test_a_model_that_somebody_deleted_is_trained_anew(account: Account) -> None:
    first = account.to_trained(1)
    account.bedrock.models.clear()
    second = account.plan(2)
    assert account.trained(first) is None
    account.start(second)
    account.bedrock.end_job(second.job_name)
    assert account.look_at_training(second)["status"] == "Completed"
    assert account.bedrock.made("create_job") == [first.job_name, second.job_name]


def test_drawing_takes_the_newest_model_that_is_there(account: Account) -> None:
    first = account.to_trained(1)
    second = account.to_trained(2, training={"step_count": 300})
    drawing = account.plan(3, draw_only=True)
    assert drawing.fingerprint == second.fingerprint
    assert drawing.settings.training.step_count == 300
    assert drawing.record_count == second.record_count
    named = account.plan(4, draw_only=True, training_id=first.training_id)
    assert named.fingerprint == first.fingerprint
    account.bedrock.models.discard(account.trained(second)["model_arn"])  # type: ignore[index]
    with pytest.raises(ModelMissingError, match=f"storycast train {RUN}"):
        account.check(5, draw_only=True, training_id=second.training_id)
    assert account.plan(6, draw_only=True).fingerprint == first.fingerprint


def test_drawing_without_a_model_says_what_to_do(account: Account) -> None:
    with pytest.raises(ModelMissingError, match=f"storycast train {RUN}"):
        account.check(draw_only=True)
    assert account.run().status == "dataset_ready"


# ---- StartTraining --------------------------------------------------------------------------------


def test_the_job_is_ordered_as_the_walk_through_does(account: Account) -> None:
    plan = account.plan(1, training={"learning_rate": 0.000001, "step_count": 14_000, "batch_size": 64})
    account.start(plan)
    (order,) = account.bedrock.orders
    assert (order.name, order.model_name, order.base_model) == (
        plan.job_name,
        plan.job_name,
        "amazon.nova-canvas-v1:0",
    )
    assert order.hyperparameters == {"stepCount": "14000", "batchSize": "64", "learningRate": "0.000001"}
    assert order.manifest_uri == f"s3://media/{plan.manifest_key}"
    assert order.output_uri == f"s3://media/runs/{RUN}/training/{plan.training_id}/{plan.session_id}/output/"
    assert order.tags["storycast:run"] == RUN
    assert order.tags["storycast:training"] == plan.training_id


def test_the_row_comes_before_the_job(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    assert account.book.history == [(plan.job_name, "intended"), (plan.job_name, "live")]
    row = account.book.row(plan.job_name)
    assert row
    assert row.image_count == 800
    assert row.expires_at == START + timedelta(hours=72)
    assert [one.name for one in account.run().billing] == [plan.job_name]


def test_a_session_that_is_torn_down_starts_nothing(account: Account) -> None:
    plan = account.plan()
    account.tear_down(session_scope(plan))
    with pytest.raises(BillingClosedError):
        account.start(plan)
    assert account.bedrock.calls == []


# ---- CheckTraining --------------------------------------------------------------------------------


def test_a_job_goes_on(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    assert account.look_at_training(plan)["status"] == "InProgress"
    account.customizer.stop(account.bedrock.job(plan.job_name).arn)
    assert account.look_at_training(plan)["status"] == "Stopping"


def test_a_finished_job_leaves_a_model_with_its_loss(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    metrics = keys.training_file(RUN, plan.training_id, plan.session_id, OUTPUT)
    account.store.put(metrics, b"step_number,epoch_number,training_loss\n1,0,0.9\n2,0,0.31\n", "text/csv")
    account.clock.forward(hours=3)
    account.bedrock.end_job(plan.job_name)
    looked = account.look_at_training(plan)
    assert looked["status"] == "Completed"
    assert "0.25" in looked["message"]
    model = account.trained(plan)
    assert model
    assert (model["trained_by"], model["session_id"], model["metrics_key"]) == (RUN, plan.session_id, metrics)
    assert model["final_loss"] == 0.25
    assert model["record_count"] == 12
    row = account.book.row(plan.job_name)
    assert row
    assert (row.state, row.ended_at) == ("ended", START + timedelta(hours=3))
    assert account.look_at_training(plan)["status"] == "Completed", "a repetition says the same"


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_job_that_ends_without_a_model_gives_up_the_claim(account: Account, status: Any) -> None:
    plan = account.plan()
    account.start(plan)
    account.bedrock.end_job(plan.job_name, status, "The images are corrupt." if status == "Failed" else "")
    looked = account.look_at_training(plan)
    assert looked["status"] == status
    assert status == "Stopped" or "The images are corrupt." in looked["message"]
    assert account.claims.holders == {}
    assert account.trained(plan) is None
    assert account.book.row(plan.job_name).state == "ended"  # type: ignore[union-attr]


def test_a_job_that_takes_too_long_is_overdue(account: Account) -> None:
    plan = account.plan(1, training={"max_hours": 2})
    account.start(plan)
    account.clock.forward(hours=2)
    looked = account.look_at_training(plan)
    assert looked["status"] == "Overdue"
    assert "training.max_hours: 2" in looked["message"]
    ended = account.torn_down(session_scope(plan))
    assert ended["status"] == "ended"
    assert account.bedrock.job(plan.job_name).status == "Stopped"


# ---- two sessions on one training -----------------------------------------------------------------


def test_a_second_session_follows_the_first_ones_job(account: Account) -> None:
    first, second = account.plan(1), account.plan(2)
    account.start(first)
    assert account.start(second) == {"job_name": first.job_name, "is_own": False}
    assert account.look_at_training(second)["status"] == "InProgress"
    account.bedrock.end_job(first.job_name)
    assert account.look_at_training(second)["status"] == "InProgress", "the model is for the first to write down"
    assert account.look_at_training(first)["status"] == "Completed"
    assert account.look_at_training(second)["status"] == "Completed"
    assert account.bedrock.made("create_job") == [first.job_name]
    assert account.book.row(second.job_name) is None


def test_who_follows_a_stopped_job_trains_itself(account: Account) -> None:
    first, second = account.plan(1), account.plan(2)
    account.start(first)
    account.start(second)
    account.torn_down(session_scope(first))
    assert account.look_at_training(second)["status"] == "Vanished"
    assert account.start(second)["is_own"] is True
    account.bedrock.end_job(second.job_name)
    assert account.look_at_training(second)["status"] == "Completed"


def test_who_follows_a_job_that_somebody_stopped_waits_for_its_session_to_say_so(account: Account) -> None:
    first, second = account.plan(1), account.plan(2)
    account.start(first)
    account.start(second)
    account.bedrock.end_job(first.job_name, "Stopped")
    assert account.look_at_training(second)["status"] == "InProgress"
    assert account.look_at_training(first)["status"] == "Stopped"
    assert account.look_at_training(second)["status"] == "Vanished"


def test_who_follows_a_failed_job_fails_with_it(account: Account) -> None:
    first, second = account.plan(1), account.plan(2)
    account.start(first)
    account.start(second)
    account.bedrock.end_job(first.job_name, "Failed", "The images are corrupt.")
    looked = account.look_at_training(second)
    assert looked["status"] == "Failed"
    assert "The images are corrupt." in looked["message"]
    account.look_at_training(first)
    third = account.plan(3)
    assert account.start(third)["is_own"] is True


def test_the_teardown_of_one_leaves_the_others_job(account: Account) -> None:
    first, second = account.plan(1), account.plan(2)
    account.start(first)
    account.start(second)
    assert account.torn_down(session_scope(second))["status"] == "ended"
    assert account.bedrock.job(first.job_name).status == "InProgress"


def test_who_waits_in_vain_for_another_is_overdue_and_does_not_stop_it(account: Account) -> None:
    second = account.plan(2, training={"max_hours": 1})
    account.start(account.plan(1))
    account.start(second)
    account.clock.forward(hours=1)
    looked = account.look_at_training(second)
    assert looked["status"] == "Overdue"
    assert "another session's" in looked["message"]


@pytest.mark.parametrize("place", range(30))
def test_two_that_start_at_once_pay_once_wherever_they_meet(account: Account, place: int) -> None:
    first, second = account.plan(1), account.plan(2)
    one = Invocation(lambda gate: account.start(first, gate))
    one.step(place)
    other = account.start(second)
    one.finish()
    assert one.error is None
    assert len(account.bedrock.made("create_job")) == 1
    assert account.bedrock.paid_twice == []
    assert other["job_name"] == one.answer["job_name"] == account.bedrock.made("create_job")[0]


# ---- ProvisionModel, CheckProvisioning ------------------------------------------------------------


def test_hosting_is_begun_for_the_hours_of_the_settings(account: Account) -> None:
    plan = account.to_trained(1, hosting={"hours": 3, "model_units": 2})
    account.provision(plan)
    assert account.bedrock.made("create_hosting") == [plan.hosting_name]
    hosted = account.bedrock.hosting(plan.hosting_name)
    assert (hosted.model_units, hosted.model_arn) == (2, account.trained(plan)["model_arn"])  # type: ignore[index]
    row = account.book.row(plan.hosting_name)
    assert row
    assert (row.kind, row.state, row.model_units) == ("provisioned_throughput", "live", 2)
    assert row.expires_at == account.clock.now + timedelta(hours=3)
    key = keys.training_file(RUN, plan.training_id, plan.session_id, "hosting.json")
    assert json.loads(account.store.get(key)) == {"arn": hosted.arn, "name": plan.hosting_name}
    assert account.look_at_hosting(plan)["status"] == "Creating"
    account.bedrock.move_hosting(plan.hosting_name, "Updating")
    assert account.look_at_hosting(plan)["status"] == "Updating"
    account.bedrock.settle()
    assert account.look_at_hosting(plan)["status"] == "InService"


def test_hosting_without_a_model_is_refused(account: Account) -> None:
    with pytest.raises(ModelMissingError):
        account.provision(account.plan())


def test_hosting_that_could_pass_the_budget_is_not_begun(account: Account) -> None:
    plan = account.to_trained(1, budget_usd=200)
    poor = plan.model_copy(update={"settings": plan.settings.model_copy(update={"budget_usd": 5.0})})
    with pytest.raises(BudgetExceededError, match="hosting"):
        account.provision(poor)
    assert account.bedrock.made("create_hosting") == []
    assert account.book.row(plan.hosting_name) is None


def test_hosting_that_fails_says_why(account: Account) -> None:
    plan = account.to_trained()
    account.provision(plan)
    account.bedrock.move_hosting(plan.hosting_name, "Failed", "No capacity.")
    looked = account.look_at_hosting(plan)
    assert looked["status"] == "Failed"
    assert "No capacity." in looked["message"]


def test_hosting_that_does_not_come_into_service_is_overdue(account: Account) -> None:
    plan = account.to_trained(1, hosting={"hours": 24})
    account.provision(plan)
    account.clock.forward(seconds=HOSTING_PATIENCE.total_seconds() - 1)
    assert account.look_at_hosting(plan)["status"] == "Creating"
    account.clock.forward(seconds=1)
    assert account.look_at_hosting(plan)["status"] == "Overdue"


def test_hosting_that_somebody_deleted_is_told(account: Account) -> None:
    plan = account.to_hosted()
    account.host.delete(account.bedrock.hosting(plan.hosting_name).arn)
    account.bedrock.settle()
    assert account.look_at_hosting(plan)["status"] == "Failed"


def test_hosting_whose_end_has_begun_is_no_longer_used(account: Account) -> None:
    plan = account.to_hosted()
    account.tear_down(session_scope(plan))
    assert account.look_at_hosting(plan)["status"] == "Failed"


# ---- crashes --------------------------------------------------------------------------------------


def _dies(work: Any, place: int) -> bool:
    """Let a function die at a place; whether it came so far."""
    try:
        work(DiesAt(place))
    except DiedError:
        return True
    return False


@pytest.mark.parametrize("lag_s", [0, 90])
def test_a_start_that_dies_anywhere_and_is_repeated_makes_one_job(lag_s: int) -> None:
    """``lag_s``: how long the list of jobs does not show the new one."""
    for place in range(100):
        account = Account(list_lag=timedelta(seconds=lag_s))
        plan = account.plan()
        died = _dies(lambda gate, a=account, p=plan: a.start(p, gate), place)
        try:
            account.start(plan)
        except DependencyUnavailableError:
            account.clock.forward(seconds=lag_s)
            account.start(plan)
        assert account.bedrock.made("create_job") == [plan.job_name], place
        row = account.book.row(plan.job_name)
        assert row
        assert (row.state, row.arn) == ("live", account.bedrock.job(plan.job_name).arn)
        if not died:
            return
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize("lag_s", [0, 90])
def test_hosting_that_dies_anywhere_and_is_repeated_is_one_hosting(lag_s: int) -> None:
    for place in range(100):
        account = Account(list_lag=timedelta(seconds=lag_s))
        plan = account.plan()
        account.start(plan)
        account.clock.forward(seconds=lag_s)
        account.bedrock.end_job(plan.job_name)
        account.look_at_training(plan)
        died = _dies(lambda gate, a=account, p=plan: a.provision(p, gate), place)
        account.clock.forward(seconds=10)
        account.provision(plan)
        assert account.bedrock.made("create_hosting") == [plan.hosting_name], place
        row = account.book.row(plan.hosting_name)
        assert row
        assert lag_s or row.created_at == account.bedrock.hosting(plan.hosting_name).created_at, "it was found"
        assert (row.state, row.arn) == ("live", account.bedrock.hosting(plan.hosting_name).arn)
        if not died:
            return
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize("status", ["Completed", "Failed", "Stopped"])
def test_a_look_that_dies_anywhere_loses_neither_model_nor_claim(status: Any) -> None:
    """Neither when it is repeated nor when the session ends with it."""
    for place in range(100):
        for is_repeated in (True, False):
            account = Account()
            plan = account.plan()
            account.start(plan)
            account.bedrock.end_job(plan.job_name, status)
            died = _dies(lambda gate, a=account, p=plan: a.look_at_training(p, gate), place)
            if is_repeated:
                assert account.look_at_training(plan)["status"] in {status, "Vanished"}
            assert account.torn_down(session_scope(plan))["status"] == "ended"
            assert (account.trained(plan) is not None) == (status == "Completed"), place
            following = account.check(2)
            assert following["start_with"] == ("host" if status == "Completed" else "train")
            if status != "Completed":
                assert account.start(account.plan_of(following))["is_own"] is True
        if not died:
            return
    raise AssertionError("it never came to its end")


def test_a_plan_that_dies_anywhere_and_is_repeated_is_the_same(account: Account) -> None:
    expected = Account().check()
    for place in range(100):
        one = Account()
        died = _dies(lambda gate, a=one: a.check(1, gate), place)
        assert one.check() == expected
        plan = read_training_plan(one.store, RUN, expected["training_id"], expected["session_id"])
        assert plan.project == PROJECT
        if not died:
            return
    raise AssertionError("it never came to its end")
