"""Sessions whose target is SageMaker: what their jobs are told, every status of a job, and what is kept of it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from storycast import keys, names
from storycast.billing import Billed
from storycast.errors import (
    BillingClosedError,
    BudgetExceededError,
    DependencyUnavailableError,
    ModelMissingError,
    TrainingAccessError,
    TrainingPlanInvalidError,
)
from storycast.estimate import hosting_most_usd, job_hour_usd
from storycast.job_time import LEAST_HOURS
from storycast.lora_job import LoraJob
from storycast.ports import JobFacts
from storycast.runs import change_run
from storycast.stages.draw_storyboard import draw_storyboard
from storycast.storyboard import Panels, run_panels_key, unpaid_orders
from storycast.training import CLOCK_GRACE, TrainedModel, TrainingPlan
from tests.fakes.aws_training import START
from tests.fakes.container_jobs import PNG, STAND_IN
from tests.fakes.steps import DiedError, DiesAt, Invocation
from tests.fakes.trainings import PROJECT, RUN, SCENES, Account, caption_of, curated, session_of, session_scope
from tests.unit.sessions import ToldImages

ROOT = Path(__file__).parents[2]
LORA: dict[str, Any] = {
    "training": {"target": "sagemaker", "step_count": 100, "hold_out_share": 0.0, "max_hours": 4},
    "storyboard": {"prompts": ["A hill", "A lake"], "images_per_prompt": 2, "base_images_per_prompt": 1},
    "hosting": {"hours": 1},
    "budget_usd": 1000,
}


def lora(**sections: Any) -> Account:
    settings = {**LORA, **{name: {**LORA.get(name, {}), **value} for name, value in sections.items()}}
    return Account(settings=settings)


@pytest.fixture
def account() -> Account:
    return lora()


def trained(account: Account, number: int = 1, **request: Any) -> TrainingPlan:
    plan = account.plan(number, **request)
    account.start(plan)
    account.sagemaker.end(plan.job_name)
    assert account.look_at_training(plan)["status"] == "Completed"
    return plan


def model_of(account: Account, plan: TrainingPlan) -> TrainedModel:
    return TrainedModel.model_validate(account.trained(plan))


def row_of(account: Account, name: str) -> Billed:
    row = account.book.row(name)
    assert row
    return row


def tell_progress(account: Account, job_name: str, told: dict[str, Any]) -> None:
    """Put into a job's work folder what the trainer says of itself there."""
    key = f"{account.sagemaker.work(job_name)}progress.json"
    account.store.put(key, json.dumps(told).encode(), "application/json")


def drawn(account: Account, plan: TrainingPlan, index: int) -> dict[str, Any]:
    return draw_storyboard(plan, index, store=account.store, image_model=ToldImages({}))


def copy_of(account: Account, plan: TrainingPlan, index: int, drawn_by: Literal["trained", "base"]) -> Panels:
    return Panels.model_validate_json(account.store.get(run_panels_key(plan, index, drawn_by)))


# ---- the plan -------------------------------------------------------------------------------------


def test_a_run_that_names_no_target_is_trained_on_sagemaker() -> None:
    account = lora(training={"target": "none"})
    plan = account.plan()
    assert (plan.target, plan.settings.training.model_id) == (
        "sagemaker",
        "stabilityai/stable-diffusion-xl-base-1.0",
    )


def test_what_makes_another_adapter_makes_another_training(account: Account) -> None:
    ids = [account.check()["training_id"]]
    for number, training in enumerate(
        (
            {"step_count": 200},
            {"batch_size": 2},
            {"learning_rate": 5e-5},
            {"base_model": "s3://media/models/sdxl/"},
            {"lora": {"rank": 32}},
            {"lora": {"resolution": 768}},
        ),
        2,
    ):
        ids.append(account.check(number, training=training)["training_id"])
    named = [curated(number) for number in range(12)]
    named[0] = named[0].model_copy(update={"in_picture": ("Mara", "Pip")})
    account.put_dataset(RUN, named)
    ids.append(account.check(9)["training_id"])
    assert len(set(ids)) == len(ids)


def test_where_it_runs_makes_no_other_training(account: Account) -> None:
    first = account.check(1)["training_id"]
    changes: list[dict[str, Any]] = [
        {"training": {"lora": {"instance_type": "ml.g6.xlarge"}}},
        {"training": {"lora": {"spot": False}}},
        {"training": {"lora": {"volume_gb": 100}}},
        {"training": {"max_hours": 3}},
        {"hosting": {"hours": 2}},
    ]
    for number, changed in enumerate(changes, 2):
        assert account.check(number, **changed)["training_id"] == first


def test_a_part_of_the_adapters_settings_leaves_the_others_as_they_are() -> None:
    account = lora(training={"lora": {"rank": 8, "spot": False}})
    plan = account.plan(1, training={"lora": {"rank": 4}})
    assert (plan.settings.training.lora.rank, plan.settings.training.lora.spot) == (4, False)


def test_a_picture_that_stands_in_the_manifest_twice_is_refused(account: Account) -> None:
    approved = keys.run_file(RUN, keys.APPROVED_MANIFEST)
    lines = account.store.get(approved)
    account.store.put(approved, lines + lines.splitlines(keepends=True)[0], "x")
    with pytest.raises(TrainingPlanInvalidError, match="more than once"):
        account.check()


# ---- StartTraining --------------------------------------------------------------------------------


