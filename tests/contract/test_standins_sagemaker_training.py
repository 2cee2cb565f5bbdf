"""SageMaker training jobs through a real client: states, input, output, time, money. The trainer is a script."""

import io
import json
import os
import signal
import stat
import subprocess
import sys
import tarfile
import time
import urllib.request
from datetime import timedelta
from pathlib import Path

import boto3
import pytest

from local.standins import bedrock_world, container_root, container_work
from local.standins.outcomes import Outcome, TrainingJobOutcome
from local.standins.server import running
from tests.contract import scripted_trainer
from tests.contract.conftest import serving
from tests.contract.small_s3 import SmallS3, serves

ROLE = "arn:aws:iam::000000000000:role/trains"
BUCKET, OTHER = "media", "weights"
WORK = f"{BUCKET}/runs/r1/work-train/"
PICTURES = ["runs/r1/dataset/images/ä 1.png", "datasets/x/2.png"]
JOB = {
    "format": "storycast-lora-1",
    "base_model": {"source": "hub", "id": "stabilityai/stable-diffusion-xl-base-1.0"},
    "values": {"step_count": 1500, "batch_size": 1, "resolution": 1024},
    "panels": [{"width_px": 1280, "height_px": 64, "inference_steps": 30}] * 2,
}


@pytest.fixture
def s3(environment, monkeypatch):
    """The small S3 with what a job reads, found by the stand-ins."""
    found = SmallS3({BUCKET, OTHER})
    manifest = [{"prefix": f"s3://{BUCKET}/"}, *PICTURES]
    found.objects |= {
        f"{BUCKET}/runs/r1/job-train/job.json": json.dumps(JOB).encode(),
        f"{BUCKET}/runs/r1/pictures.manifest": json.dumps(manifest).encode(),
        f"{BUCKET}/adapters/a/adapter.json": b"{}",
        f"{BUCKET}/adapters/a/deep/er.bin": b"12345",
        f"{BUCKET}/adapters/aside.bin": b"not asked for",
        **{f"{BUCKET}/{key}": key.encode() for key in PICTURES},
    }
    with serving(serves(found)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
        monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
        monkeypatch.setattr(bedrock_world, "DELETION_SECONDS", 0.2)
        monkeypatch.setattr(container_work, "SYNC_SECONDS", 0.1)
        yield found


@pytest.fixture(autouse=True)
def trainer(tmp_path, monkeypatch):
    """The scripted trainer in the place of Python with torch."""
    script = tmp_path / "trainer"
    script.write_text(f"#!{sys.executable}\n{Path(scripted_trainer.__file__).read_text('utf-8')}", "utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("STORYCAST_TRAINING_PYTHON", str(script))
    return script


def asks(name, play=None, **more):
    """What a job is asked for with; ``play`` tells the scripted trainer what to do."""
    channels = [
        {"ChannelName": "job", "DataSource": prefix(f"s3://{BUCKET}/runs/r1/job-train/")},
        {"ChannelName": "pictures", "DataSource": manifest(f"s3://{BUCKET}/runs/r1/pictures.manifest")},
        {"ChannelName": "adapter", "DataSource": prefix(f"s3://{BUCKET}/adapters/a/")},
    ]
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": "000000000000.dkr.ecr.us-east-1.amazonaws.com/storycast-training:latest",
            "TrainingInputMode": "File",
            "ContainerArguments": ["train"],
            "MetricDefinitions": [
                {"Name": "train_loss", "Regex": r"train_loss=([0-9.]+)"},
                {"Name": "held_out_loss", "Regex": r"held_out_loss=([0-9.]+)"},
            ],
        },
        "RoleArn": ROLE,
        "InputDataConfig": channels,
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/runs/r1/output/"},
        "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
        "EnableManagedSpotTraining": True,
        "CheckpointConfig": {"S3Uri": f"s3://{WORK}", "LocalPath": "/opt/ml/checkpoints"},
        "HyperParameters": {"steps": "5"},
        "Environment": {"PLAY": json.dumps(play or {})},
        "Tags": [{"Key": "storycast:run", "Value": "r1"}],
        **more,
    }


