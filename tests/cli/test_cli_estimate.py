"""`storycast estimate`: from headers alone, without AWS, with exit codes and JSON for programs."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from storycast.prices import price_table
from tests.cli.media import write_picture
from tests.fakes.film import film, numbered, turned

TRAINED = (
    "training: {target: bedrock, step_count: 500, batch_size: 8}\n"
    "storyboard: {prompts: [Bunny on a meadow, Bunny at dusk]}\n"
)


@pytest.fixture(autouse=True)
def _nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("AWS was asked")

    monkeypatch.setattr(boto3, "client", refuse)
    monkeypatch.setattr(boto3, "Session", refuse)
    monkeypatch.setenv("COLUMNS", "160")


def estimated(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, ["estimate", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result


def with_settings(project_file: Path, more: str) -> Path:
    project_file.write_text(project_file.read_text(encoding="utf-8") + more, encoding="utf-8")
    return project_file


def test_a_table_tells_stages_totals_date_assumptions_and_the_budget(video: Path, project_file: Path) -> None:
    shown = estimated(video, "--project", with_settings(project_file, "budget_usd: 5\n")).stdout
    for part in (
        "detect characters",
        "caption images",
        "workflow",
        "in all",
        f"list prices of {price_table().as_of}",
        "Within budget_usd: 5.",
        "It assumes:",
        "not paid again",
    ):
        assert part in shown
    assert "start training" not in shown


def test_a_training_on_sagemaker_tells_its_hours_its_licence_and_that_nobody_measured(
    video: Path, project_file: Path
) -> None:
    more = "training: {target: sagemaker}\nbudget_usd: 20\nstoryboard: {prompts: [Bunny at dusk]}\n"
    shown = estimated(video, "--project", with_settings(project_file, more)).stdout
    words = " ".join(shown.split())
    for part in (
        "hours of the training job",
        "0.42 to 1.25",
        "hours of the drawing job",
        "ml.g5.xlarge (NVIDIA A10G): up to",
        "$1.41 unconfirmed",
        "Within budget_usd: 20.",
        "licence CreativeML Open RAIL++-M",
        "not measured on that GPU by this project",
        "Jobs on spot capacity are counted at the full price",
    ):
        assert part in words, part
    assert "hosting" not in words


def test_json_is_the_runs_own_record_with_the_verdict(video: Path, project_file: Path) -> None:
    result = estimated(video, "--project", project_file, "--json")
    made = json.loads(result.stdout)
    low, high = made["total_usd"]
    assert 0 < low <= high <= 3 * low
    assert sum(line["usd"][1] for line in made["lines"]) == pytest.approx(high, abs=1e-5)
    references = next(line for line in made["lines"] if line["stage"] == "build_cast")
    assert references["count"] == [2, 2]
    assert made["prices_as_of"] == price_table().as_of
    assert made["verdict"].startswith("No budget_usd is set")


def test_stills_count_as_one_frame_each(tmp_path: Path) -> None:
    pictures = [write_picture(tmp_path / f"{name}.png", colour) for name, colour in (("a", "red"), ("b", "blue"))]
    made = json.loads(estimated(*pictures, "--json").stdout)
    detected = next(line for line in made["lines"] if line["stage"] == "detect_characters")
    assert detected["count"][1] == 2


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        (TRAINED, "A training needs one"),
        (TRAINED + "budget_usd: 20\n", "does not suffice"),
        (TRAINED + "budget_usd: 100\n", "ended by force"),
        (TRAINED + "hosting: {hours: 1.5}\nbudget_usd: 130\n", "may not suffice"),
        (TRAINED + "budget_usd: 200\n", "Within budget_usd: 200."),
    ],
)
def test_the_verdict_on_a_trainings_budget(video: Path, project_file: Path, more: str, verdict: str) -> None:
    shown = estimated(video, "--project", with_settings(project_file, more)).stdout
    assert verdict in shown
    for part in ("start training", "provision model", "$60.50 to $121.00", "storycast doctor"):
        assert part in shown


def test_unknown_and_unconfirmed_prices_are_told(video: Path, project_file: Path) -> None:
    more = "duplicates: {embedding: maker.new-embed-v9}\ncaptions: {model: amazon.nova-2-lite-v1:0}\n"
    shown = estimated(video, "--project", with_settings(project_file, more)).stdout
    assert "no price known" in shown
    assert "No price of maker.new-embed-v9 is known" in shown
    assert "unconfirmed" in shown


def test_a_longer_prompt_costs_more(video: Path, project_file: Path) -> None:
    def usd() -> float:
        lines = json.loads(estimated(video, "--project", project_file, "--json").stdout)["lines"]
        return float(next(line["usd"][1] for line in lines if line["what"] == "input tokens"))

    base = usd()
    with_settings(project_file, "captions: {prompt: mine.txt}\n")
    prompt = project_file.parent / "mine.txt"
    prompt.write_text("{in_picture} {words}", encoding="utf-8")
    assert usd() == base
    prompt.write_text("{in_picture} {words}" + "x" * 8_000, encoding="utf-8")
    assert 1.8 * base < usd() < 2.2 * base


def test_bad_input_ends_with_2_and_all_problems(tmp_path: Path, video: Path, project_file: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    with_settings(project_file, "captions: {prompt: mine.txt}\n")
    result = CliRunner().invoke(
        app, ["estimate", str(video), str(tmp_path / "empty.mp4"), "--project", str(project_file)]
    )
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "empty.mp4 is empty" in result.stderr
    assert "captions.prompt" in result.stderr


def test_what_is_odd_about_the_footage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "phone.mp4"
    path.write_bytes(turned(film([numbered(number) for number in range(12)]), 90))
    told = estimated(path).output
    assert "phone.mp4: shown turned by 90 degrees to the right, as its metadata say." in told
