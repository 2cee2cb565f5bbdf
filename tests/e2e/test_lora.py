"""From a film to an adapter and its storyboard on SageMaker's stand-in, IAM on, by the trainer's real entry point.

And whatever happens on the way: nothing is left billing. The model is tiny, and all that it draws is noise.
"""

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from local.tools import REPOSITORY
from storycast.estimate import job_hour_usd
from storycast.settings import Settings
from tests.e2e.film import write_film
from tests.e2e.sessions import assert_rows_are_closed, by_hand, leave_rows, torn_down
from tests.e2e.stack import Ended, Stack

pytestmark = [pytest.mark.e2e, pytest.mark.training]

RUN = "for-lora"
PROMPTS = ["Character 1 on a meadow", "Character 1 meets Character 2 at dusk"]
BUDGET_USD = 20
SETTINGS = f"""
sampling: {{frames_per_second: 2}}
selection: {{images_per_character: 8}}
training: {{target: sagemaker, step_count: 16, lora: {{rank: 4, resolution: 512}}}}
hosting: {{hours: 1}}
storyboard: {{prompts: {json.dumps(PROMPTS)}, images_per_prompt: 2, width: 512, height: 512}}
budget_usd: {BUDGET_USD}
"""
TRAINED_S, DRAWN_S = 800, 500
"""What the stand-in is told to bill of the first training and drawing."""
HANGS = 100_000
"""Seconds; longer than any test."""
NO_PROMPTS: dict[str, Any] = {"storyboard": {"prompts": []}}


