"""`storycast rerun` and `storycast export` on the emulator: what settings change is paid, and nothing else."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.export_folder import read_export
from cli.main import app
from storycast.manifest import read_manifest
from tests.e2e.commands import have_commands_work_on
from tests.e2e.stack import UNREVIEWED, Stack

pytestmark = pytest.mark.e2e

RUN, PROJECT = "remade-1", "remade"
SETTINGS = f"sampling: {{frames_per_second: 2}}\nduplicates: {{threshold: 0.9}}\n{UNREVIEWED}"


@pytest.fixture
def on_stack(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the commands work on the stack."""
    have_commands_work_on(stack, monkeypatch, "exporting", "rerunning")


@pytest.fixture(scope="module")
def first(stack: Stack, film: Path) -> str:
    """The run that is made again."""
    ended = stack.run(film, PROJECT, RUN, SETTINGS)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    return RUN


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def rerun(stack: Stack, tmp_path: Path, settings: str | None = None) -> tuple[str, str]:
    """Make the run again; return the new one's id and what the command says of payment."""
    options: list[str | Path] = []
    if settings is not None:
        (tmp_path / "project.yaml").write_text(settings)
        options = ["--project", tmp_path / "project.yaml"]
    result = invoke("rerun", RUN, *options)
    assert result.exit_code == 0, result.output
    (run_id,) = re.findall(r"^Run (\S+) began", result.output, re.MULTILINE)
    (said,) = re.findall(r"^Paid for: .*", result.output, re.MULTILINE)
    return run_id, said


def crops(stack: Stack, run_id: str) -> set[str]:
    return {line["crop_id"] for line in stack.lines(run_id, "curated.jsonl")}


@pytest.mark.usefixtures("on_stack")
def test_the_same_again_pays_nothing(stack: Stack, first: str, tmp_path: Path) -> None:
    stack.put(f"projects/{PROJECT}/project.yaml", SETTINGS.encode())
    mark = stack.calls_so_far()
    uploaded = stack.keys("incoming/")
    run_id, said = rerun(stack, tmp_path)
    assert stack.paid_calls(mark) == {}
    assert said.startswith("Paid for: 0 detections, 0 embeddings, 0 captions. Re-used: ")
    assert f"{len(crops(stack, run_id))} captions." in said
    assert crops(stack, run_id) == crops(stack, first)
    assert stack.keys("incoming/") == uploaded


@pytest.mark.usefixtures("on_stack")
def test_another_threshold_pays_captions_of_new_pictures_alone(stack: Stack, first: str, tmp_path: Path) -> None:
    mark = stack.calls_so_far()
    run_id, said = rerun(stack, tmp_path, SETTINGS.replace("0.9}", "0.98}"))
    new = crops(stack, run_id) - crops(stack, first)
    assert new, "another threshold chooses other pictures of this film"
    assert stack.paid_calls(mark) == {"Converse": len(new)}
    assert said.startswith(f"Paid for: 0 detections, 0 embeddings, {len(new)} captions. Re-used: ")


@pytest.mark.usefixtures("on_stack")
def test_other_words_pay_captions_alone(stack: Stack, first: str, tmp_path: Path) -> None:
    mark = stack.calls_so_far()
    run_id, _ = rerun(stack, tmp_path, f"{SETTINGS}captions: {{words: [12, 40]}}\n")
    assert crops(stack, run_id) == crops(stack, first)
    assert stack.paid_calls(mark) == {"Converse": len(crops(stack, first))}


@pytest.mark.usefixtures("on_stack")
def test_a_runs_dataset_is_exported(stack: Stack, first: str, tmp_path: Path) -> None:
    for kind in ("bedrock", "diffusers", "kohya"):
        out = tmp_path / kind
        result = invoke("export", first, "--format", kind, "--out", out)
        assert result.exit_code == 0, result.output
        exported = read_export(out)
        assert exported is not None
        assert len(exported.pictures) == stack.record(first)["counts"]["approved"]
        assert "Made with stand-ins" in (out / "README.md").read_text()
    records, wrong = read_manifest((tmp_path / "bedrock/manifest.jsonl").read_bytes())
    assert not wrong
    for one in records.values():
        stored = stack.read(one.image_uri.removeprefix(f"s3://{stack.bucket}/"))
        assert stored == (tmp_path / "bedrock/images" / one.image_uri.rpartition("/")[2]).read_bytes()
    marked = {line["file_name"] for line in stack.lines(first, "dataset/pictures.jsonl") if line["held_out"]}
    assert {path.name for path in tmp_path.glob("kohya/held_out/*.png")} == marked
    rows = [json.loads(line) for line in (tmp_path / "diffusers/train/metadata.jsonl").read_text().splitlines()]
    assert all(row["text"].startswith("Character ") for row in rows)
    again = invoke("export", first, "--format", "kohya", "--out", tmp_path / "kohya")
    assert "Nothing has changed" in again.output
