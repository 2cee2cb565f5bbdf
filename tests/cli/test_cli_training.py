"""`storycast train` and `draw`: what they ask of the workflow, what they say it costs, and how they end."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.claims import StartedRun
from cli.consent import agreed
from cli.ending import see_through
from cli.main import app
from cli.screen import Screen
from cli.standins import play
from cli.target import Target
from cli.training import Session, do_session_on
from storycast.names import session_id
from storycast.settings import DEFAULT_OPEN_MODEL, Settings
from storycast.training import TrainingRequest
from tests.cli.records import (
    BEGAN,
    RUN_ID,
    TRAINING_ID,
    put_model,
    put_panels,
    put_record,
    put_row,
    put_session,
    put_settings,
)
from tests.cli.stepfunctions import TEAR_DOWN_ARN, TRAIN_ARN, FakeStepFunctions, definition_of

pytestmark = pytest.mark.usefixtures("open_target")
NAME = f"{RUN_ID}-{TRAINING_ID}-0a1b2c"


@pytest.fixture
def train(stepfunctions: FakeStepFunctions) -> FakeStepFunctions:
    return stepfunctions.beside(FakeStepFunctions(definition_of("train_model"), TRAIN_ARN))


@pytest.fixture
def tear_down(stepfunctions: FakeStepFunctions) -> FakeStepFunctions:
    return stepfunctions.beside(FakeStepFunctions(definition_of("tear_down"), TEAR_DOWN_ARN))


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def requests(fake: FakeStepFunctions) -> list[dict[str, Any]]:
    return [json.loads(request["input"]) for name, request in fake.calls if name == "StartExecution"]


def test_a_training_with_other_steps_leaves_the_dataset_alone(target: Target, train: FakeStepFunctions) -> None:
    put_record(target, status="storyboard_ready")
    training = {"target": "bedrock", "base_model": "amazon.nova-canvas-v1:0"}
    put_settings(target, storyboard={"prompts": ["a bridge"]}, training=training)
    train.steps = [lambda: train.enter("CheckTrainingPlan"), train.end]
    result = invoke("train", RUN_ID, "--steps", "200", "--batch-size", "8", "--learning-rate", "1e-5")
    assert result.exit_code == 0, result.output
    assert requests(train) == [
        {
            "run_id": RUN_ID,
            "training": {"step_count": 200, "batch_size": 8, "learning_rate": 1e-5},
        }
    ]
    # 200 x 8 pictures at $0.005, an hour or two of hosting at $60.50, one panel of the base model.
    assert "AWS would charge $68.56 to $129.07 at list prices" in result.stdout
    assert "On this machine it costs nothing." in result.stdout
    assert "Check the training's plan" in result.stdout


def test_without_a_storyboard_nothing_is_hosted(target: Target, train: FakeStepFunctions) -> None:
    put_record(target)
    put_settings(target, storyboard={"prompts": ["a bridge"]})
    train.steps = [train.end]
    result = invoke(
        *("train", RUN_ID, "--steps", "100", "--batch-size", "8", "--no-storyboard", "--budget", "20"),
        *("--manifest", "datasets/mine/manifest.jsonl", "--base-model", "my.model-v1:0", "--train", "bedrock"),
    )
    assert result.exit_code == 0, result.output
    (request,) = requests(train)
    assert request["storyboard"] == {"prompts": []}
    assert request["training"]["base_model"] == "my.model-v1:0"
    assert (request["budget_usd"], request["manifest_key"]) == (20, "datasets/mine/manifest.jsonl")
    assert "AWS would charge $4.00 at list prices" in result.stdout
    assert "hosting" not in result.stdout


def test_an_adapter_is_trained_on_sagemaker(target: Target, train: FakeStepFunctions) -> None:
    put_record(target, status="storyboard_ready")
    own = put_settings(
        target,
        budget_usd=20,
        storyboard={"prompts": ["a bridge"]},
        training={"target": "bedrock", "step_count": 14_000, "lora": {"volume_gb": 80}},
    )
    train.steps = [train.end]
    result = invoke("train", RUN_ID, "--train", "sagemaker", "--rank", "8", "--on-demand", "--resolution", "768")
    assert result.exit_code == 0, result.output
    (request,) = requests(train)
    assert request["training"]["target"] == "sagemaker"
    lora = {"rank": 8, "resolution": 768, "instance_type": "ml.g5.xlarge", "spot": False, "volume_gb": 80}
    assert request["training"]["lora"] == {"rank": 8, "resolution": 768, "spot": False}
    # What the workflow makes of it: the rest is the run's own.
    assert TrainingRequest.model_validate(request).over(own)["training"]["lora"] == lora
    for told in (
        "training on ml.g5.xlarge, 1,500 pictures seen: $0.",
        "a job that draws, $2.86 at the very most: $",
        "grading the panels of 1 prompt: $",
        "AWS's own clock ends the training at $20.00 at the latest (training.max_hours: 72, and the budget).",
        "licence CreativeML Open RAIL++-M.",
    ):
        assert told in result.stdout, told
    assert "hosting" not in result.stdout
    assert "Spot" not in result.stdout


def test_drawing_with_an_adapter_costs_a_job_and_no_hosting(target: Target, train: FakeStepFunctions) -> None:
    put_record(target, training_ids=[TRAINING_ID])
    put_settings(target)
    arn = "s3://media/runs/r/training/t/s/work-train/adapter/"
    put_model(target, target="sagemaker", model_arn=arn, base_model=DEFAULT_OPEN_MODEL)
    train.steps = [train.end]
    result = invoke("draw", RUN_ID, "--prompt", "a duel")
    assert result.exit_code == 0, result.output
    assert "a job that draws" in result.stdout
    assert "hosting" not in result.stdout
    assert "target" not in requests(train)[0].get("training", {})
    put_model(target)
    train.steps = [train.end]
    assert "hosting, $" in invoke("draw", RUN_ID, "--prompt", "a duel").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", RUN_ID, "--rank", "0"], "training.lora.rank"),
        (["train", RUN_ID, "--train", "sagemaker", "--base-model", "nonsense"], "neither an id of the model hub"),
        (["train", RUN_ID, "--train", "bedrock", "--batch-size", "1"], "takes 8 to 192"),
        (["train", RUN_ID, "--local", "--on-demand"], "are for AWS"),
        (["train", RUN_ID, "--steps", "5"], "training.step_count: Input should be greater than or equal to 10"),
        (["train", RUN_ID, "--learning-rate", "1"], "training.learning_rate"),
        (["train", RUN_ID, "--budget", "-1"], "budget_usd"),
        (["train", RUN_ID, "--budget", "0"], "Say --budget USD"),
        (["train", RUN_ID, "--manifest", "uploads/evil"], "manifest_key"),
        (["train", "film-20261122-ffffff"], "There is no run"),
        (["train", "tests/cli"], "`storycast train tests/cli --local` trains on this machine"),
        (["draw", "tests/cli", "--prompt", "x"], "tests/cli is a folder, and a run's id is wanted."),
        (["train", RUN_ID, "--train", "bedrock", "--rank", "8"], "Say --train sagemaker, or leave them out"),
        (["train", "../evil", "--manifest", "datasets/mine.jsonl"], "run_id"),
        (["draw", RUN_ID, "--prompt", "x", "--size", "wide"], "--size 'wide' is no size"),
        (["draw", RUN_ID, "--prompt", "x", "--size", "1000x500"], "multiples of 16"),
        (["draw", RUN_ID, "--prompt", ""], "storyboard.prompts.0"),
        (["draw", RUN_ID, "--prompt", "x", "--training", "newest"], "training_id"),
        (["draw", RUN_ID], "--prompt"),
    ],
)
def test_what_can_not_be_is_refused_before_anything_starts(
    target: Target, train: FakeStepFunctions, arguments: list[str], told: str
) -> None:
    put_record(target)
    put_settings(target)
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert told in result.stderr
    assert not requests(train)


def test_a_manifest_of_ones_own_needs_no_run(target: Target, train: FakeStepFunctions) -> None:
    train.steps = [train.end]
    result = invoke("train", "my-own", "--manifest", "datasets/mine.jsonl", "--budget", "10", "--steps", "10")
    assert result.exit_code == 0, result.output
    assert requests(train)[0]["run_id"] == "my-own"


def test_settings_that_are_missing_or_of_another_release_are_told(target: Target) -> None:
    put_record(target)
    assert "settings.json is missing" in invoke("train", RUN_ID).stderr
    target.s3.put_object(Bucket=target.bucket, Key=f"runs/{RUN_ID}/settings.json", Body=b'{"later": 1}')
    assert "can't be read by this release" in invoke("train", RUN_ID).stderr


def test_drawing_tells_pictures_and_refusals_and_copies_the_run(
    target: Target, train: FakeStepFunctions, tmp_path: Path
) -> None:
    put_record(target)
    put_settings(target)
    drawn = {"prompts": ["a duel", "a bridge"], "seed": 7, "width": 1280, "height": 720}

    def draw() -> None:
        card = f"runs/{RUN_ID}/training/{TRAINING_ID}/work-train/adapter/README.md"
        target.s3.put_object(Bucket=target.bucket, Key=card, Body=b"how to use it")
        settings = put_settings(target, storyboard=drawn)
        put_session(target, session_id(train.execution_arn), settings)
        put_panels(target, 1, "a duel", given=0, refused="blocked by the filter")
        pictures.extend(put_panels(target, 2, "a bridge"))
        put_panels(target, 3, "of an earlier storyboard")
        train.end()

    pictures: list[str] = []
    train.steps = [draw]
    options = ("--seed", "7", "--size", "1280x720", "--images", "2", "--negative-prompt", "rain")
    result = invoke(
        *("draw", RUN_ID, "--prompt", "a duel", "--prompt", "a bridge", "--out", tmp_path / "out"), *options
    )
    assert result.exit_code == 0, result.output
    (request,) = requests(train)
    assert request["draw_only"]
    assert request["storyboard"] == {**drawn, "images_per_prompt": 2, "negative_prompt": "rain"}
    for key in pictures:
        assert target.uri(key) in result.stdout
        assert (tmp_path / "out" / RUN_ID / key.removeprefix(f"runs/{RUN_ID}/")).exists()
    assert "Prompt 01 ('a duel'), trained model: 0 of 3 pictures. blocked by the filter" in result.stdout
    assert "an earlier storyboard" not in result.stdout
    card = tmp_path / "out" / RUN_ID / "training" / TRAINING_ID / "work-train/adapter/README.md"
    assert f"An adapter, with how to use it: {card}" in result.stdout


# ---- money


def order(target: Target, *, yes: bool) -> int:
    return do_session_on(replace(target, kind="aws"), Session(RUN_ID), None, Screen(), yes=yes)


def test_on_aws_nothing_starts_unasked(
    target: Target, train: FakeStepFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli.problems import InputRefusedError

    put_record(target)
    put_settings(target, training={"target": "bedrock"})
    with pytest.raises(InputRefusedError, match=r"Training costs up to \$4,480\.00 on AWS\. .* say --yes"):
        order(target, yes=False)
    assert not requests(train)
    train.steps = [train.end]
    assert order(target, yes=True) == 0
    assert len(requests(train)) == 1

    monkeypatch.setattr("cli.training.agreed", lambda *_, **__: False)
    assert order(target, yes=False) == 0
    assert len(requests(train)) == 1


def test_a_person_at_a_terminal_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    asked: list[str] = []

    def confirm(text: str, *, default: bool) -> bool:
        asked.append(text)
        return default

    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda _: True})())
    monkeypatch.setattr("typer.confirm", confirm)
    terminal = Screen(Console(force_terminal=True))
    assert not agreed("Start it for up to $5?", "It costs.", terminal, yes=False)
    assert agreed("Start it for up to $5?", "It costs.", terminal, yes=True)
    assert asked == ["Start it for up to $5?"]


# ---- ends


def test_an_interrupted_training_ends_what_is_billed_first(
    target: Target, train: FakeStepFunctions, tear_down: FakeStepFunctions, screen: Screen
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    def end() -> None:
        put_row(target, NAME, state="ended", ended_at=BEGAN)
        tear_down.end()

    put_record(target, status="training")
    put_row(target, NAME)
    train.steps, tear_down.steps = [interrupt], [end]
    import cli.ending

    cli.ending.END_SECONDS = 5.0  # the fixture puts it back
    started = StartedRun(RUN_ID, train.execution_arn)
    assert see_through(target, started, None, screen) == 130
    assert train.status == "ABORTED"
    assert requests(tear_down)[0] == {
        "scope": "run",
        "run_id": RUN_ID,
        "reason": "the user interrupted the command",
        "delete_model": False,
        "failed": False,
    }
    told = screen.console.export_text()
    assert "the embedded AWS stays up for that" in told
    assert "Nothing of this run is billed any more." in told


def test_what_has_not_ended_in_time_is_named(
    target: Target, train: FakeStepFunctions, tear_down: FakeStepFunctions, screen: Screen
) -> None:
    put_record(target, status="training")
    put_row(target, NAME, state="intended", created_at=None)
    train.end("FAILED", "HostingFailedError", "no capacity")
    assert see_through(target, StartedRun(RUN_ID, train.execution_arn), None, screen) == 1
    told = screen.console.export_text()
    assert "until nothing of the run is billed any more" in told
    assert (
        f"Has not ended yet, and is ended by the next sweep while the embedded AWS is up. Hosting {NAME}" in told
    )
    assert f"Still billed: Hosting {NAME}" in told


def test_an_interrupted_run_tears_down_only_where_it_trained(
    target: Target, stepfunctions: FakeStepFunctions, tear_down: FakeStepFunctions, screen: Screen
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    stepfunctions.definition = definition_of("build_dataset")
    put_record(target, status="running")
    for state, teardowns in (("SampleFrames", 0), ("TrainModel", 1)):
        stepfunctions.status, stepfunctions.ended = "RUNNING", {}
        stepfunctions.enter(state)
        stepfunctions.steps, tear_down.steps = [interrupt], [tear_down.end]
        assert see_through(target, StartedRun(RUN_ID, stepfunctions.execution_arn), None, screen) == 130
        assert len(requests(tear_down)) == teardowns


# ---- stand-ins


class _Catalogue(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.posted.append((self.path, content))  # type: ignore[attr-defined]
        self.send_response(400 if "unknown" in content["play_as_active"] else 200)
        self.end_headers()
        self.wfile.write(b'{"message": "no such model"}')

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def standins(target: Target) -> Iterator[tuple[Target, list[Any]]]:
    with HTTPServer(("127.0.0.1", 0), _Catalogue) as server:
        server.posted = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield replace(target, standins_url=url), server.posted  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def with_active(*models: str) -> Settings:
    return Settings.model_validate({"local": {"play_as_active": list(models)}})


def test_the_stand_ins_are_told_which_ended_models_to_play(
    standins: tuple[Target, list[Any]], screen: Screen
) -> None:
    target, posted = standins
    play(target, with_active("amazon.nova-canvas-v1:0"), screen)
    play(target, with_active(), screen)
    route = "/_storycast/catalogue"
    assert posted == [(route, {"play_as_active": ["amazon.nova-canvas-v1:0"]}), (route, {"play_as_active": []})]
    assert screen.console.export_text() == (
        "The stand-in plays amazon.nova-canvas-v1:0 as active, as the project file says; "
        "on AWS it ended on 2026-09-30.\n"
    )


def test_what_the_stand_ins_refuse_is_bad_input(standins: tuple[Target, list[Any]], screen: Screen) -> None:
    from cli.problems import TargetLostError, TargetUnusableError

    target, _ = standins
    with pytest.raises(TargetUnusableError, match="no such model"):
        play(target, with_active("unknown"), screen)
    with pytest.raises(TargetLostError, match="do not answer"):
        play(replace(target, standins_url="http://127.0.0.1:1"), with_active(), screen)


def test_a_run_tells_the_stand_ins_what_its_project_says(
    standins: tuple[Target, list[Any]],
    stepfunctions: FakeStepFunctions,
    video: Path,
    tmp_path: Path,
    screen: Screen,
) -> None:
    from cli.running import check_input, run_on

    target, posted = standins
    project = tmp_path / "films" / "project.yaml"
    project.parent.mkdir()
    project.write_text('local: {play_as_active: ["amazon.nova-canvas-v1:0"]}\n')
    stepfunctions.steps = [stepfunctions.end] * 2
    run_on(target, check_input([video], project), None, screen)
    run_on(target, check_input([video], None, name="films"), None, screen)  # as the bucket says
    assert [content["play_as_active"] for _, content in posted] == [["amazon.nova-canvas-v1:0"]] * 2