def prefix(uri):
    return {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}}


def manifest(uri):
    return {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": uri}}


@pytest.fixture
def start(call, s3):
    """Start a job; gives what describes it."""

    def make(name, play=None, **more):
        call("sagemaker", "CreateTrainingJob", **asks(name, play, **more))
        return lambda: call("sagemaker", "DescribeTrainingJob", TrainingJobName=name)

    return make


@pytest.fixture
def stop(client):
    """Stop a job; the service answers nothing."""
    return lambda name: client("sagemaker").stop_training_job(TrainingJobName=name)


def until(told, is_so, seconds=20.0):
    """Wait until what is told of a job is so, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_so(found := told()):
            return found
        time.sleep(0.02)
    raise AssertionError(found)


def ended(told):
    return until(told, lambda job: job["TrainingJobStatus"] not in {"InProgress", "Stopping"})


def trains(told):
    return until(told, lambda job: job["SecondaryStatus"] == "Training")


def steps(job):
    return [one["Status"] for one in job["SecondaryStatusTransitions"]]


def kept(s3, path):
    return json.loads(s3.objects[f"{WORK}{path}"])


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that init has not seen yet is not alive.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_for_file(s3, path, seconds=20.0):
    until(lambda: f"{WORK}{path}" in s3.objects, bool, seconds)


# ---- the way through ------------------------------------------------------------------------------


def test_a_job_runs_the_entry_point_and_gives_back_what_it_leaves(start, s3, log, own):
    told = start("whole", {"steps": 5, "step_s": 0.1})
    (row,) = [one for one in own("GET", "billing")[1]["billed"] if one["name"] == "whole"]
    assert (row["kind"], row["status"], row["arn"]) == ("training_job", "InProgress", told()["TrainingJobArn"])
    job = ended(told)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed", job
    assert steps(job) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all(one["EndTime"] >= one["StartTime"] for one in job["SecondaryStatusTransitions"])
    assert job["CreationTime"] <= job["TrainingStartTime"] <= job["TrainingEndTime"] <= job["LastModifiedTime"]
    (metric,) = job["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("train_loss", pytest.approx(0.2))
    assert 0 <= job["BillableTimeInSeconds"] <= job["TrainingTimeInSeconds"] + 1
    assert "FailureReason" not in job
    asked = asks("whole")
    for name in (
        "AlgorithmSpecification",
        "ResourceConfig",
        "StoppingCondition",
        "CheckpointConfig",
        "HyperParameters",
    ):
        assert job[name] == asked[name]
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/runs/r1/output/whole/output/model.tar.gz"
    with tarfile.open(
        fileobj=io.BytesIO(s3.objects[f"{BUCKET}/runs/r1/output/whole/output/model.tar.gz"])
    ) as model:
        assert model.getnames() == ["README.txt"]
    assert s3.objects[f"{WORK}adapter/weights.bin"] == b"w" * 1000
    assert kept(s3, "progress.json")["phase"] == "done"
    assert f"{WORK}old-state" not in s3.objects, "what the job removed is removed in S3, as AWS documents it"
    assert f"{WORK}old-state" in {path for _, method, path in s3.done if method == "DELETE"}
    assert {who for who, _, _ in s3.done} == {"ASIAROLE"}, "nothing with the stand-ins' own keys"
    assert s3.session == "SageMaker-whole"
    assert not [one for one in own("GET", "billing")[1]["billed"] if one["name"] == "whole"]
    (made,) = [line for line in log() if line["operation"] == "CreateTrainingJob"]
    assert (made["paid"], made["model"]) == (True, job["TrainingJobArn"])


def test_the_root_is_laid_out_as_sagemaker_does_with_a_small_model_in_the_large_ones_place(start, s3, standins):
    assert ended(start("layout"))["TrainingJobStatus"] == "Completed"
    seen = kept(s3, "seen-0.json")
    data = "input/data"
    assert set(seen["files"]) - {"checkpoints/old-state"} == {
        f"{data}/job/job.json",
        *(f"{data}/pictures/{key}" for key in PICTURES),
        f"{data}/adapter/adapter.json",
        f"{data}/adapter/deep/er.bin",
        f"{data}/weights/model_index.json",
        f"{data}/weights/STAND-IN.txt",
        "input/config/resourceconfig.json",
    }
    machine = seen["machine"]
    assert (machine["current_instance_type"], machine["hosts"]) == ("ml.g5.xlarge", ["algo-1"])
    assert seen["job"]["base_model"] == {"source": "folder", "id": JOB["base_model"]["id"]}
    assert seen["job"]["values"] == {"step_count": 60, "batch_size": 1, "resolution": 128}
    assert seen["job"]["panels"] == [{"width_px": 128, "height_px": 64, "inference_steps": 4}] * 2
    assert seen["mark"] == (
        "STAND-IN: nothing; on the local stand-in of SageMaker, with step_count 60 for 1500, resolution 128 for "
        "1024, inference_steps 4 for 30, width_px 128 for 1280.\n"
    )
    assert seen["arguments"][:2] == ["-m", "trainer"]
    assert seen["arguments"][-1] == "train"
    assert Path(seen["cwd"]).name == "training"
    here = seen["environment"]
    assert here["HF_HUB_OFFLINE"] == "1"
    assert here["TRAINING_JOB_NAME"] == "layout"
    assert not [name for name in here if name.startswith("AWS_")], "no keys, and no way to the emulator"
    log_file = Path(standins.state) / "training/layout/log.txt"
    assert "step=5/5 train_loss=0.2" in log_file.read_text("utf-8")
    assert [one.name for one in log_file.parent.iterdir()] == ["log.txt"], "the root is gone"


def test_a_prefix_without_a_slash_is_a_folder_s_or_a_file_s_name(start, s3):
    channels = [
        {"ChannelName": "job", "DataSource": prefix(f"s3://{BUCKET}/runs/r1/job-train/job.json")},
        {"ChannelName": "adapter", "DataSource": prefix(f"s3://{BUCKET}/adapters/a")},
    ]
    assert ended(start("no-slash", InputDataConfig=channels))["TrainingJobStatus"] == "Completed"
    found = {file.removeprefix("input/data/") for file in kept(s3, "seen-0.json")["files"]}
    assert {"job/job.json", "adapter/adapter.json", "adapter/deep/er.bin", "adapter/aside.bin"} <= found


def test_weights_of_one_s_own_are_replaced_where_they_are_some(start, s3):
    s3.objects |= {f"{OTHER}/sdxl/model_index.json": b"{}", f"{OTHER}/sdxl/unet/large.bin": b"1"}
    s3.objects[f"{BUCKET}/runs/r1/job-train/job.json"] = json.dumps(
        JOB | {"base_model": {"source": "folder", "id": f"s3://{OTHER}/sdxl/"}}
    ).encode()
    weights = {"ChannelName": "weights", "DataSource": prefix(f"s3://{OTHER}/sdxl/")}
    channels = [*asks("x")["InputDataConfig"], weights]
    assert ended(start("own-weights", InputDataConfig=channels))["TrainingJobStatus"] == "Completed"
    seen = kept(s3, "seen-0.json")
    assert [file for file in seen["files"] if "/weights/" in file] == [
        "input/data/weights/STAND-IN.txt",
        "input/data/weights/model_index.json",
    ]
    # What is no model stays as it is, for the entry point to refuse.
    del s3.objects[f"{OTHER}/sdxl/model_index.json"]
    for path in [path for path in s3.objects if path.startswith(WORK)]:
        del s3.objects[path]
    ended(start("no-weights", InputDataConfig=channels))
    seen = kept(s3, "seen-0.json")
    assert [file for file in seen["files"] if "/weights/" in file] == ["input/data/weights/unet/large.bin"]
    assert seen["job"]["values"]["step_count"] == 1500


def test_files_are_given_back_one_by_one_where_asked(start, s3):
    output = {"S3OutputPath": f"s3://{BUCKET}/out", "CompressionType": "NONE"}
    job = ended(start("unpacked", OutputDataConfig=output))
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/out/unpacked/output/model/"
    assert s3.objects[f"{BUCKET}/out/unpacked/output/model/README.txt"] == b"All is in the checkpoints."


def test_what_is_in_s3_already_is_there_at_the_start(start, s3):
    s3.objects[f"{WORK}state.txt"] = b"3"
    assert ended(start("goes-on"))["TrainingJobStatus"] == "Completed"
    assert kept(s3, "seen-3.json")["begun"] == 3


def test_without_spot_all_time_is_billed_and_checkpoints_are_no_must(start, s3):
    asked = asks("x")
    del asked["CheckpointConfig"], asked["EnableManagedSpotTraining"]
    told = start("plain", StoppingCondition={"MaxRuntimeInSeconds": 60}, EnableManagedSpotTraining=False)
    job = ended(told)
    assert job["BillableTimeInSeconds"] >= job["TrainingTimeInSeconds"]
    assert "MaxWaitTimeInSeconds" not in job["StoppingCondition"]


# ---- bad ends -------------------------------------------------------------------------------------


def test_what_the_entry_point_says_of_its_failure_is_the_reason(start, s3):
    message = "PicturesUnreadableError: images/1.png is no picture. "
    job = ended(start("fails", {"fail": message, "padding": 2000}))
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"] == f"AlgorithmError: {message.ljust(1024, 'x')}, exit code: 1"
    assert kept(s3, "progress.json")["step"] == 5, "checkpoints are kept"


def test_an_end_without_a_word_is_told_by_its_code(start):
    assert ended(start("crashes", {"crash": True}))["FailureReason"] == (
        "AlgorithmError: See job logs for more information, exit code: 3"
    )


def test_a_job_that_gets_no_machine_fails_with_the_reason_that_a_test_asks_for(start, own):
    own("POST", "outcomes", {"training_job": {"fail": "CapacityError: Unable to provision requested ML compute."}})
    job = ended(start("no-machine"))
    assert job["FailureReason"] == "CapacityError: Unable to provision requested ML compute."
    assert steps(job) == ["Starting", "Failed"]
    assert "BillableTimeInSeconds" not in job


@pytest.mark.parametrize(
    ("name", "denied", "says"),
    [
        (
            "unread",
            f"GET {BUCKET}/{PICTURES[1]}",
            f"s3://{BUCKET}/{PICTURES[1]} can't be read with the job's role",
        ),
        (
            "unwritten",
            f"PUT {WORK}progress.json",
            f"s3://{WORK}progress.json can't be written with the job's role",
        ),
        ("unremoved", f"DELETE {WORK}old-state", f"s3://{WORK}old-state can't be removed with the job's role"),
        (
            "no-model",
            f"PUT {BUCKET}/runs/r1/output/no-model/output/model.tar.gz",
            "model.tar.gz can't be written with the job's role",
        ),
    ],
)
def test_what_the_role_may_not_do_fails_the_job(start, s3, name, denied, says):
    s3.denied.add(denied)
    job = ended(start(name, {"steps": 30}))
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: ")
    assert says in job["FailureReason"]
    assert "AccessDenied" in job["FailureReason"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[]", "is no manifest"),
        (b'[{"prefix": "s3://media/"}]', "No S3 objects found"),
        (b'["a.png"]', "is no manifest"),
        (b'[{"prefix": "s3://media/"}, "none.png"]', "s3://media/none.png can't be read"),
        (b'[{"prefix": "s3://media/"}, "../../job/job.json"]', "leads out of its channel"),
    ],
    ids=["empty", "no-pictures", "no-prefix", "missing", "outside"],
)
def test_a_manifest_that_is_none(start, s3, request, content, says):
    s3.objects[f"{BUCKET}/runs/r1/pictures.manifest"] = content
    assert says in ended(start(f"manifest-{request.node.callspec.id}"))["FailureReason"]


def test_without_the_training_environment_the_job_says_what_to_do(start, monkeypatch, tmp_path):
    monkeypatch.setenv("STORYCAST_TRAINING_PYTHON", str(tmp_path / "none"))
    reason = ended(start("no-python"))["FailureReason"]
    assert "make setup-training" in reason
    assert str(tmp_path / "none") in reason


def test_a_model_that_can_not_be_made_fails_the_job(start, monkeypatch, trainer, tmp_path):
    monkeypatch.setattr(container_root, "stand_in_model", container_root.stand_in_model)
    trainer.write_text(f"#!{sys.executable}\nraise SystemExit('ImportError: no torch here')\n")
    monkeypatch.setattr(
        container_work, "stand_in_model", lambda _, on: container_root.stand_in_model(tmp_path / "m", on)
    )
    assert "ImportError: no torch here" in ended(start("no-torch"))["FailureReason"]


# ---- stop, time, spot -----------------------------------------------------------------------------


def test_a_job_that_is_stopped_saves_its_state_and_ends(start, s3, stop, own, client):
    told = start("stopped", {"steps": 10_000})
    trains(told)
    wait_for_file(s3, "pid")
    stop("stopped")
    job = told()
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopping", "Stopping")
    assert ("stopped", "Stopping") in [(one["name"], one["status"]) for one in own("GET", "billing")[1]["billed"]]
    with pytest.raises(client("sagemaker").exceptions.ClientError, match="training job is in status Stopping"):
        stop("stopped")
    job = ended(told)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert steps(job)[-3:] == ["Training", "Stopping", "Stopped"]
    assert int(s3.objects[f"{WORK}state.txt"]) > 0, "the state that it saved on SIGTERM came to S3"
    assert job["BillableTimeInSeconds"] >= 0
    assert not is_alive(int(s3.objects[f"{WORK}pid"]))
    with pytest.raises(client("sagemaker").exceptions.ClientError, match="training job is in status Stopped"):
        stop("stopped")


def test_a_job_that_hears_nothing_is_killed_with_all_that_it_started(start, s3, stop, monkeypatch):
    monkeypatch.setattr(container_work, "GRACE_SECONDS", 0.3)
    told = start("deaf", {"steps": 10_000, "deaf": True, "grandchild": True})
    wait_for_file(s3, "progress.json")
    pids = [int(s3.objects[f"{WORK}{name}"]) for name in ("pid", "grandchild")]
    assert all(map(is_alive, pids))
    stop("deaf")
    assert ended(told)["TrainingJobStatus"] == "Stopped"
    until(lambda: [pid for pid in pids if is_alive(pid)], lambda alive: not alive)


def test_a_job_that_waits_for_a_machine_can_be_stopped_and_costs_nothing(start, stop, own):
    own("POST", "outcomes", {"training_job": {"seconds": 1000}})
    told = start("waits")
    time.sleep(0.2)
    assert told()["SecondaryStatus"] == "Starting"
    stop("waits")
    job = ended(told)
    assert steps(job) == ["Starting", "Stopping", "Stopped"]
    assert "TrainingStartTime" not in job
    assert "BillableTimeInSeconds" not in job


@pytest.mark.parametrize("seldom", [False, True], ids=["progress.json", "the log"])
def test_spot_capacity_that_is_taken_away_comes_back_with_the_checkpoints(start, s3, own, seldom):
    own("POST", "outcomes", {"training_job": {"interrupt_after_step": 3}})
    told = start(f"spot-{seldom}", {"steps": 40, "seldom": seldom})
    seen = set()
    job = until(told, lambda job: seen.add(job["SecondaryStatus"]) or job["TrainingJobStatus"] != "InProgress")
    assert job["TrainingJobStatus"] == "Completed", job
    assert steps(job) == [
        *("Starting", "Downloading", "Training", "Interrupted"),
        *("Starting", "Downloading", "Training", "Uploading", "Completed"),
    ]
    assert "Interrupted" in seen
    begun = sorted(int(path.rpartition("-")[2][:-5]) for path in s3.objects if "/seen-" in path)
    assert begun[0] == 0
    assert begun[1] >= 3
    again = kept(s3, f"seen-{begun[1]}.json")
    assert "checkpoints/state.txt" in again["files"], "from S3"
    assert not [file for file in again["files"] if "model/" in file], "in a fresh root"


def test_a_job_whose_time_is_over_is_stopped(start, s3, own):
    told = start(
        "too-long", {"steps": 10_000}, StoppingCondition={"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 60}
    )
    job = ended(told)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert steps(job)[-3:] == ["Training", "Stopping", "MaxRuntimeExceeded"]
    assert "FailureReason" not in job
    assert int(s3.objects[f"{WORK}state.txt"]) > 0
    own("POST", "outcomes", {"training_job": {"exceed": True}})
    job = ended(start("at-once", {"steps": 10_000}))
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_job_that_waits_too_long_is_stopped(start, own):
    own("POST", "outcomes", {"training_job": {"seconds": 1000}})
    job = ended(start("too-late", StoppingCondition={"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1}))
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert steps(job) == ["Starting", "Stopping", "MaxWaitTimeExceeded"]
    own("POST", "outcomes", {"training_job": {"exceed_wait": True}})
    assert steps(ended(start("too-late-at-once"))) == ["Starting", "Stopping", "MaxWaitTimeExceeded"]


def test_what_is_billed_can_be_asked_for(start, own):
    own("POST", "outcomes", {"training_job": {"billable_seconds": 1234}})
    assert ended(start("billed-so"))["BillableTimeInSeconds"] == 1234


# ---- refused --------------------------------------------------------------------------------------


def algorithm(**more):
    return {"AlgorithmSpecification": asks("x")["AlgorithmSpecification"] | more}


def machine(**more):
    return {"ResourceConfig": asks("x")["ResourceConfig"] | more}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (algorithm(TrainingImage="docker.io/library/python:3.11"), "Using non-ECR image"),
        (algorithm(TrainingInputMode="Pipe"), "File"),
        (algorithm(AlgorithmName="xgboost"), "Either TrainingImage or AlgorithmName"),
        (algorithm(MetricDefinitions=[{"Name": "loss", "Regex": "loss"}]), "has no group"),
        (machine(InstanceType="ml.g99.xlarge"), "enum value set"),
        (machine(InstanceCount=2), "one instance"),
        ({"ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1}}, "VolumeSizeInGB"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 60}}, "Invalid MaxWaitTimeInSeconds"),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59}},
            "Invalid MaxWaitTimeInSeconds",
        ),
        ({"EnableManagedSpotTraining": False}, "MaxWaitTimeInSeconds can be specified only"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 10**7, "MaxWaitTimeInSeconds": 10**7}}, "at most 2419200"),
        (
            {"InputDataConfig": [{"ChannelName": "job", "DataSource": prefix("s3://media/no/")}]},
            "No S3 objects found",
        ),
        (
            {"InputDataConfig": [{"ChannelName": "job", "DataSource": prefix("s3://none/x/")}]},
            "No S3 objects found",
        ),
        ({"OutputDataConfig": {"S3OutputPath": "s3://none/x/"}}, "bucket none of s3://none/x/ does not exist"),
        ({"CheckpointConfig": {"S3Uri": "s3://none/x/"}}, "bucket none of s3://none/x/ does not exist"),
        ({"TrainingJobName": "under_score"}, "regular expression"),
        ({"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}}, "does not play VpcConfig"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_sagemaker_refuses_at_once(start, call, client, wrong, says):
    with pytest.raises(client("sagemaker").exceptions.ClientError, match=says) as caught:
        start("refused", **wrong)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert call("sagemaker", "ListTrainingJobs", NameContains="refused")["TrainingJobSummaries"] == []


def test_a_role_that_can_not_be_assumed_is_refused_at_once(start, s3, client):
    s3.statements = [s3.statements[0] | {"Principal": {"Service": "bedrock.amazonaws.com"}}]
    with pytest.raises(client("sagemaker").exceptions.ClientError, match="Could not assume role") as caught:
        start("untrusted")
    assert "sagemaker.amazonaws.com" in str(caught.value)
    s3.iam_error = "NoSuchEntity"
    with pytest.raises(client("sagemaker").exceptions.ClientError, match="NoSuchEntity"):
        start("untrusted")


def test_a_role_that_may_not_list_sees_no_objects(start, s3, client):
    s3.denied.add(f"LIST {BUCKET}")
    with pytest.raises(client("sagemaker").exceptions.ClientError, match="s3:ListBucket"):
        start("blind")


def test_a_name_serves_once(start, client, own):
    own("POST", "outcomes", {"training_job": {"fail": "InternalServerError: none"}})
    told = start("once")
    for _ in range(2):
        with pytest.raises(client("sagemaker").exceptions.ResourceInUse, match="must be unique") as caught:
            start("once")
        assert told()["TrainingJobArn"] in str(caught.value)
        ended(told)


def test_a_quota_is_a_fault_rule(start, own, client):
    own(
        "POST",
        "faults",
        [{"service": "sagemaker", "operation": "CreateTrainingJob", "error": "ResourceLimitExceeded"}],
    )
    with pytest.raises(client("sagemaker").exceptions.ResourceLimitExceeded):
        start("over-quota")


@pytest.mark.parametrize("operation", ["DescribeTrainingJob", "StopTrainingJob"])
def test_a_job_that_is_not_there(call, client, operation):
    """As AWS answers, not as its model says: aws/aws-sdk issue 165."""
    with pytest.raises(
        client("sagemaker").exceptions.ClientError, match=r"Requested resource not found\."
    ) as caught:
        call("sagemaker", operation, TrainingJobName="no-such-job")
    assert caught.value.response["Error"]["Code"] == "ValidationException"


# ---- lists and tags -------------------------------------------------------------------------------


@pytest.fixture
def listed(call):
    """Names that a list tells, over all its pages, and how many are on each."""

    def ask(**params):
        names, sizes, more = [], [], {}
        while more is not None:
            answer = call("sagemaker", "ListTrainingJobs", **params, **more)
            page = [job["TrainingJobName"] for job in answer["TrainingJobSummaries"]]
            names += page
            sizes.append(len(page))
            more = {"NextToken": answer["NextToken"]} if "NextToken" in answer else None
        return names, sizes

    return ask


def test_lists(start, own, listed, call, stop, client):
    for number in range(12):
        own("POST", "outcomes", {"training_job": {"fail": "no"} if number % 2 else {"seconds": 1000}})
        told = start(f"listed-{11 - number}")
        if number % 2:
            ended(told)
    newest_first = [f"listed-{number}" for number in range(12)]
    assert listed(NameContains="listed-") == (newest_first, [10, 2])
    assert listed(NameContains="listed-", SortOrder="Ascending", MaxResults=5) == (newest_first[::-1], [5, 5, 2])
    assert listed(NameContains="listed-", SortBy="Name", SortOrder="Ascending")[0] == sorted(newest_first)
    by_status = listed(NameContains="listed-", SortBy="Status", SortOrder="Ascending")[0]
    assert set(by_status[:6]) == {f"listed-{number}" for number in range(0, 12, 2)}
    # A page is cut before its status is looked at, as AWS documents it.
    assert listed(NameContains="listed-", StatusEquals="Failed", MaxResults=3)[1] == [2, 1, 2, 1]
    assert listed(NameContains="listed-", StatusEquals="Completed", MaxResults=3) == ([], [0, 0, 0, 0])
    middle = call("sagemaker", "DescribeTrainingJob", TrainingJobName="listed-6")["CreationTime"]
    assert listed(NameContains="listed-", CreationTimeAfter=middle)[0] == newest_first[:6]
    assert listed(NameContains="listed-", CreationTimeBefore=middle)[0] == newest_first[7:]
    assert listed(NameContains="listed-", LastModifiedTimeBefore=middle - timedelta(days=1)) == ([], [0])
    with pytest.raises(client("sagemaker").exceptions.ClientError, match="NextToken"):
        call("sagemaker", "ListTrainingJobs", NextToken="x")
    for number in range(1, 12, 2):
        stop(f"listed-{number}")


def test_tags(start, own, call, client):
    own("POST", "outcomes", {"training_job": {"fail": "no"}})
    arn = start("tagged")()["TrainingJobArn"]
    assert call("sagemaker", "ListTags", ResourceArn=arn)["Tags"] == [{"Key": "storycast:run", "Value": "r1"}]
    both = [{"Key": "storycast:run", "Value": "r2"}, {"Key": "kept", "Value": "until then"}]
    assert call("sagemaker", "AddTags", ResourceArn=arn, Tags=both)["Tags"] == both
    assert call("sagemaker", "ListTags", ResourceArn=arn)["Tags"] == both
    with pytest.raises(client("sagemaker").exceptions.ClientError, match="not found"):
        call("sagemaker", "ListTags", ResourceArn=arn + "s")


# ---- nothing is left behind -----------------------------------------------------------------------


def create(server, name, play):
    sagemaker = boto3.client("sagemaker", endpoint_url=server.url, region_name="us-east-1")
    sagemaker.create_training_job(**asks(name, play))
    return sagemaker


def test_a_job_that_ran_when_the_stand_ins_ended_has_failed_and_nothing_of_it_runs(s3, tmp_path):
    with running(tmp_path / "state") as server:
        create(server, "cut-off", {"steps": 10_000, "grandchild": True})
        wait_for_file(s3, "progress.json")
        pids = [int(s3.objects[f"{WORK}{name}"]) for name in ("pid", "grandchild")]
        server.world.outcomes.add(Outcome(training_job=TrainingJobOutcome(seconds=1000)))
        create(server, "stopping", {}).stop_training_job(TrainingJobName="stopping")
    until(lambda: [pid for pid in pids if is_alive(pid)], lambda alive: not alive)
    before = (tmp_path / "state/sagemaker.json").read_bytes()
    time.sleep(0.5)
    assert (tmp_path / "state/sagemaker.json").read_bytes() == before, "its thread writes nothing any more"
    with running(tmp_path / "state") as server:
        sagemaker = boto3.client("sagemaker", endpoint_url=server.url, region_name="us-east-1")
        job = sagemaker.describe_training_job(TrainingJobName="cut-off")
        assert job["TrainingJobStatus"] == "Failed"
        assert "ended while the job ran" in job["FailureReason"]
        assert sagemaker.describe_training_job(TrainingJobName="stopping")["TrainingJobStatus"] == "Stopped"
        assert server.world.billed() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_a_stand_in_that_is_ended_or_killed(s3, tmp_path, number):
    command = [sys.executable, "-m", "local.standins", "--port", "0", "--state", str(tmp_path / "state")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "AWS_DEFAULT_REGION": "us-east-1"}
    ready = tmp_path / "state/standins.json"
    with subprocess.Popen(command, env=environment) as process:
        try:
            until(ready.exists, bool)
            port = json.loads(ready.read_text("utf-8"))["port"]
            sagemaker = boto3.client("sagemaker", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1")
            sagemaker.create_training_job(**asks("orphan", {"steps": 10_000, "deaf": True, "grandchild": True}))
            wait_for_file(s3, "progress.json")
            pids = [int(s3.objects[f"{WORK}{name}"]) for name in ("pid", "grandchild")]
            assert all(map(is_alive, pids))
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_storycast/billing", timeout=5) as answer:
                assert [one["name"] for one in json.load(answer)["billed"]] == ["orphan"]
        finally:
            process.send_signal(number)
        process.wait(timeout=20)
    until(lambda: [pid for pid in pids if is_alive(pid)], lambda alive: not alive)