def test_the_job_is_told_what_to_train_on(account: Account) -> None:
    account = lora(training={"hold_out_share": 0.2})
    dataset = [curated(number, shot=number // 2) for number in range(12)]
    dataset[5] = dataset[5].model_copy(update={"in_picture": ("Mara", "unknown", "Pip")})
    account.put_dataset(RUN, dataset)
    plan = account.plan()
    account.start(plan)
    told = account.sagemaker.told(plan.job_name)
    job = LoraJob.model_validate(told)
    assert (job.name, job.task, job.project, job.family) == (plan.job_name, "train", PROJECT, "sdxl")
    assert job.base_model.model_dump() == {"source": "hub", "id": "stabilityai/stable-diffusion-xl-base-1.0"}
    assert job.characters == ("Mara", "Pip")
    assert told["values"] == {
        "step_count": 100,
        "batch_size": 1,
        "learning_rate": 1e-4,
        "rank": 16,
        "resolution": 1024,
        "seed": 1,
    }
    held_out = [one for one in job.pictures if one.held_out]
    assert [one.shot for one in held_out] == ["8d1f0c2ab34e:0"] * 2, "held out by shot, and shown as such"
    assert plan.record_count == len(job.pictures) - len(held_out) == 10
    (both,) = [one for one in job.pictures if len(one.characters) == 2]
    assert both.characters == ("Mara", "Pip"), "who is nobody is named to nobody"
    assert both.file == f"runs/{RUN}/dataset/images/mara-crop-05.png"
    assert both.caption == caption_of(dataset[5])


def test_a_manifest_of_ones_own_is_told_without_what_nobody_knows(account: Account) -> None:
    for number in range(6):
        account.store.put(f"datasets/mine/{number}.png", f"{number}".encode(), "image/png")
    lines = [
        json.dumps({"image_ref": f"s3://media/datasets/mine/{n}.png", "alt_text": one.caption})
        for n, one in enumerate(SCENES[:6])
    ]
    account.store.put("datasets/mine.jsonl", "\n".join(lines).encode(), "x")
    plan = account.plan(1, run_id="mine", manifest_key="datasets/mine.jsonl", budget_usd=500)
    account.start(plan)
    job = LoraJob.model_validate(account.sagemaker.told(plan.job_name))
    assert {(one.characters, one.shot, one.held_out) for one in job.pictures} == {((), None, False)}
    assert (job.characters, len(job.pictures)) == ((), 6)


def test_the_job_is_ordered_with_its_folders_and_its_clock(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    order = account.sagemaker.orders[plan.job_name]
    folder = f"s3://media/runs/{RUN}/training/{plan.training_id}/{plan.session_id}"
    assert order.prefixes == {"job": f"{folder}/job-train/"}
    assert order.manifests == {"pictures": f"{folder}/pictures.manifest"}
    work = f"s3://media/runs/{RUN}/training/{plan.training_id}/work-train/"
    assert (order.work_uri, order.output_uri) == (work, f"{folder}/output/")
    assert order.arguments == ("train",)
    assert (order.instance_type, order.volume_gb) == ("ml.g5.xlarge", 60)
    assert (order.max_run_s, order.max_wait_s) == (4 * 3600, 4 * 3600)
    assert order.is_isolated is False, "the weights come from the hub"
    assert order.tags["storycast:run"] == RUN
    assert order.tags["storycast:training"] == plan.training_id
    assert order.hyperparameters["step_count"] == "100"
    manifest = json.loads(account.store.get(f"{folder}/pictures.manifest".removeprefix("s3://media/")))
    assert manifest[0] == {"prefix": "s3://media/"}
    told = account.sagemaker.told(plan.job_name)["pictures"]
    assert manifest[1:] == [one["file"] for one in told]
    assert all(account.store.get(file) for file in manifest[1:])


def test_weights_in_s3_come_as_an_input_and_without_a_network(account: Account) -> None:
    plan = account.plan(1, training={"base_model": "s3://media/models/sdxl/", "lora": {"spot": False}})
    account.start(plan)
    order = account.sagemaker.orders[plan.job_name]
    assert order.prefixes["weights"] == "s3://media/models/sdxl/"
    assert (order.is_isolated, order.max_wait_s) == (True, None)
    told = account.sagemaker.told(plan.job_name)
    assert told["base_model"] == {"source": "folder", "id": "s3://media/models/sdxl/"}


def test_the_row_comes_before_the_job(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    assert account.book.history == [(plan.job_name, "intended"), (plan.job_name, "live")]
    row = row_of(account, plan.job_name)
    assert (row.kind, row.instance_type, row.max_run_s) == ("training_job", "ml.g5.xlarge", 4 * 3600)
    assert row.expires_at == START + timedelta(hours=4) + CLOCK_GRACE, "AWS's own clock has the first word"
    assert [one.name for one in account.run().billing] == [plan.job_name]


def test_the_rest_of_the_budget_bounds_the_job_and_leaves_enough_to_draw() -> None:
    """Whatever it costs: the training to its clock's end, then the drawing to its own, are within the budget."""
    account = lora()
    plan = account.plan(1, training={"max_hours": 72}, budget_usd=6)
    hour_usd = job_hour_usd(plan.settings)
    account.start(plan)
    training_s = account.sagemaker.orders[plan.job_name].max_run_s
    assert LEAST_HOURS * 3600 < training_s < 72 * 3600
    account.clock.forward(seconds=training_s)
    account.sagemaker.end(plan.job_name, billable_s=training_s)
    account.look_at_training(plan)
    account.provision(plan)
    drawing_s = account.sagemaker.orders[plan.hosting_name].max_run_s
    assert drawing_s == 3600, "as many as hosting.hours says"
    assert (training_s + drawing_s) / 3600 * hour_usd < 6


def test_what_is_spent_is_taken_off(account: Account) -> None:
    plan = account.plan(1, training={"max_hours": 72}, budget_usd=12)
    change_run(account.store, RUN, lambda run: run.with_counts(paid_detections=5000))
    account.start(plan)
    other = lora()
    same = other.plan(1, training={"max_hours": 72}, budget_usd=12)
    other.start(same)
    less = account.sagemaker.orders[plan.job_name].max_run_s
    assert other.sagemaker.orders[same.job_name].max_run_s - less == pytest.approx(
        5 / job_hour_usd(plan.settings) * 3600, abs=2
    )


def test_a_budget_that_buys_no_quarter_of_an_hour_is_refused_unbegun(account: Account) -> None:
    plan = account.plan(1, budget_usd=6)
    change_run(account.store, RUN, lambda run: run.with_counts(paid_detections=4300))
    with pytest.raises(BudgetExceededError, match=r"ml\.g5\.xlarge; it needs 15") as caught:
        account.start(plan)
    assert "budget_usd: 6" in str(caught.value)
    assert account.sagemaker.calls == []
    assert account.book.rows() == []


def test_a_project_may_ask_for_less_than_a_quarter_of_an_hour(account: Account) -> None:
    plan = account.plan(1).model_copy()
    shorter = plan.settings.training.model_copy(update={"max_hours": 0.1})
    settings = plan.settings.model_copy(update={"training": shorter})
    account.start(plan.model_copy(update={"settings": settings}))
    assert account.sagemaker.orders[plan.job_name].max_run_s == 360


def test_a_quota_that_is_used_up_is_told_and_leaves_nothing(account: Account) -> None:
    account.sagemaker.limit = 0
    plan = account.plan()
    with pytest.raises(TrainingAccessError):
        account.start(plan)
    assert account.torn_down(session_scope(plan))["status"] == "ended"
    assert (account.sagemaker.calls, account.claims.holders) == ([], {})


def test_a_session_that_is_torn_down_starts_nothing(account: Account) -> None:
    plan = account.plan()
    account.tear_down(session_scope(plan))
    with pytest.raises(BillingClosedError):
        account.start(plan)
    assert account.sagemaker.calls == []


def test_a_start_that_dies_anywhere_and_is_repeated_makes_one_job() -> None:
    for place in range(100):
        account = lora()
        plan = account.plan()
        try:
            account.start(plan, DiesAt(place))
        except DiedError:
            died = True
        else:
            died = False
        assert account.start(plan) == {"job_name": plan.job_name, "is_own": True}, place
        assert account.sagemaker.made("create") == [plan.job_name], place
        assert row_of(account, plan.job_name).arn == account.sagemaker.jobs[plan.job_name].arn
        if not died:
            return
    raise AssertionError("it never came to its end")


def test_a_name_serves_once_and_is_found_when_it_is_taken(account: Account) -> None:
    """Two attempts of one state at once: the second one's call is refused, and its repetition finds the first."""
    plan = account.plan()
    slow = Invocation(lambda gate: account.start(plan, gate))
    while ("create", plan.job_name) not in account.sagemaker.calls:
        slow.step()
        if row := account.book.row(plan.job_name):
            assert row.arn is None
    late = Invocation(lambda gate: account.start(plan, gate))
    late.finish()
    slow.finish()
    assert late.error is None or isinstance(late.error, DependencyUnavailableError)
    assert account.start(plan)["is_own"] is True
    assert account.sagemaker.made("create") == [plan.job_name]


# ---- CheckTraining --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secondary", "spot", "words"),
    [
        ("Starting", True, "waiting for spot capacity"),
        ("Pending", True, "waiting for spot capacity"),
        ("Starting", False, "starting"),
        ("Downloading", True, "fetching its input"),
        ("DownloadingTrainingImage", False, "fetching the container's image"),
        ("Interrupted", True, "interrupted"),
        ("Restarting", True, "interrupted, restarts"),
        ("Training", True, "working"),
        ("Uploading", True, "saving its results"),
        ("SomethingNew", True, "SomethingNew"),
    ],
)
def test_what_a_job_does_is_told_in_words(secondary: str, spot: bool, words: str) -> None:
    account = lora(training={"lora": {"spot": spot}})
    plan = account.plan()
    account.start(plan)
    account.sagemaker.move(plan.job_name, secondary)
    looked = account.look_at_training(plan)
    assert (looked["status"], looked["message"].startswith(f"{plan.job_name}: {words}")) == ("InProgress", True)


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (
            {"phase": "training", "step": 300, "step_count": 1500, "loss": 0.1234, "eta_s": 725},
            "training, step 300 of 1,500, loss 0.12, about 12 minutes left",
        ),
        (
            {"phase": "training", "step": 1, "step_count": 9, "eta_s": 62},
            "training, step 1 of 9, about 1 minute left",
        ),
        ({"phase": "loading", "step": None, "step_count": None, "eta_s": None}, "loading"),
        ({"phase": "saving", "eta_s": 5}, "saving, nearly done"),
        ({"phase": "done", "eta_s": 0}, "done"),
        ({"nothing": "known"}, "working"),
    ],
)
def test_how_far_a_job_is_stands_in_its_work_folder(account: Account, progress: Any, words: str) -> None:
    plan = account.plan()
    account.start(plan)
    account.sagemaker.move(plan.job_name, "Training")
    tell_progress(account, plan.job_name, progress)
    assert account.look_at_training(plan)["message"] == f"{plan.job_name}: {words}"


def test_what_a_job_said_before_it_was_interrupted_is_not_told_any_more(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    told = {"phase": "training", "step": 300, "step_count": 1500}
    tell_progress(account, plan.job_name, told)
    account.sagemaker.move(plan.job_name, "Interrupted")
    assert "interrupted" in account.look_at_training(plan)["message"]


def test_a_job_that_stops_is_waited_for(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    account.jobs.stop(plan.job_name)
    assert account.look_at_training(plan)["status"] == "Stopping"


def test_a_finished_job_leaves_an_adapter_with_its_losses(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    account.clock.forward(hours=1)
    account.sagemaker.end(plan.job_name, billable_s=1234)
    looked = account.look_at_training(plan)
    assert looked["status"] == "Completed"
    model = model_of(account, plan)
    work = f"runs/{RUN}/training/{plan.training_id}/work-train/"
    assert (model.target, model.model_arn) == ("sagemaker", f"s3://media/{work}adapter/")
    assert (model.final_loss, model.held_out_loss, model.metrics_key) == (0.2, 0.3, f"{work}metrics.csv")
    assert (model.rank, model.resolution, model.step_count, model.batch_size) == (16, 1024, 100, 1)
    assert model.stand_in == STAND_IN
    row = row_of(account, plan.job_name)
    assert (row.state, row.ended_at, row.billable_s) == ("ended", START + timedelta(hours=1), 1234)
    assert account.look_at_training(plan) == looked, "a repetition says the same"
    assert account.check(2)["start_with"] == "host"


@pytest.mark.parametrize("missing", ["adapter.json", "pytorch_lora_weights.safetensors"])
def test_a_job_that_ends_without_an_adapter_has_failed(account: Account, missing: str) -> None:
    plan = account.plan()
    account.start(plan)
    account.sagemaker.end(plan.job_name)
    account.store.delete(f"{account.sagemaker.work(plan.job_name)}adapter/{missing}")
    for _ in range(2):
        looked = account.look_at_training(plan)
        assert looked["status"] == "Failed"
        assert "left no adapter" in looked["message"]
    assert account.trained(plan) is None
    assert account.claims.holders == {}
    assert row_of(account, plan.job_name).state == "ended"


def test_a_failure_is_told_as_the_trainer_named_it(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    reason = "AlgorithmError: WeightsMissingError: unet/config.json is missing, exit code: 1"
    account.sagemaker.end(plan.job_name, "Failed", failure=reason)
    looked = account.look_at_training(plan)
    assert looked["status"] == "Failed"
    assert reason in looked["message"]
    assert "/aws/sagemaker/TrainingJobs" in looked["message"]
    assert account.claims.holders == {}
    assert account.look_at_training(plan) == looked, "a repetition says the same, and starts nothing"


def test_a_job_that_somebody_stopped_is_told_again_and_again(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    account.sagemaker.end(plan.job_name, "Stopped")
    assert account.look_at_training(plan)["status"] == "Stopped"
    assert account.look_at_training(plan)["status"] == "Stopped"


@pytest.mark.parametrize(
    ("training", "budget", "secondary", "named"),
    [
        ({"max_hours": 2}, 1000, "MaxRuntimeExceeded", ("ran for 120 minutes", "Raise training.max_hours")),
        ({"max_hours": 72}, 6, "MaxRuntimeExceeded", ("Raise budget_usd", "bought no more")),
        ({"max_hours": 2}, 1000, "MaxWaitTimeExceeded", ("no spot capacity of ml.g5.xlarge", "lora.spot: false")),
    ],
)
def test_what_aws_own_clock_has_ended_says_what_to_raise(
    account: Account, training: Any, budget: float, secondary: str, named: tuple[str, ...]
) -> None:
    plan = account.plan(1, training=training, budget_usd=budget)
    account.start(plan)
    account.sagemaker.end(plan.job_name, "Stopped", secondary=secondary)
    looked = account.look_at_training(plan)
    assert looked["status"] == "Overdue"
    assert all(words in looked["message"] for words in named), looked["message"]
    assert account.claims.holders == {}
    assert row_of(account, plan.job_name).reason == secondary
    assert account.look_at_training(plan) == looked


def test_a_job_that_aws_clock_forgets_is_overdue_by_ours(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    account.clock.now = START + timedelta(hours=4) + CLOCK_GRACE - timedelta(seconds=1)
    assert account.look_at_training(plan)["status"] == "InProgress"
    account.clock.forward(seconds=1)
    assert account.look_at_training(plan)["status"] == "Overdue"
    assert account.torn_down(session_scope(plan))["status"] == "ended"
    assert account.sagemaker.billed == []


def test_a_job_that_somebody_deleted_is_told(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    account.sagemaker.jobs.clear()
    for _ in range(2):
        looked = account.look_at_training(plan)
        assert (looked["status"], "somebody deleted it" in looked["message"]) == ("Stopped", True)
    assert account.claims.holders == {}


def test_a_look_that_dies_anywhere_loses_neither_model_nor_claim() -> None:
    for status in ("Completed", "Failed"):
        for place in range(100):
            account = lora()
            plan = account.plan()
            account.start(plan)
            account.sagemaker.end(plan.job_name, status)
            try:
                account.look_at_training(plan, DiesAt(place))
            except DiedError:
                died = True
            else:
                died = False
            assert account.look_at_training(plan)["status"] == status, place
            assert (account.trained(plan) is not None) == (status == "Completed")
            if status == "Failed":
                assert account.claims.holders == {}
            if not died:
                break
        else:
            raise AssertionError("it never came to its end")


# ---- two sessions on one training -----------------------------------------------------------------


def test_a_second_session_follows_the_first_ones_job(account: Account) -> None:
    first, second = account.plan(1), account.plan(2)
    account.start(first)
    assert account.start(second) == {"job_name": first.job_name, "is_own": False}
    account.sagemaker.move(first.job_name, "Training")
    told = {"phase": "training", "step": 5, "step_count": 100}
    tell_progress(account, first.job_name, told)
    assert "step 5 of 100" in account.look_at_training(second)["message"], "it reads the folder of the first"
    account.sagemaker.end(first.job_name)
    assert account.look_at_training(second)["status"] == "InProgress", "the model is for the first to write down"
    assert account.look_at_training(first)["status"] == "Completed"
    assert account.look_at_training(second)["status"] == "Completed"
    assert account.sagemaker.made("create") == [first.job_name]


def test_who_follows_a_job_that_failed_fails_with_it_and_a_new_session_trains(account: Account) -> None:
    first, second = account.plan(1), account.plan(2)
    account.start(first)
    account.start(second)
    account.sagemaker.end(first.job_name, "Failed", failure="CapacityError: none")
    assert account.look_at_training(second)["status"] == "Failed"
    account.look_at_training(first)
    third = account.plan(3)
    assert account.start(third)["is_own"] is True
    assert len({first.job_name, third.job_name}) == 2, "no name is used twice"


@pytest.mark.parametrize("secondary", ["Stopped", "MaxRuntimeExceeded", "MaxWaitTimeExceeded"])
def test_what_a_stopped_job_had_trained_is_where_the_next_one_goes_on(account: Account, secondary: str) -> None:
    first = account.plan(1)
    account.start(first)
    work = account.sagemaker.work(first.job_name)
    account.store.put(f"{work}state-000050/complete.json", b"{}", "application/json")
    account.sagemaker.end(first.job_name, "Stopped", secondary=secondary)
    assert "goes on from its last checkpoint" in account.look_at_training(first)["message"]
    second = account.plan(2)
    assert account.start(second)["is_own"] is True
    assert account.sagemaker.orders[second.job_name].work_uri == account.sagemaker.orders[first.job_name].work_uri
    assert f"{work}state-000050/complete.json" in account.store.keys(work)
    account.sagemaker.end(second.job_name)
    account.look_at_training(second)
    model = model_of(account, second)
    assert (model.session_id, model.model_arn) == (second.session_id, f"s3://media/{work}adapter/")


def test_a_job_that_still_saves_its_state_keeps_others_out_of_its_folder(account: Account) -> None:
    first, second = account.plan(1), account.plan(2)
    account.start(first)
    account.tear_down(session_scope(first))
    assert account.sagemaker.jobs[first.job_name].status == "Stopping"
    assert account.start(second) == {"job_name": first.job_name, "is_own": False}
    assert account.look_at_training(second)["status"] == "InProgress"
    account.sagemaker.end(first.job_name, "Stopped")
    account.tear_down(session_scope(first))
    assert account.look_at_training(second)["status"] == "Vanished"
    assert account.start(second)["is_own"] is True


def test_two_trainings_of_a_run_at_once_share_its_budget(account: Account) -> None:
    first = account.plan(1, training={"max_hours": 2}, budget_usd=8)
    account.start(first)
    second = account.plan(2, training={"step_count": 200, "max_hours": 72}, budget_usd=8)
    account.start(second)
    hour_usd = job_hour_usd(first.settings)
    run_s = [account.sagemaker.orders[plan.job_name].max_run_s for plan in (first, second)]
    assert run_s[0] == 2 * 3600
    stop_s = 2 * 120
    assert (sum(run_s) + stop_s) / 3600 * hour_usd + hosting_most_usd(second.settings) <= 8
    with pytest.raises(BudgetExceededError):
        account.plan(3, training={"step_count": 300}, budget_usd=8)


def test_who_waits_for_anothers_training_is_not_refused_for_what_that_may_cost(account: Account) -> None:
    first = account.plan(1, training={"max_hours": 72}, budget_usd=3)
    account.start(first)
    second = account.plan(2, training={"max_hours": 72}, budget_usd=3)
    assert account.start(second) == {"job_name": first.job_name, "is_own": False}
    with pytest.raises(BudgetExceededError):
        account.plan(3, training={"step_count": 300}, budget_usd=3)


def test_another_training_of_the_run_has_another_folder(account: Account) -> None:
    first, second = account.plan(1), account.plan(2, training={"step_count": 200})
    account.start(first)
    account.start(second)
    assert account.sagemaker.work(first.job_name) != account.sagemaker.work(second.job_name)


def test_how_far_the_session_before_was_is_not_told_as_this_ones(account: Account) -> None:
    first = account.plan(1)
    account.start(first)
    told = {"phase": "training", "step": 50, "step_count": 100, "at": account.clock.now.isoformat()}
    tell_progress(account, first.job_name, told)
    account.sagemaker.move(first.job_name, "Training")
    assert "step 50 of 100" in account.look_at_training(first)["message"]
    account.sagemaker.end(first.job_name, "Stopped")
    account.look_at_training(first)
    account.clock.forward(minutes=1)
    second = account.plan(2)
    account.start(second)
    account.sagemaker.move(second.job_name, "Training")
    assert account.look_at_training(second)["message"] == f"{second.job_name}: working"


def test_who_follows_a_stopped_job_trains_itself(account: Account) -> None:
    first, second = account.plan(1), account.plan(2)
    account.start(first)
    account.start(second)
    account.torn_down(session_scope(first))
    assert account.look_at_training(second)["status"] == "Vanished"
    assert account.start(second)["is_own"] is True
    account.sagemaker.end(second.job_name)
    assert account.look_at_training(second)["status"] == "Completed"


# ---- the drawing job ------------------------------------------------------------------------------


def test_the_drawing_job_is_told_of_all_panels_of_both_models(account: Account) -> None:
    plan = trained(account)
    assert account.provision(plan) == {"name": plan.hosting_name}
    job = LoraJob.model_validate(account.sagemaker.told(plan.hosting_name))
    assert (job.task, job.name, job.characters) == ("draw", plan.hosting_name, ("Mara",))
    assert job.values is None
    assert [(one.prompt, one.drawn_by, one.image_count) for one in job.panels] == [
        ("A hill", "trained", 2),
        ("A hill", "base", 1),
        ("A lake", "trained", 2),
        ("A lake", "base", 1),
    ]
    assert {one.inference_steps for one in job.panels} == {40}, "premium"
    order = account.sagemaker.orders[plan.hosting_name]
    folder = f"s3://media/runs/{RUN}/training/{plan.training_id}/{plan.session_id}"
    adapter = f"s3://media/runs/{RUN}/training/{plan.training_id}/work-train/adapter/"
    assert order.prefixes == {"job": f"{folder}/job-draw/", "adapter": adapter}
    assert (order.manifests, order.work_uri, order.arguments) == ({}, f"{folder}/work-draw/", ("draw",))
    assert order.max_run_s == 3600
    row = row_of(account, plan.hosting_name)
    assert (row.kind, row.max_run_s, row.model_units) == ("drawing_job", 3600, 0)
    assert row.expires_at == START + timedelta(hours=1) + CLOCK_GRACE


def test_standard_quality_draws_in_fewer_steps(account: Account) -> None:
    plan = trained(account, storyboard={"quality": "standard"})
    account.provision(plan)
    assert {one["inference_steps"] for one in account.sagemaker.told(plan.hosting_name)["panels"]} == {25}


def test_a_drawing_that_is_done_is_in_service_and_no_longer_billed(account: Account) -> None:
    plan = trained(account)
    account.provision(plan)
    assert account.look_at_hosting(plan)["status"] == "Creating"
    account.sagemaker.end(plan.hosting_name, billable_s=77)
    for _ in range(2):
        assert account.look_at_hosting(plan)["status"] == "InService"
    row = row_of(account, plan.hosting_name)
    assert (row.state, row.billable_s) == ("ended", 77)
    assert drawn(account, plan, 0) == {"pictures": 3, "refused": ""}
    copy = copy_of(account, plan, 0, "trained")
    assert (copy.composite, copy.paid_by, len(copy.picture_keys)) == (True, plan.session_id, 2)
    assert copy.model_id.startswith("s3://media/")
    assert [account.store.get(key) for key in copy.picture_keys] == [PNG] * 2
    assert drawn(account, plan, 1) == {"pictures": 3, "refused": ""}
    assert copy_of(account, plan, 1, "base").model_id == plan.settings.training.model_id
    assert account.check(2)["start_with"] == "grade", "and is paid for once"


def test_how_far_the_drawing_is_is_told(account: Account) -> None:
    plan = trained(account)
    account.provision(plan)
    account.sagemaker.move(plan.hosting_name, "Training")
    told = {"phase": "drawing", "step": 2, "step_count": 6}
    tell_progress(account, plan.hosting_name, told)
    assert account.look_at_hosting(plan) == {
        "status": "Creating",
        "message": f"{plan.hosting_name}: drawing, step 2 of 6",
    }
    account.jobs.stop(plan.hosting_name)
    assert account.look_at_hosting(plan)["status"] == "Updating"


def test_a_panel_that_a_done_job_left_out_is_told_and_drawn_by_the_next_session(account: Account) -> None:
    plan = trained(account)
    account.provision(plan)
    account.sagemaker.end(plan.hosting_name, drawn=3)
    assert account.look_at_hosting(plan)["status"] == "InService"
    assert drawn(account, plan, 0)["pictures"] == 3
    told = drawn(account, plan, 1)
    assert (told["pictures"], "ended without this panel" in told["refused"]) == (2, True)
    copy = copy_of(account, plan, 1, "base")
    assert (copy.picture_keys, copy.paid_by, "storycast draw" in copy.refused) == ((), "", True)
    assert [order.drawn_by for order in unpaid_orders(account.store, plan)] == ["base"]
    assert account.check(2)["start_with"] == "host", "one job draws both, so this one alone is worth it"


def test_a_refusal_is_an_answer_and_is_paid_once(account: Account) -> None:
    plan = trained(account)
    account.provision(plan)
    account.sagemaker.end(plan.hosting_name, refuse="the prompt has no words that the model knows")
    assert account.look_at_hosting(plan)["status"] == "InService"
    assert drawn(account, plan, 0) == {
        "pictures": 1,
        "refused": "trained: the prompt has no words that the model knows",
    }
    assert unpaid_orders(account.store, plan) == []


@pytest.mark.parametrize(
    ("status", "secondary", "expected"),
    [("Failed", "", "Failed"), ("Stopped", "", "Failed"), ("Stopped", "MaxRuntimeExceeded", "Overdue")],
)
def test_what_a_job_drew_before_it_failed_is_kept(
    account: Account, status: Any, secondary: str, expected: str
) -> None:
    plan = trained(account)
    account.provision(plan)
    account.sagemaker.end(plan.hosting_name, status, secondary=secondary, failure="AlgorithmError: x", drawn=2)
    looked = account.look_at_hosting(plan)
    assert looked["status"] == expected
    assert "2 of the 4 panels that were asked of it are drawn and kept" in looked["message"]
    assert row_of(account, plan.hosting_name).state == "ended"
    second = account.plan(2)
    assert second.session_id != plan.session_id
    account.provision(second)
    panels = account.sagemaker.told(second.hosting_name)["panels"]
    missing = [("A lake", "trained"), ("A lake", "base")]
    assert [(one["prompt"], one["drawn_by"]) for one in panels] == missing, "what is there is not drawn again"


def test_a_picture_that_came_in_half_counts_as_not_drawn(account: Account) -> None:
    plan = trained(account)
    account.provision(plan)
    account.sagemaker.end(plan.hosting_name)
    work = account.sagemaker.work(plan.hosting_name)
    half, gone = sorted(key for key in account.store.keys(f"{work}panels/") if key.endswith("-1.png"))
    account.store.put(half, PNG[:20], "image/png")
    account.store.delete(gone)
    account.look_at_hosting(plan)
    assert {order.drawn_by for order in unpaid_orders(account.store, plan)} == {"trained"}


def test_a_record_that_names_pictures_elsewhere_is_not_believed(account: Account) -> None:
    plan = trained(account)
    account.provision(plan)
    account.sagemaker.end(plan.hosting_name)
    folder = f"{account.sagemaker.work(plan.hosting_name)}panels/"
    record = next(key for key in account.store.keys(folder) if key.endswith(".json"))
    told = json.loads(account.store.get(record))
    told["pictures"] = ["../../../secret.png"]
    account.store.put(record, json.dumps(told).encode(), "x")
    account.look_at_hosting(plan)
    assert len(unpaid_orders(account.store, plan)) == 1


def test_nothing_is_started_where_all_was_drawn_meanwhile(account: Account) -> None:
    first = trained(account)
    second = account.plan(2)
    account.provision(first)
    account.sagemaker.end(first.hosting_name)
    account.look_at_hosting(first)
    account.provision(second)
    assert account.look_at_hosting(second)["status"] == "InService"
    assert account.sagemaker.made("create") == [first.job_name, first.hosting_name]
    assert drawn(account, second, 1)["pictures"] == 3


def test_an_attempt_that_died_before_its_job_starts_none_where_all_was_drawn_meanwhile(account: Account) -> None:
    first = trained(account)
    second = account.plan(2)
    with pytest.raises(DiedError):
        account.provision(second, _dies_before_create)
    assert row_of(account, second.hosting_name).state == "intended"
    account.provision(first)
    account.sagemaker.end(first.hosting_name)
    account.look_at_hosting(first)
    assert account.provision(second) == {"name": second.hosting_name}
    assert account.look_at_hosting(second)["status"] == "InService"
    assert account.sagemaker.made("create") == [first.job_name, first.hosting_name], "a job without panels fails"
    assert account.torn_down(session_scope(second))["status"] == "ended"


def test_drawing_without_a_model_or_after_the_teardown_is_refused(account: Account) -> None:
    plan = account.plan()
    with pytest.raises(ModelMissingError):
        account.provision(plan)
    account.start(plan)
    account.sagemaker.end(plan.job_name)
    account.look_at_training(plan)
    account.tear_down(session_scope(plan))
    with pytest.raises(BillingClosedError):
        account.provision(plan)


def test_a_drawing_that_the_budget_does_not_buy_is_not_begun(account: Account) -> None:
    plan = trained(account, budget_usd=20)
    change_run(account.store, RUN, lambda run: run.with_counts(paid_detections=20_000))
    with pytest.raises(BudgetExceededError, match="drawing the storyboard"):
        account.provision(plan)
    assert account.sagemaker.made("create") == [plan.job_name]


def test_a_drawing_that_dies_anywhere_and_is_repeated_is_one_job() -> None:
    for place in range(100):
        account = lora()
        plan = trained(account)
        try:
            account.provision(plan, DiesAt(place))
        except DiedError:
            died = True
        else:
            died = False
        assert account.provision(plan) == {"name": plan.hosting_name}, place
        assert account.sagemaker.made("create") == [plan.job_name, plan.hosting_name], place
        if not died:
            return
    raise AssertionError("it never came to its end")


# ---- models of either target ----------------------------------------------------------------------


def test_a_drawing_goes_where_its_model_was_trained(account: Account) -> None:
    plan = trained(account)
    drawing = account.plan(2, draw_only=True, storyboard={"prompts": ["A mill"]})
    assert (drawing.target, drawing.fingerprint) == ("sagemaker", plan.fingerprint)
    canvas = {"target": "bedrock", "step_count": 100, "batch_size": 8}
    on_bedrock = account.to_trained(3, training=canvas, budget_usd=100_000)
    named = {"draw_only": True, "storyboard": {"prompts": ["A sea"]}, "budget_usd": 100_000}
    assert account.plan(4, training_id=on_bedrock.training_id, **named).target == "bedrock"
    again = account.plan(5, training_id=plan.training_id, **named)
    assert again.target == "sagemaker"
    account.provision(again)
    assert [one["prompt"] for one in account.sagemaker.told(again.hosting_name)["panels"]] == ["A sea", "A sea"]
    assert account.sagemaker.told(again.hosting_name)["base_model"]["id"] == plan.settings.training.model_id


def test_a_record_of_before_there_were_targets_is_one_of_bedrock(account: Account) -> None:
    plan = account.to_trained(
        1, training={"target": "bedrock", "step_count": 100, "batch_size": 8}, budget_usd=100_000
    )
    record = account.trained(plan)
    assert record
    for name in ("target", "rank", "resolution", "held_out_loss", "stand_in"):
        record.pop(name)
    assert TrainedModel.model_validate(record).target == "bedrock"


def test_an_adapter_that_somebody_deleted_is_trained_anew(account: Account) -> None:
    first = trained(account)
    account.store.delete(f"{account.sagemaker.work(first.job_name)}adapter/pytorch_lora_weights.safetensors")
    second = account.plan(2)
    assert account.trained(first) is None
    assert account.start(second)["is_own"] is True


def test_an_adapter_of_another_bucket_is_none_of_ours(account: Account) -> None:
    plan = trained(account)
    model = model_of(account, plan).model_copy(update={"model_arn": "s3://other/x/adapter/"})
    trainer = account.trainer("sagemaker")
    assert trainer.has_model(model) is False
    assert "nothing" in trainer.delete_model(model)


# ---- teardown -------------------------------------------------------------------------------------


def test_a_running_training_is_stopped_and_waited_for_and_billed_by_the_second(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    first = account.tear_down(session_scope(plan))
    assert (first["status"], plan.job_name in first["message"]) == ("ending", True)
    assert account.sagemaker.jobs[plan.job_name].status == "Stopping"
    account.sagemaker.end(plan.job_name, "Stopped", billable_s=99)
    assert account.tear_down(session_scope(plan))["status"] == "ended"
    assert account.sagemaker.made("stop") == [plan.job_name]
    assert row_of(account, plan.job_name).billable_s == 99
    assert account.claims.holders == {}


def test_a_training_that_is_done_keeps_its_adapter_whatever_ends_it(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    account.sagemaker.end(plan.job_name)
    assert account.tear_down({"scope": "all"})["status"] == "ended"
    assert model_of(account, plan).target == "sagemaker"
    assert account.check(2)["start_with"] == "host"


def test_a_drawing_that_is_torn_down_keeps_what_it_drew(account: Account) -> None:
    plan = trained(account)
    account.provision(plan)
    account.tear_down(session_scope(plan))
    assert account.sagemaker.made("stop") == [plan.hosting_name]
    account.sagemaker.end(plan.hosting_name, "Stopped", drawn=1)
    assert account.tear_down(session_scope(plan))["status"] == "ended"
    assert len(unpaid_orders(account.store, plan)) == 3
    assert account.sagemaker.billed == []


def test_a_teardown_without_a_job_waits_for_one_that_may_still_be_made(account: Account) -> None:
    plan = account.plan()
    with pytest.raises(DiedError):
        account.start(plan, _dies_before_create)
    assert account.sagemaker.calls == []
    first = account.tear_down(session_scope(plan))
    assert (first["status"], "may still be made" in first["message"]) == ("ending", True)
    assert account.torn_down(session_scope(plan))["status"] == "ended"


def _dies_before_create(place: str) -> None:
    if place == "before create":
        raise DiedError(place)


def test_a_start_that_is_under_way_when_the_session_is_torn_down_leaves_nothing() -> None:
    for place in range(100):
        account = lora()
        plan = account.plan()
        slow = Invocation(lambda gate, a=account, p=plan: a.start(p, gate))  # type: ignore[misc]
        slow.step(place)
        was_done = slow.is_done
        first = account.tear_down(session_scope(plan))
        slow.finish()
        if first["status"] == "ending":
            account.torn_down(session_scope(plan))
        for _ in range(4):
            account.clock.forward(minutes=15)
            account.torn_down({"scope": "expired"})
        assert account.sagemaker.billed == [], place
        assert account.claims.holders == {}
        assert not [row for row in account.book.rows() if row.is_open]
        if was_done:
            return
    raise AssertionError("it never came to its end")


def test_the_sweep_ends_a_job_that_has_outlived_its_time(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    account.clock.now = row_of(account, plan.job_name).expires_at - timedelta(seconds=1)
    assert account.tear_down({"scope": "expired"}) == {"status": "ended", "message": "nothing was billed"}
    account.clock.forward(seconds=1)
    assert account.torn_down({"scope": "expired"})["status"] == "ended"
    assert account.sagemaker.billed == []


# ---- what is deleted, and what no run owns --------------------------------------------------------


def test_a_models_files_are_deleted_and_told(account: Account) -> None:
    plan = trained(account)
    work = account.sagemaker.work(plan.job_name)
    deleted = account.delete()
    assert deleted["deleted"] == [plan.job_name]
    assert deleted["told"] == [f"3 files of the adapter and its checkpoints in s3://media/{work}"]
    left = account.store.keys(work)
    assert left == [f"{work}metrics.csv"], "how it was trained stays"
    assert account.trained(plan) is None
    assert account.check(2)["start_with"] == "train"


def test_jobs_called_as_ours_are_that_no_run_owns_are_told_once_a_day(account: Account) -> None:
    plan = account.plan()
    account.start(plan)
    jobs = account.sagemaker.jobs
    for name in ("resnet-2026", f"{RUN}-t0123abcd-0a1b2c", f"{RUN}-t0123abcd-0a1b2c-h", f"{RUN}-t0123-0a1b2c"):
        jobs[name] = JobFacts(name, f"arn:{name}", "InProgress", START)
    found = account.look_for_unowned()
    assert found["unowned"] == [f"{RUN}-t0123abcd-0a1b2c", f"{RUN}-t0123abcd-0a1b2c-h"]
    assert [subject for subject, _ in account.notifier.told] == ["Storycast: a training job that no run owns"] * 2
    assert "Stop it in the console of SageMaker AI" in account.notifier.told[0][1]
    account.clock.forward(minutes=15)
    account.look_for_unowned()
    assert len(account.notifier.told) == 2
    assert account.sagemaker.made("stop") == [], "they are not ours to end"


# ---- the file that both sides read ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["train", "draw"])
def test_the_golden_job_is_written_as_the_trainer_reads_it(name: str) -> None:
    golden = json.loads((ROOT / f"training/tests/golden/{name}.json").read_text(encoding="utf-8"))
    assert json.loads(LoraJob.model_validate(golden).model_dump_json()) == golden


def test_session_names_have_room_at_sagemaker(account: Account) -> None:
    plan = account.plan()
    assert len(plan.hosting_name) <= 63
    assert session_of(1) in plan.hosting_name
    longest = "r" * names.RUN_ID_MAX_LENGTH
    name = names.job_name(longest, plan.training_id, plan.session_id)
    assert len(plan.model_copy(update={"job_name": name}).hosting_name) <= 63
