"""`storycast rerun`: the same footage again, nothing uploaded, and what was paid and re-used told."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import cli.rerunning
from cli.main import app
from cli.rerunning import said_of_payment
from cli.target import Target
from storycast import keys
from storycast.decisions import Change, Decision
from storycast.footage import FootageSource
from storycast.plan import make_plan
from storycast.runs import Run
from storycast.settings import Settings
from tests.cli.records import RUN_ID, put, put_record
from tests.cli.stepfunctions import FakeStepFunctions

pytestmark = pytest.mark.usefixtures("open_target")
INCOMING = keys.incoming(RUN_ID, "Mein Film.mp4")
PROJECT = b"sampling: {frames_per_second: 2}\n"


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["rerun", *map(str, arguments)])


def put_source(target: Target, key: str, content: bytes = b"a film") -> FootageSource:
    etag = target.s3.put_object(Bucket=target.bucket, Key=key, Body=content)["ETag"].strip('"')
    return FootageSource(
        footage_id="0123456789ab", name=key.rpartition("/")[2], key=key, size_bytes=len(content), etag=etag
    )


@pytest.fixture
def former(target: Target) -> FootageSource:
    """A run that has ended, its footage, and the project's file."""
    source = put_source(target, INCOMING)
    put_record(target, footage=[source.model_dump()])
    put(target, keys.project_file("bunny"), PROJECT)
    return source


def script(fake: FakeStepFunctions, target: Target, **record: Any) -> None:
    def begin() -> None:
        fake.enter("PrepareRun")
        put_record(target, started(fake)["run_id"], **record)

    fake.steps = [begin, lambda: fake.leave("PrepareRun"), fake.end]


def started(fake: FakeStepFunctions) -> dict[str, Any]:
    (request,) = (request for name, request in fake.calls if name == "StartExecution")
    content: dict[str, Any] = json.loads(request["input"])
    return content


def told(result: Result) -> str:
    return " ".join(result.output.split())


def test_a_rerun_starts_over_the_same_objects_and_uploads_no_footage(
    target: Target, stepfunctions: FakeStepFunctions, former: FootageSource
) -> None:
    counts = {
        "frames_kept": 39,
        "frames_lost": 1,
        "crops": 92,
        "curated": 24,
        "captions_lost": 0,
        "paid_detections": 0,
        "paid_embeddings": 0,
        "paid_captions": 3,
    }
    script(stepfunctions, target, counts=counts)
    result = invoke(RUN_ID)
    assert result.exit_code == 0, result.output
    request = started(stepfunctions)
    assert (request["project"], request["footage"]) == ("bunny", [INCOMING])
    assert request["run_id"] != RUN_ID
    assert request["run_id"].startswith("mein-film-")
    assert target.s3.list_objects_v2(Bucket=target.bucket, Prefix="incoming/")["KeyCount"] == 1
    assert "Project bunny: the project file in the bucket, projects/bunny/project.yaml, holds" in told(result)
    assert (
        "Paid for: 0 detections, 0 embeddings, 3 captions. Re-used: 38 detections, 92 embeddings, 21 captions."
    ) in told(result)


def test_another_project_file_goes_to_the_same_project(
    target: Target, stepfunctions: FakeStepFunctions, former: FootageSource, tmp_path: Path
) -> None:
    (tmp_path / "other.yaml").write_text("captions: {words: [10, 15]}\n")
    script(stepfunctions, target)
    result = invoke(RUN_ID, "--project", tmp_path / "other.yaml", "--review", "auto")
    assert result.exit_code == 0, result.output
    assert started(stepfunctions)["project"] == "bunny"
    stored = target.s3.get_object(Bucket=target.bucket, Key=keys.project_file("bunny"))["Body"].read().decode()
    assert "words" in stored
    assert "mode: auto" in stored


