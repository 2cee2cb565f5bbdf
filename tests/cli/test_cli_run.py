"""`storycast run`, `upload` and `status` over a bucket in moto and a scripted Step Functions."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import cli.running
from cli.ending import see_through
from cli.main import app
from cli.project import Overrides
from cli.running import check_input, run_on
from cli.screen import Screen
from cli.target import Target
from cli.uploading import upload_footage, upload_project, uploads
from storycast.names import is_run_id
from storycast.runs import Run
from tests.cli.media import write_picture
from tests.cli.records import RUN_ID, put_record
from tests.cli.stepfunctions import FakeStepFunctions

pytestmark = pytest.mark.usefixtures("open_target")


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def script(fake: FakeStepFunctions, target: Target, *steps: Callable[[], None], **record: Any) -> None:
    """Let the execution pass PrepareRun, write a record, do the steps, and end well unless they end it."""

    def begin() -> None:
        fake.enter("PrepareRun")
        put_record(target, fake.execution_arn.rsplit(":", 1)[-1], **record)

    fake.steps = [begin, lambda: fake.leave("PrepareRun"), *(steps or (fake.end,))]


def keys_below(target: Target, prefix: str) -> set[str]:
    listed = target.s3.list_objects_v2(Bucket=target.bucket, Prefix=prefix).get("Contents", ())
    return {stored["Key"].removeprefix(prefix) for stored in listed}


def test_a_run_goes_from_footage_to_a_copy_of_its_folder(
    target: Target, stepfunctions: FakeStepFunctions, video: Path, project_file: Path, tmp_path: Path
) -> None:
    models = [{"model_id": "amazon.nova-pro-v1:0", "name": "Stand-in captioner", "provider": "Storycast stand-in"}]
    counts = {"frames_kept": 40, "frames_dropped": 2, "paid_captions": 12}
    script(stepfunctions, target, counts=counts, models=models, warnings=["few \x1b[31mframes"])
    before = hashlib.sha256(video.read_bytes()).hexdigest()
    result = invoke("run", video, "--project", project_file, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert hashlib.sha256(video.read_bytes()).hexdigest() == before

    (started,) = (request for name, request in stepfunctions.calls if name == "StartExecution")
    request = json.loads(started["input"])
    run_id = request["run_id"]
    assert is_run_id(run_id)
    assert run_id.startswith("big-film-")
    assert started["name"] == run_id
    assert request == {
        "project": "bunny",
        "footage": [f"incoming/{run_id}/Big Film.mp4"],
        "run_id": run_id,
    }
    assert keys_below(target, f"incoming/{run_id}/") == {"Big Film.mp4"}
    assert keys_below(target, "projects/bunny/") == {"project.yaml", "cast/bunny/front.png", "cast/bunny/side.jpg"}
    assert (tmp_path / "out" / run_id / "run.json").exists()
    for told in (
        "Prepare the run",
        "frames kept 40",
        "AWS would bill: captions 12",
        "answered by Storycast stand-in",
        f"s3://media/runs/{run_id}/",
        "Warning: few",
    ):
        assert told in result.stdout
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        ("FAILED", "SettingsInvalidError", 2),
        ("FAILED", "TooManyLostError", 1),
        ("TIMED_OUT", "States.Timeout", 1),
        ("ABORTED", "", 1),
    ],
)
def test_a_failed_run_tells_why_and_is_copied_too(
    target: Target,
    stepfunctions: FakeStepFunctions,
    video: Path,
    tmp_path: Path,
    status: str,
    error: str,
    code: int,
) -> None:
    cause = json.dumps({"errorMessage": "what went wrong", "stackTrace": ["hidden"]})
    script(stepfunctions, target, lambda: stepfunctions.end(status, error, cause if error else ""))
    result = invoke("run", video, "--out", tmp_path / "out")
    assert result.exit_code == code
    assert error in result.stderr
    assert ("what went wrong" in result.stderr) == bool(error)
    assert ("docs/runbook.md tells what" in result.stdout) == error.endswith("Error")
    assert "hidden" not in result.output
    assert list((tmp_path / "out").glob("*/run.json"))


def test_a_run_that_fails_before_it_has_a_record_is_told(
    target: Target, stepfunctions: FakeStepFunctions, video: Path, tmp_path: Path
) -> None:
    stepfunctions.steps = [lambda: stepfunctions.end("FAILED", "FootageMissingError", "gone")]
    result = invoke("run", video, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "FootageMissingError: gone" in result.stderr


def test_an_unforeseen_error_is_one_line(target: Target, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: Any) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(cli.running, "upload_project", break_down)
    quiet, loud = invoke("run", video), invoke("run", video, "--verbose")
    assert (quiet.exit_code, loud.exit_code) == (1, 1)
    assert quiet.stderr == "Error: RuntimeError: two lines. Run again with --verbose to see where.\n"
    assert "Traceback" in loud.stderr
    assert "Traceback" in invoke("--verbose", "run", video).stderr


def test_an_interrupted_run_is_stopped_here_and_goes_on_at_aws(
    target: Target, stepfunctions: FakeStepFunctions, video: Path, screen: Screen
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    intake = check_input([video], None)
    stepfunctions.steps = [interrupt]
    assert run_on(target, intake, None, screen) == 130
    assert stepfunctions.status == "ABORTED"

    stepfunctions.status, stepfunctions.steps = "RUNNING", [interrupt]
    assert run_on(replace(target, kind="aws"), intake, None, screen) == 130
    assert stepfunctions.status == "RUNNING"
    assert "--follow --target aws" in screen.console.export_text()


def test_somebody_elses_run_is_not_stopped(
    target: Target, stepfunctions: FakeStepFunctions, screen: Screen
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    put_record(target, status="running", execution_arn=stepfunctions.execution_arn)
    stepfunctions.steps = [interrupt]
    assert invoke("status", RUN_ID, "--follow").exit_code == 130
    assert stepfunctions.status == "RUNNING"


# ---- uploads


def versions(target: Target, prefix: str) -> int:
    return len(target.s3.list_object_versions(Bucket=target.bucket, Prefix=prefix).get("Versions", ()))


def test_a_project_is_sent_only_where_it_changed(
    target: Target, project_file: Path, video: Path, screen: Screen
) -> None:
    def send(overrides: Overrides | None = None) -> int:
        intake = check_input([video], project_file, overrides=overrides)
        upload_project(target, intake.name, intake.project, intake.overrides, screen)
        return versions(target, "projects/")

    assert (send(), send()) == (3, 3)
    write_picture(project_file.parent / "cast/bunny/side.jpg", "black")
    assert send() == 4
    assert send(Overrides(review="auto")) == 5
    assert send(Overrides(review="auto")) == 5
    assert (
        b"mode: auto"
        in target.s3.get_object(Bucket=target.bucket, Key="projects/bunny/project.yaml")["Body"].read()
    )
    assert "says review.mode: auto from now on" in screen.console.export_text()


def test_a_prompt_of_ones_own_is_sent_with_the_project(
    target: Target, project_file: Path, video: Path, screen: Screen
) -> None:
    text = project_file.read_text(encoding="utf-8")
    project_file.write_text(f"{text}captions: {{prompt: prompts/mine.txt}}\n", encoding="utf-8")
    prompt = project_file.parent / "prompts/mine.txt"
    prompt.parent.mkdir()
    prompt.write_text("Who: {in_picture}. How long: {words}.\n", encoding="utf-8")
    intake = check_input([video], project_file)
    assert intake.project
    for _ in range(2):
        upload_project(target, "bunny", intake.project, Overrides(), screen)
    key = "projects/bunny/prompts/mine.txt"
    stored = target.s3.get_object(Bucket=target.bucket, Key=key)["Body"].read()
    assert stored == b"Who: {in_picture}. How long: {words}."
    assert versions(target, key) == 1
    assert "4 files, 4 of them new or changed" in screen.console.export_text()


def test_what_the_console_uploaded_is_known_by_its_etag(
    target: Target, project_file: Path, video: Path, screen: Screen
) -> None:
    target.s3.put_object(Bucket=target.bucket, Key="projects/bunny/project.yaml", Body=project_file.read_bytes())
    intake = check_input([video], project_file)
    upload_project(target, "bunny", intake.project, Overrides(), screen)
    assert versions(target, "projects/bunny/project.yaml") == 1


def test_references_that_left_the_folder_leave_the_bucket(
    target: Target, project_file: Path, video: Path, screen: Screen
) -> None:
    foreign = "projects/bunny/cast/bunny/foreign.png"
    target.s3.put_object(Bucket=target.bucket, Key=foreign, Body=b"by the console")
    for _ in range(2):
        intake = check_input([video], project_file)
        upload_project(target, "bunny", intake.project, Overrides(), screen)
        (project_file.parent / "cast/bunny/side.jpg").unlink(missing_ok=True)
    expected = {"project.yaml", "cast/bunny/front.png", "cast/bunny/foreign.png"}
    assert keys_below(target, "projects/bunny/") == expected
    told = screen.console.export_text()
    assert "removed cast/bunny/side.jpg" in told
    assert f"{foreign} is used as a reference, too" in told


def test_without_a_project_file_the_buckets_or_defaults_hold(target: Target, video: Path, screen: Screen) -> None:
    upload_project(target, "big-film", None, Overrides(), screen)
    assert "all settings are defaults" in screen.console.export_text()
    assert not keys_below(target, "projects/")
    upload_project(target, "big-film", None, Overrides(review="auto"), screen)
    assert keys_below(target, "projects/") == {"big-film/project.yaml"}
    upload_project(target, "big-film", None, Overrides(), screen)
    assert "the project file in the bucket" in screen.console.export_text()


def test_the_same_file_always_gets_the_same_etag(
    target: Target, video: Path, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    from boto3.s3.transfer import TransferConfig

    import cli.uploading

    assert cli.uploading.PART_BYTES == 64 * 1024 * 1024
    small = TransferConfig(multipart_threshold=5 * 1024**2, multipart_chunksize=5 * 1024**2)
    monkeypatch.setattr(cli.uploading, "_TRANSFER", small)
    with video.open("ab") as file:
        file.write(bytes(6 * 1024**2))
    files = check_input([video], None).footage
    first, second = (upload_footage(target, uploads(project, files), screen)[0] for project in ("one", "two"))
    assert first.etag == second.etag
    assert first.etag.endswith("-2")
    assert first.version_id


def claim(target: Target, key: str, run_id: str, **attributes: str) -> None:
    item = {
        "pk": f"claim#{target.bucket}/{key}#{run_id}",
        "owner": f"arn:aws:states:us-east-1:123456789012:execution:storycast-build-dataset:{run_id}",
        "run_id": run_id,
        "key": key,
        "claimed_at": "2099-01-01T00:00:00.000+00:00",
        **attributes,
    }
    target.dynamodb.put_item(TableName=target.table, Item={name: {"S": value} for name, value in item.items()})


def test_an_upload_is_followed_to_the_run_it_started(
    target: Target,
    stepfunctions: FakeStepFunctions,
    video: Path,
    project_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = "uploads/bunny/Big Film.mp4"

    def upload_and_claim(*arguments: Any) -> Any:
        (uploaded,) = upload_footage(*arguments)
        claim(target, key, "another-version", version_id="other")
        claim(target, key, "an-old-run", claimed_at="2001-01-01T00:00:00.000+00:00")
        claim(target, key, RUN_ID, version_id=uploaded.version_id or "", etag=uploaded.etag)
        put_record(target)
        return [uploaded]

    monkeypatch.setattr(cli.running, "upload_footage", upload_and_claim)
    stepfunctions.execution_arn = stepfunctions.execution_arn.replace(":run", f":{RUN_ID}")
    stepfunctions.steps = [stepfunctions.end]
    result = invoke("upload", video, "--project", project_file, "--follow", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert f"Run {RUN_ID} began" in result.stdout
    assert (tmp_path / "out" / RUN_ID / "run.json").exists()
    assert keys_below(target, "uploads/") == {"bunny/Big Film.mp4"}


def test_without_version_ids_the_newest_claim_since_the_upload_counts(
    target: Target, video: Path, screen: Screen
) -> None:
    from cli.claims import find_started
    from cli.problems import RunNotStartedError

    (uploaded,) = upload_footage(target, uploads("p", check_input([video], None).footage), screen)
    times = iter((0.0, 0.0, 99.0))
    claim(target, uploaded.key, "an-old-run", claimed_at="2001-01-01T00:00:00.000+00:00", etag=uploaded.etag)
    claim(target, uploaded.key, "other-content", etag="0" * 32)
    with pytest.raises(RunNotStartedError, match="rule for uploads"):
        find_started(target, uploaded, clock=lambda: next(times), sleep=lambda _: None)
    claim(target, uploaded.key, RUN_ID, etag=uploaded.etag)
    assert find_started(target, uploaded).run_id == RUN_ID


def test_an_upload_without_follow_ends_at_once(target: Target, video: Path) -> None:
    result = invoke("upload", video, "--project-name", "bunny", "--keep-up")
    assert (result.exit_code, "starts a run" in result.stdout) == (0, True)


# ---- status


def test_status_lists_the_newest_runs_as_they_are_now(target: Target, stepfunctions: FakeStepFunctions) -> None:
    for day in range(1, 25):
        put_record(target, f"film-202611{day:02d}-aaaaaa", started_at=f"2026-11-{day:02d}T12:00:00+00:00")
    put_record(
        target,
        "film-20261130-bbbbbb",
        status="running",
        started_at="2026-11-30T12:00:00+00:00",
        execution_arn=stepfunctions.execution_arn,
    )
    stepfunctions.end("ABORTED")
    listed = json.loads(invoke("status", "--json").stdout)["runs"]
    assert len(listed) == 20
    assert [(run["run_id"], run["status"]) for run in listed[:2]] == [
        ("film-20261130-bbbbbb", "stopped"),
        ("film-20261124-aaaaaa", "dataset_ready"),
    ]
    assert invoke("status").stdout.splitlines()[0].startswith("film-20261130-bbbbbb  stopped")


def test_status_of_one_run_shows_stages_counts_and_pictures(
    target: Target, stepfunctions: FakeStepFunctions
) -> None:
    put_record(target, status="running", counts={"frames_kept": 7}, execution_arn=stepfunctions.execution_arn)
    curation = json.dumps({"pictures": {"Bunny": 30, "unknown": 2}}).encode()
    target.s3.put_object(Bucket=target.bucket, Key=f"runs/{RUN_ID}/curation.json", Body=curation)
    stepfunctions.enter("SampleFrames")
    stepfunctions.count("Segments", succeeded=1, total=3)
    result = invoke("status", RUN_ID)
    assert result.exit_code == 0
    for told in ("running", "frames kept 7", "Bunny 30, unknown 2", "Sample frames: running, 1 of 3"):
        assert told in result.stdout
    stages = json.loads(invoke("status", RUN_ID, "--json").stdout)["stages"]
    assert next(stage for stage in stages if stage["state"] == "running")["total"] == 3


def test_status_of_a_failed_run_says_why_and_where_to_read_on(target: Target) -> None:
    put_record(target, status="failed", error="NoFramesError", cause="all frames were blank")
    told = invoke("status", RUN_ID).stdout
    assert "NoFramesError: all frames were blank" in told
    assert "docs/runbook.md tells what NoFramesError leaves" in told


@pytest.mark.parametrize("run_id", ["film-20261122-ffffff", "../evil", "Film"])
def test_an_unknown_run_is_bad_input(target: Target, run_id: str) -> None:
    result = invoke("status", run_id)
    assert result.exit_code == 2
    assert "There is no run" in result.stderr


def test_a_record_of_a_newer_release_is_still_read(target: Target) -> None:
    put_record(target, invented_later=1)
    assert "dataset_ready" in invoke("status", RUN_ID, "--json").stdout
    assert set(Run.model_fields) >= {"run_id", "counts", "warnings", "models"}


def test_following_ends_with_the_exit_code_of_the_run(
    target: Target, stepfunctions: FakeStepFunctions, screen: Screen
) -> None:
    from cli.claims import StartedRun

    stepfunctions.end("FAILED", "NoFramesError", "nothing kept")
    assert see_through(target, StartedRun(RUN_ID, stepfunctions.execution_arn), None, screen) == 2
