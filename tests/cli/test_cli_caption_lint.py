"""The caption lint where people type: what `train` passes on, and what it refuses on this machine."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.finishing import lines_of_lint
from cli.main import app
from cli.target import Target
from storycast import keys
from storycast.approval import keep_all
from storycast.caption_lint.findings import Acknowledged, Lint, finding
from storycast.decisions import state_of
from tests.cli.lora import FAKE_TRAINER, put_dataset, put_weights
from tests.cli.records import RUN_ID, put, put_record, put_settings
from tests.cli.stepfunctions import TRAIN_ARN, FakeStepFunctions, definition_of
from tests.fakes.reviews import made_review


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


# ---- on a target ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("open_target")
def test_rules_that_are_acknowledged_go_along_once_each(target: Target, stepfunctions: FakeStepFunctions) -> None:
    train = stepfunctions.beside(FakeStepFunctions(definition_of("train_model"), TRAIN_ARN))
    put_record(target)
    put_settings(target, budget_usd=20)
    train.steps = [train.end]
    again = ("--acknowledge", "wrong_cast", "--acknowledge", "repeated_fragment", "--acknowledge", "wrong_cast")
    result = invoke("train", RUN_ID, "--steps", "100", *again)
    assert result.exit_code == 0, result.output
    (request,) = [json.loads(given["input"]) for name, given in train.calls if name == "StartExecution"]
    assert request["acknowledge"] == ["repeated_fragment", "wrong_cast"]


@pytest.mark.parametrize("local", [(), ("--local",)], ids=["target", "local"])
def test_a_rule_that_there_is_not_is_refused_with_those_that_there_are(local: tuple[str, ...]) -> None:
    result = invoke("train", RUN_ID, "--acknowledge", "fragments", *local)
    assert result.exit_code == 2
    assert "--acknowledge fragments: there is no such rule" in result.stderr
    assert "repeated_fragment" in result.stderr


# ---- on this machine ------------------------------------------------------------------------------


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.trainer_process.TRAINING", FAKE_TRAINER)
    monkeypatch.setattr("cli.trainer_process._NEEDED", ("json",))
    monkeypatch.setattr("cli.trainer_process.PAUSE_SECONDS", 0.01)
    monkeypatch.setenv("STORYCAST_TRAINING_PYTHON", sys.executable)


@pytest.fixture
def spoiled(tmp_path: Path, trainer: None) -> Path:
    """A run's folder whose captions all end alike."""
    folder = tmp_path / "film"
    put_dataset(folder, RUN_ID)
    manifest = folder / keys.APPROVED_MANIFEST
    manifest.write_text(manifest.read_text().replace('."}', ', a still of a cartoon."}'))
    return folder


def locally(folder: Path, *more: str) -> Result:
    weights = folder.parent / "sdxl"
    if not weights.exists():
        put_weights(weights)
    return invoke("train", folder, "--local", "--weights", weights, "--steps", "10", "--yes", *more)


def test_a_training_on_this_machine_is_refused_alike(spoiled: Path) -> None:
    result = locally(spoiled)
    assert result.exit_code == 2, result.output
    told = " ".join(result.stderr.split())
    assert "16 of 16 captions hold 'a still of a cartoon'" in told
    assert f"`storycast train {spoiled} --local --acknowledge repeated_fragment`" in told
    assert not (spoiled / "lora").exists()


@pytest.mark.parametrize("how", ["option", "setting", "review"])
def test_it_goes_on_where_somebody_acknowledges_it(spoiled: Path, how: str) -> None:
    more: tuple[str, ...] = ()
    who = "captions.acknowledge"
    if how == "option":
        more = ("--acknowledge", "repeated_fragment")
    elif how == "setting":
        plan: dict[str, Any] = json.loads((spoiled / "settings.json").read_text())
        plan["settings"]["captions"]["acknowledge"] = ["repeated_fragment"]
        (spoiled / "settings.json").write_text(json.dumps(plan))
    else:
        who = "Ada"
        word = Acknowledged(rule="repeated_fragment", who=who)
        lint = Lint(caption_count=16, findings=(), acknowledged=(word,))
        (spoiled / keys.LINT).write_text(lint.model_dump_json())
    result = locally(spoiled, *more)
    assert result.exit_code == 0, result.output
    assert f"acknowledged by {who}: 16 of 16 captions hold" in " ".join(result.output.split())
    # What is trained already is not looked at again.
    assert locally(spoiled).exit_code == 0


def test_a_folder_of_which_nobody_knows_more_says_what_is_not_looked_at(spoiled: Path) -> None:
    (spoiled / keys.PICTURES).unlink()
    (spoiled / "settings.json").unlink()
    told = " ".join(locally(spoiled).stderr.split())
    assert "'a still of a cartoon'" in told
    assert "project file" not in told
    result = locally(spoiled, "--acknowledge", "repeated_fragment")
    assert "not looked at: missing_names and wrong_cast" in " ".join(result.output.split())


# ---- what people are told -------------------------------------------------------------------------


@pytest.mark.usefixtures("open_target")
def test_status_tells_what_of_the_captions_stands_against_a_training(target: Target) -> None:
    findings = [
        finding(
            "wrong_cast", f"{number} captions name nobody.", [str(number)], blocks=True, suggestion="Mend them."
        )
        for number in range(7)
    ]
    notes = finding("kind_words", "Only told.", ["x"], blocks=False)
    word = Acknowledged(rule="near_identical", who="Ada")
    let_stay = finding("near_identical", "All the same.", ["y"], blocks=True)
    lint = Lint(caption_count=9, findings=(*findings, let_stay, notes), acknowledged=(word,))
    put(target, keys.run_file(RUN_ID, keys.LINT), lint)
    put_record(target, counts={"caption_findings": 9, "caption_findings_that_block": 7})
    told = " ".join(invoke("status", RUN_ID).output.split())
    assert "Captions, wrong_cast: 0 captions name nobody. Mend them." in told
    assert "and 2 more findings, all of them in dataset/lint.json" in told
    assert "All the same" not in told
    assert "Only told" not in told


@pytest.mark.usefixtures("open_target")
def test_status_of_a_run_whose_lint_is_gone_or_of_another_release_says_nothing_of_it(target: Target) -> None:
    put_record(target, counts={"caption_findings_that_block": 7})
    assert invoke("status", RUN_ID).exit_code == 0
    put(target, keys.run_file(RUN_ID, keys.LINT), b'{"version": 99}')
    result = invoke("status", RUN_ID)
    assert result.exit_code == 0
    assert "Captions," not in result.output


def test_finish_says_that_the_training_will_be_refused() -> None:
    review = made_review(12, acknowledged=())
    kept = state_of(review.initial, keep_all(review, who="Ada", when="now"))
    told = list(lines_of_lint(review, kept))
    assert told[0].startswith("Captions, repeated_fragment: 11 of 12 captions hold 'of the film'")
    assert "A training is refused for these captions" in told[-1]
    assert f"storycast train {review.run_id} --acknowledge repeated_fragment" in told[-1]
    assert list(lines_of_lint(made_review(12), kept)) == []