@pytest.fixture(scope="module")
def whole(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A run that went from a film to a storyboard."""
    film = write_film(tmp_path_factory.mktemp("lora") / "film.mp4", seed=71, shots=8)
    # In turn: the training is the first job, the drawing the second.
    for seconds in (TRAINED_S, DRAWN_S):
        stack.standins("outcomes", {"training_job": {"billable_seconds": seconds}})
    ended = stack.run(film, "lora", RUN, SETTINGS)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    return ended


@pytest.fixture(autouse=True)
def clean(stack: Stack) -> Iterator[None]:
    yield
    stack.standins("outcomes", method="DELETE")
    stack.standins("faults", method="DELETE")


def jobs_of(stack: Stack, since: int) -> list[dict[str, Any]]:
    """Describe the jobs that were made since a call, the first first."""
    sagemaker = stack.aws.client("sagemaker")
    made = [c for c in stack.calls(since) if c["operation"] == "CreateTrainingJob" and not c["error"]]
    return [sagemaker.describe_training_job(TrainingJobName=call["model"].rpartition("/")[2]) for call in made]


def log_of(stack: Stack, job: dict[str, Any]) -> str:
    return (stack.aws.state_dir / "training" / job["TrainingJobName"] / "log.txt").read_text("utf-8")


def steps(job: dict[str, Any]) -> list[str]:
    return [one["Status"] for one in job["SecondaryStatusTransitions"]]


def train(stack: Stack, step_count: int, **more: Any) -> str:
    """Start a training of its own steps, so that nothing of it is paid already, without a storyboard."""
    training = {"step_count": step_count, **more.pop("training", {})}
    return stack.train(RUN, **{**NO_PROMPTS, **more}, training=training)


def draw(stack: Stack, prompt: str, **more: Any) -> str:
    """Start a drawing with the trained adapter."""
    board = {"prompts": [prompt], "images_per_prompt": 1, "base_images_per_prompt": 0}
    return stack.train(RUN, draw_only=True, storyboard=board, **more)


def model_of(stack: Stack, ended: Ended) -> dict[str, Any]:
    (key,) = [key for key in stack.keys("projects/lora/models/") if key.endswith("/model.json")][:1]
    return json.loads(stack.read(key))


# ---- the way through ------------------------------------------------------------------------------


def test_a_film_becomes_an_adapter_and_a_storyboard_and_nothing_is_left_billing(
    stack: Stack, whole: Ended
) -> None:
    assert not stack.billed()
    assert_rows_are_closed(stack)
    record = stack.record(RUN)
    assert record["status"] == "storyboard_ready"
    assert {(row["kind"], row["state"]) for row in record["billing"]} == {
        ("training_job", "ended"),
        ("drawing_job", "ended"),
    }
    model = model_of(stack, whole)
    folder = model["model_arn"].removeprefix(f"s3://{stack.bucket}/")
    assert folder.startswith(f"runs/{RUN}/training/")
    assert folder.endswith("/work-train/adapter/")
    adapter = json.loads(stack.read(f"{folder}adapter.json"))
    assert adapter["characters"] == ["Character 1", "Character 2"]
    assert adapter["base_model"] == "stabilityai/stable-diffusion-xl-base-1.0"
    assert "STAND-IN" in adapter["stand_in"]
    assert stack.read(f"{folder}pytorch_lora_weights.safetensors")
    assert stack.read(f"{folder}README.md")
    losses = list(csv.DictReader(io.StringIO(stack.read(model["metrics_key"]).decode())))
    assert losses[-1]["step_number"] == "16"
    assert float(losses[-1]["training_loss"]) == pytest.approx(model["final_loss"])
    assert model["held_out_loss"] is not None, "whole shots were held out"
    panels = [key for key in stack.keys(f"runs/{RUN}/storyboard/") if key.endswith(".png")]
    assert sum("-trained-" in key for key in panels) == 4
    assert sum("-base-" in key for key in panels) == 2
    pictures = {key: np.asarray(Image.open(io.BytesIO(stack.read(key)))) for key in panels}
    assert all(picture.std() > 1 for picture in pictures.values()), "noise is no plain colour"
    report = stack.read(f"runs/{RUN}/report.html")
    assert b"STAND-IN" in report.upper()
    grades = json.loads(stack.read(f"runs/{RUN}/storyboard/grades.json"))
    assert {grade["verdict"] for grade in grades["grades"]} == {"not graded"}


def test_the_jobs_are_asked_for_as_the_project_says_and_the_budget_buys(stack: Stack, whole: Ended) -> None:
    trained, drawn = jobs_of(stack, 0)[:2]
    assert drawn["TrainingJobName"] == f"{trained['TrainingJobName']}-h"
    for job in (trained, drawn):
        assert steps(job) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
        assert job["EnableManagedSpotTraining"]
        assert not job["EnableNetworkIsolation"], "weights come from the hub"
        assert job["RoleArn"] == stack.aws.outputs["TrainingRoleArn"]
        limits = job["StoppingCondition"]
        assert limits["MaxWaitTimeInSeconds"] >= limits["MaxRuntimeInSeconds"]
    channels = {
        one["ChannelName"]: one["DataSource"]["S3DataSource"]["S3DataType"] for one in trained["InputDataConfig"]
    }
    assert channels == {"job": "S3Prefix", "pictures": "ManifestFile"}
    assert {one["ChannelName"] for one in drawn["InputDataConfig"]} == {"job", "adapter"}
    hour_usd = job_hour_usd(Settings.model_validate({"training": {"target": "sagemaker"}}))
    most = sum(job["StoppingCondition"]["MaxRuntimeInSeconds"] for job in (trained, drawn)) / 3600 * hour_usd
    assert most <= BUDGET_USD, "AWS's own clock keeps the budget"
    metrics = {one["MetricName"] for one in trained["FinalMetricDataList"]}
    assert metrics == {"train_loss", "held_out_loss", "pictures_per_second"}
    tags = stack.aws.client("sagemaker").list_tags(ResourceArn=trained["TrainingJobArn"])["Tags"]
    assert {"Key": "storycast:run", "Value": RUN} in tags


def test_what_it_cost_is_what_aws_bills_and_within_the_estimate(stack: Stack, whole: Ended) -> None:
    """The stand-in was told to bill so many seconds: those of a tiny model tell nothing."""
    record = stack.record(RUN)
    jobs = {line["stage"]: line for line in record["cost"]["lines"] if "ml.g5.xlarge" in line["what"]}
    hour_usd = job_hour_usd(Settings.model_validate({"training": {"target": "sagemaker"}}))
    for stage, seconds in (("start_training", TRAINED_S), ("provision_model", DRAWN_S)):
        assert jobs[stage]["usd"] == pytest.approx(seconds / 3600 * hour_usd, abs=0.001)
        (estimated,) = [line for line in record["estimate"]["lines"] if line["stage"] == stage]
        low, high = estimated["usd"]
        assert low <= jobs[stage]["usd"] <= high
    assert record["cost"]["total_usd"] <= record["estimate"]["total_usd"][1] <= BUDGET_USD


def test_a_drawing_that_nobody_closed_is_closed_by_the_teardown(stack: Stack, whole: Ended) -> None:
    leave_rows(stack, RUN, "SET #state = :live", **{"#state": "state"})
    ended = stack.tear_down(scope="run", run_id=RUN)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert_rows_are_closed(stack)


def test_the_same_training_again_pays_nothing(stack: Stack, whole: Ended) -> None:
    mark = stack.calls_so_far()
    again = torn_down(stack, stack.train(RUN))
    assert again.status == "SUCCEEDED", (again.error, again.cause)
    assert stack.paid_calls(mark) == {}


def test_the_command_draws_with_the_adapter_and_ends(stack: Stack, whole: Ended, tmp_path: Path) -> None:
    mark = stack.calls_so_far()
    command = [REPOSITORY / ".venv/bin/storycast", "draw", RUN, "--prompt", "Character 2 in the rain", "--yes"]
    told = subprocess.run(
        [*command, "--state", stack.aws.state_dir, "--out", tmp_path], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr
    (job,) = jobs_of(stack, mark)
    assert job["TrainingJobStatus"] == "Completed"
    assert not stack.billed()
    assert [key for key in stack.keys(f"runs/{RUN}/storyboard/") if "03-" in key and key.endswith(".png")]
    assert_rows_are_closed(stack)


def test_two_sessions_at_once_pay_for_one_training(stack: Stack, whole: Ended) -> None:
    mark = stack.calls_so_far()
    mine = by_hand(stack, RUN)
    for arn in [train(stack, 20, **mine) for _ in range(2)]:
        ended = torn_down(stack, arn)
        assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert len(jobs_of(stack, mark)) == 1
    assert_rows_are_closed(stack)


# ---- interrupted, stopped, out of time ------------------------------------------------------------


def test_a_job_that_is_interrupted_goes_on_from_its_checkpoint(stack: Stack, whole: Ended) -> None:
    """With weights of the stack's own, and so without a network."""
    weights = f"s3://{stack.bucket}/models/sdxl/"
    for name in WEIGHTS:
        stack.put(f"models/sdxl/{name}", b"{}")
    mark = stack.calls_so_far()
    stack.standins("outcomes", {"training_job": {"interrupt_after_step": 4}})
    ended = torn_down(stack, train(stack, 60, training={"base_model": weights}))
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    (job,) = jobs_of(stack, mark)
    assert job["EnableNetworkIsolation"]
    assert steps(job) == [
        *("Starting", "Downloading", "Training", "Interrupted"),
        *("Starting", "Downloading", "Training", "Uploading", "Completed"),
    ]
    log = log_of(stack, job)
    assert log.count("Going on from state-") == 1
    assert log.index("Asked to end") < log.index("Going on from state-") < log.index("step=60/60")
    assert log.count("step=60/60") == 1
    assert_rows_are_closed(stack)


WEIGHTS = [
    *("model_index.json", "scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer_2/vocab.json"),
    *(
        f"{folder}/{name}"
        for folder in ("unet", "vae", "text_encoder", "text_encoder_2")
        for name in ("config.json", "model.safetensors")
    ),
]


def test_an_execution_that_is_stopped_while_it_trains_leaves_nothing_billing(stack: Stack, whole: Ended) -> None:
    mark = stack.calls_so_far()
    arn = train(stack, 21)
    stack.wait_until("the training", lambda: [job for job in jobs_of(stack, mark) if "Training" in steps(job)])
    stack.states.stop_execution(executionArn=arn, error="Cancelled", cause="A test did it.")
    assert torn_down(stack, arn).status == "ABORTED"
    (job,) = jobs_of(stack, mark)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert_rows_are_closed(stack)
    assert stack.record(RUN)["status"] == "dataset_ready", "the dataset is as good as before"


def test_the_command_ends_what_runs(stack: Stack, whole: Ended) -> None:
    mark = stack.calls_so_far()
    stack.standins("outcomes", {"training_job": {"seconds": HANGS}})
    arn = train(stack, 22)
    stack.wait_until("the job", stack.billed)
    command = [REPOSITORY / ".venv/bin/storycast", "teardown", RUN, "--state", stack.aws.state_dir]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert not stack.billed()
    # The emulator calls a stopped execution FAILED whose function ends badly after that.
    assert torn_down(stack, arn).status in {"ABORTED", "FAILED"}
    (job,) = jobs_of(stack, mark)
    assert steps(job) == ["Starting", "Stopping", "Stopped"]
    assert_rows_are_closed(stack)


def test_a_job_that_somebody_stops_ends_the_session(stack: Stack, whole: Ended) -> None:
    stack.standins("outcomes", {"training_job": {"seconds": HANGS}})
    arn = train(stack, 23)
    (job,) = stack.wait_until("the job", stack.billed)
    assert (job["kind"], job["status"]) == ("training_job", "InProgress")
    stack.aws.client("sagemaker").stop_training_job(TrainingJobName=job["name"])
    ended = torn_down(stack, arn)
    assert (ended.status, ended.error) == ("FAILED", "TrainingStoppedError")
    assert_rows_are_closed(stack)


def test_a_job_that_aws_s_own_clock_ends_is_overdue_and_goes_on_in_the_next_session(
    stack: Stack, whole: Ended
) -> None:
    mark = stack.calls_so_far()
    stack.standins("outcomes", {"training_job": {"exceed": True}})
    ended = torn_down(stack, train(stack, 60, training={"lora": {"spot": False}}))
    assert (ended.status, ended.error) == ("FAILED", "TrainingOverdueError")
    (job,) = jobs_of(stack, mark)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert not job["EnableManagedSpotTraining"]
    assert "budget_usd" in ended.cause or "max_hours" in ended.cause
    assert "goes on from its last checkpoint" in ended.cause
    assert_rows_are_closed(stack)
    again = torn_down(stack, train(stack, 60))
    assert again.status == "SUCCEEDED", (again.error, again.cause)
    first, second = jobs_of(stack, mark)
    assert first["CheckpointConfig"] == second["CheckpointConfig"]
    assert "Going on from state-" not in log_of(stack, first)
    log = log_of(stack, second)
    assert log.index("Going on from state-") < log.index("step=60/60")
    assert "passed over" not in log
    assert_rows_are_closed(stack)


def test_no_spot_capacity_in_time_is_told(stack: Stack, whole: Ended) -> None:
    stack.standins("outcomes", {"training_job": {"exceed_wait": True}})
    ended = torn_down(stack, train(stack, 25))
    assert (ended.status, ended.error) == ("FAILED", "TrainingOverdueError")
    assert "training.lora.spot: false" in ended.cause
    assert_rows_are_closed(stack)


def test_the_sweep_ends_a_job_that_has_outlived_its_time(stack: Stack, whole: Ended) -> None:
    stack.standins("outcomes", {"training_job": {"seconds": HANGS}})
    arn = train(stack, 26)
    (job,) = stack.wait_until("the job", stack.billed)
    expire(stack, job["name"])
    swept = stack.tear_down(scope="expired", reason="its time is over")
    assert swept.status == "SUCCEEDED", (swept.error, swept.cause)
    assert not stack.billed()
    ended = torn_down(stack, arn)
    assert ended.status == "FAILED"
    assert_rows_are_closed(stack)


def expire(stack: Stack, name: str) -> None:
    """Let the time of something billed be over."""
    stack.aws.client("dynamodb").update_item(
        TableName=stack.aws.outputs["TableName"],
        Key={"pk": {"S": f"billing#{name}"}},
        UpdateExpression="SET expires_at = :then",
        ExpressionAttributeValues={":then": {"S": "2026-01-01T00:00:00.000+00:00"}},
    )


def test_a_drawing_that_aws_s_own_clock_ends_is_overdue(stack: Stack, whole: Ended) -> None:
    stack.standins("outcomes", {"training_job": {"exceed": True}})
    ended = torn_down(stack, draw(stack, "Character 2 on the moon"))
    assert (ended.status, ended.error) == ("FAILED", "HostingOverdueError")
    assert "hosting.hours" in ended.cause
    assert_rows_are_closed(stack)


# ---- failed ---------------------------------------------------------------------------------------


def test_a_training_that_fails_ends_with_the_trainer_s_words(stack: Stack, whole: Ended) -> None:
    lines = []
    captions = (
        "Mara by the sea",
        "Mara runs up a hill",
        "A dark room, Mara asleep",
        "Snow falls on Mara's sleeve",
        "Two lamps light Mara from below",
        "Behind glass Mara waves",
    )
    for number, caption in enumerate(captions):
        content = io.BytesIO()
        Image.new("RGB", (512, 512), (40 * number, 90, 200)).save(content, "PNG")
        stack.put(f"datasets/broken/{number}.png", content.getvalue() if number else b"no picture at all")
        line = {"image-ref": f"s3://{stack.bucket}/datasets/broken/{number}.png", "caption": caption}
        lines.append(json.dumps(line))
    stack.put("datasets/broken/manifest.jsonl", "\n".join(lines).encode())
    request = {"training": {"target": "sagemaker", "step_count": 20}, "budget_usd": BUDGET_USD, **NO_PROMPTS}
    arn = stack.train("broken", manifest_key="datasets/broken/manifest.jsonl", **request)
    ended = torn_down(stack, arn)
    assert (ended.status, ended.error) == ("FAILED", "TrainingFailedError")
    assert "PicturesUnreadableError" in ended.cause
    assert "datasets/broken/0.png" in ended.cause
    assert "/aws/sagemaker/TrainingJobs" in ended.cause
    assert stack.record("broken")["error"] == "TrainingFailedError"
    assert_rows_are_closed(stack)


def test_a_training_that_gets_no_machine_ends_with_aws_s_words(stack: Stack, whole: Ended) -> None:
    stack.standins(
        "outcomes", {"training_job": {"fail": "CapacityError: Unable to provision requested ML compute."}}
    )
    ended = torn_down(stack, train(stack, 27))
    assert (ended.status, ended.error) == ("FAILED", "TrainingFailedError")
    assert "CapacityError: Unable to provision" in ended.cause
    assert_rows_are_closed(stack)


def test_a_drawing_that_fails_ends_by_name_and_the_adapter_stays(stack: Stack, whole: Ended) -> None:
    stack.standins("outcomes", {"training_job": {"fail": "CapacityError: no machine to draw on"}})
    ended = torn_down(stack, draw(stack, "Character 1 under water"))
    assert (ended.status, ended.error) == ("FAILED", "HostingFailedError")
    assert "CapacityError: no machine to draw on" in ended.cause
    assert stack.read(model_of(stack, whole)["model_arn"].removeprefix(f"s3://{stack.bucket}/") + "adapter.json")
    assert_rows_are_closed(stack)


def test_weights_that_are_none_and_a_budget_that_buys_nothing_stop_before_anything_is_paid(
    stack: Stack, whole: Ended
) -> None:
    mark = stack.calls_so_far()
    stack.put("models/empty/README.md", b"nothing else")
    ended = torn_down(stack, train(stack, 28, training={"base_model": f"s3://{stack.bucket}/models/empty/"}))
    assert (ended.status, ended.error) == ("FAILED", "TrainingPlanInvalidError")
    assert "model_index.json" in ended.cause
    ended = torn_down(stack, train(stack, 29, budget_usd=0.05))
    assert (ended.status, ended.error) == ("FAILED", "BudgetExceededError")
    assert stack.paid_calls(mark) == {}


def test_a_job_that_no_run_owns_is_told_and_left_alone(stack: Stack, whole: Ended) -> None:
    trained = jobs_of(stack, 0)[0]
    sagemaker = stack.aws.client("sagemaker")
    stack.standins("outcomes", {"training_job": {"seconds": HANGS}, "count": 2})
    request = {
        "AlgorithmSpecification": {
            "TrainingImage": trained["AlgorithmSpecification"]["TrainingImage"],
            "TrainingInputMode": "File",
        },
        **{name: trained[name] for name in ("RoleArn", "OutputDataConfig", "ResourceConfig")},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    ours, theirs = "somebody-t0123abcd-012345", "somebody-elses"
    arn = sagemaker.create_training_job(TrainingJobName=ours, **request)["TrainingJobArn"]
    sagemaker.create_training_job(TrainingJobName=theirs, **request)
    try:
        swept = stack.tear_down(scope="expired", reason="its time is over")
        assert swept.status == "SUCCEEDED", (swept.error, swept.cause)
        assert {one["name"] for one in stack.billed()} == {ours, theirs}
        claims = stack.aws.client("dynamodb").scan(TableName=stack.aws.outputs["TableName"])["Items"]
        told = [item["pk"]["S"] for item in claims if "unowned" in item["pk"]["S"]]
        assert any(arn in one for one in told)
        assert not any(theirs in one for one in told), "trainings of others are none of our business"
    finally:
        for name in (ours, theirs):
            sagemaker.stop_training_job(TrainingJobName=name)
    stack.wait_until("nothing billed", lambda: not stack.billed())


def test_an_adapter_is_deleted_only_when_told_to(stack: Stack, whole: Ended) -> None:
    folder = model_of(stack, whole)["model_arn"].removeprefix(f"s3://{stack.bucket}/")
    kept = stack.tear_down(scope="run", run_id=RUN)
    assert kept.status == "SUCCEEDED", (kept.error, kept.cause)
    assert stack.keys(folder)
    gone = stack.tear_down(scope="run", run_id=RUN, delete_model=True)
    assert gone.status == "SUCCEEDED", (gone.error, gone.cause)
    assert not stack.keys(folder)


def test_a_quota_of_nothing_is_told(stack: Stack, whole: Ended) -> None:
    """The last one: its teardown keeps the intent open for minutes, since the call might still be under way."""
    rule = {"service": "sagemaker", "operation": "CreateTrainingJob", "error": "ResourceLimitExceeded"}
    stack.standins("faults", [rule])
    ended = stack.wait(train(stack, 30))
    assert (ended.status, ended.error) == ("FAILED", "TrainingAccessError")
    assert "ml.g5.xlarge for spot training job usage" in ended.cause
    assert not stack.billed()