@pytest.mark.parametrize("there", [True, False])
def test_what_is_there_is_told_before_it_starts(
    target: Target, stepfunctions: FakeStepFunctions, former: FootageSource, there: bool
) -> None:
    settings = Settings.model_validate({"sampling": {"frames_per_second": 2 if there else 3}})
    (plan,) = make_plan(RUN_ID, "bunny", settings, [former]).footage
    for number in range(4):
        put(target, keys.frame(former.footage_id, plan.frames, 0, number), b"jpg")
        frame_id = f"{former.footage_id}-{number:09d}"
        if number < 3:
            put(target, keys.detections(former.footage_id, plan.detections, frame_id), b"{}")
        if number < 2:
            put(target, keys.crops(former.footage_id, plan.crops, frame_id), b"{}")
            put(target, keys.crop(former.footage_id, plan.crops, f"{frame_id}-00"), b"jpg")
    script(stepfunctions, target)
    said = told(invoke(RUN_ID))
    if there:
        assert "4 sampled frames are there, 3 that were looked at, 2 whose crops are embedded" in said
    else:
        assert "no frames of these settings are there" in said


def test_footage_that_has_expired_is_told_before_anything_happens(
    target: Target, stepfunctions: FakeStepFunctions, former: FootageSource, tmp_path: Path
) -> None:
    target.s3.delete_object(Bucket=target.bucket, Key=INCOMING)
    (tmp_path / "other.yaml").write_text("captions: {words: [10, 15]}\n")
    result = invoke(RUN_ID, "--project", tmp_path / "other.yaml")
    assert result.exit_code == 2
    assert "is not in the bucket any more. What the command uploads is kept for 30 days" in told(result)
    assert "storycast run 'Mein Film.mp4' --project FILE" in told(result)
    assert not stepfunctions.calls
    assert target.s3.get_object(Bucket=target.bucket, Key=keys.project_file("bunny"))["Body"].read() == PROJECT


def test_footage_is_kept_for_as_long_as_the_template_says() -> None:
    template = (Path(__file__).parents[2] / "template.yaml").read_text()
    (days,) = re.findall(r"Prefix: incoming/\n +ExpirationInDays: (\d+)", template)
    assert int(days) == cli.rerunning.INCOMING_DAYS


def test_footage_that_was_replaced_is_another_footage(target: Target, stepfunctions: FakeStepFunctions) -> None:
    key = keys.upload("bunny", "film.mp4")
    put_record(target, footage=[put_source(target, key).model_dump()])
    put_source(target, key, b"another film")
    result = invoke(RUN_ID)
    assert result.exit_code == 2
    assert f"s3://media/{key} was replaced since the run {RUN_ID}" in told(result)
    assert not stepfunctions.calls


def test_footage_that_expires_soon_is_told(
    target: Target, stepfunctions: FakeStepFunctions, former: FootageSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.rerunning, "SOON", timedelta(days=31))
    script(stepfunctions, target)
    result = invoke(RUN_ID)
    assert result.exit_code == 0, result.output
    assert "Mein Film.mp4 is removed from the bucket 30 days after its upload, which is soon" in told(result)


@pytest.mark.parametrize(
    ("mode", "via", "says"),
    [
        ("auto", "page", "asks nobody and takes over nothing"),
        ("page", "page", "holds for the same pictures"),
        ("page", "auto", ""),
    ],
)
def test_what_becomes_of_decisions_is_told(
    target: Target, stepfunctions: FakeStepFunctions, former: FootageSource, mode: str, via: str, says: str
) -> None:
    decision = Decision.model_validate(
        {
            "seq": 1,
            "id": "decision-1",
            "who": "Ada",
            "when": "2026-11-22T12:00:00Z",
            "what": "drop",
            "via": via,
            "changes": [Change(subject="picture:c", field="verdict", before="open", after="dropped")],
        }
    )
    put(target, keys.run_file(RUN_ID, keys.DECISIONS), decision.model_dump_json().encode() + b"\n")
    script(stepfunctions, target)
    said = told(invoke(RUN_ID, "--review", mode))
    assert says in said
    if not says:
        assert "decided in" not in said


def test_a_failed_rerun_ends_as_the_run_does(
    target: Target, stepfunctions: FakeStepFunctions, former: FootageSource
) -> None:
    script(stepfunctions, target)
    stepfunctions.steps[-1] = lambda: stepfunctions.end("FAILED", "SettingsInvalidError", "wrong")
    assert invoke(RUN_ID).exit_code == 2


@pytest.mark.parametrize(
    ("put_it", "says"),
    [(lambda target: None, "There is no run"), (put_record, "it was made of a manifest")],
    ids=["no run", "no footage"],
)
def test_what_cannot_be_made_again_is_refused(target: Target, put_it: Callable[[Target], None], says: str) -> None:
    put_it(target)
    result = invoke(RUN_ID)
    assert result.exit_code == 2
    assert says in told(result)


def test_a_bad_project_file_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text("captions: {word: 3}\n")
    result = invoke(RUN_ID, "--project", tmp_path / "project.yaml")
    assert result.exit_code == 2
    assert "unknown key" in result.output


def test_repairs_of_captions_are_told() -> None:
    counts = {"curated": 5, "paid_captions": 2, "paid_caption_repairs": 1}
    run = Run(run_id="r", project="p", status="running", execution_arn="a", started_at="t", counts=counts)
    said = said_of_payment(run, Settings())
    assert said.startswith("Paid for: 0 detections, 0 embeddings, 2 captions, 1 repairs of captions. Re-used: ")


def test_detections_are_not_told_of_where_no_method_pays_for_them() -> None:
    run = Run(run_id="r", project="p", status="running", execution_arn="a", started_at="t", counts={"crops": 3})
    settings = Settings.model_validate({"detection": {"methods": ["faces"]}})
    assert (
        said_of_payment(run, settings) == "Paid for: 0 embeddings, 0 captions. Re-used: 3 embeddings, 0 captions."
    )


def test_whatever_else_is_paid_is_told() -> None:
    counts = {"curated": 5, "paid_captions": 0, "paid_reference_embeddings": 4, "paid_face_searches": 1200}
    run = Run(run_id="r", project="p", status="running", execution_arn="a", started_at="t", counts=counts)
    said = said_of_payment(run, Settings())
    assert said.startswith(
        "Paid for: 0 detections, 0 embeddings, 0 captions, 4 embeddings of references, 1,200 face searches. "
    )


def test_a_run_that_ended_early_does_not_say_that_it_paid_nothing() -> None:
    facts = {"run_id": "r", "project": "p", "status": "failed", "execution_arn": "a", "started_at": "t"}
    early = Run.model_validate({**facts, "counts": {"frames_kept": 9}})
    assert said_of_payment(early, Settings()) == (
        "The run ended before it was counted how many detections and embeddings and captions it paid for. "
        "What is paid for is found again."
    )
    counts = {"frames_kept": 9, "paid_detections": 9, "crops": 4, "paid_embeddings": 1}
    later = Run.model_validate({**facts, "counts": counts})
    assert said_of_payment(later, Settings()) == (
        "Paid for: 9 detections, 1 embeddings. Re-used: 0 detections, 3 embeddings. The run ended before it was "
        "counted how many captions it paid for. What is paid for is found again."
    )


@pytest.mark.parametrize("trains", [True, False])
def test_trainings_are_told_of_where_the_project_trains(
    target: Target, stepfunctions: FakeStepFunctions, former: FootageSource, tmp_path: Path, trains: bool
) -> None:
    (tmp_path / "trains.yaml").write_text("training: {target: sagemaker}\nbudget_usd: 30\n")
    script(stepfunctions, target)
    said = told(invoke(RUN_ID, "--project", tmp_path / "trains.yaml", *([] if trains else ["--train", "none"])))
    assert "Paid for: " in said
    assert ("another training is paid, within budget_usd. --train none leaves it out." in said) == trains
    assert ("What was paid for training: storycast report" in said) == trains
