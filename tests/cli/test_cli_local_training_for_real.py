"""`storycast train FOLDER --local` with the real trainer, on a tiny SDXL with random weights."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.trainer_process import DEFAULT_PYTHON, TRAINING
from storycast.images import png_text
from storycast.storyboard import STAND_IN_MARK
from tests.cli.lora import put_dataset

pytestmark = pytest.mark.training
ROOT = Path(__file__).parents[2]
PROMPT = "Bunny and Frank on a bridge"
PYTHON = Path(os.environ.get("STORYCAST_TRAINING_PYTHON", DEFAULT_PYTHON))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "tiny"
    environment = {**os.environ, "PYTHONPATH": str(TRAINING)}
    subprocess.run([PYTHON, "-m", "trainer.tiny", folder], check=True, env=environment)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put_dataset(
        tmp_path / "film",
        "film-20261122-1a2b3c",
        side_px=512,
        training={"lora": {"resolution": 512, "rank": 4}},
        storyboard={
            "prompts": [PROMPT],
            "images_per_prompt": 1,
            "width": 320,
            "height": 320,
            "quality": "standard",
        },
    )
    return tmp_path / "film"


def arguments(folder: Path, tiny: Path, *more: str) -> list[str]:
    return ["train", str(folder), "--local", "--weights", str(tiny), "--yes", *more]


def invoke(folder: Path, tiny: Path, *more: str) -> Result:
    return CliRunner().invoke(app, arguments(folder, tiny, *more))


def test_a_folder_becomes_an_adapter_and_panels(folder: Path, tiny: Path) -> None:
    result = invoke(folder, tiny, "--steps", "10")
    assert result.exit_code == 0, result.output
    (trained,) = (folder / "lora").iterdir()
    known = json.loads((trained / "adapter/adapter.json").read_text())
    assert (known["family"], known["rank"], known["step_count"]) == ("sdxl", 4, 10)
    assert known["characters"] == ["Bunny", "Frank"]
    assert (trained / "adapter/pytorch_lora_weights.safetensors").stat().st_size > 1000
    assert "Bunny" in (trained / "adapter/README.md").read_text()
    assert list(trained.glob("adapter/LICENSE*"))
    rows = (trained / "metrics.csv").read_text().splitlines()
    assert rows[0].startswith("step_number,epoch_number,training_loss,held_out_loss")
    assert rows[-1].startswith("10,")
    shots = json.loads((trained / "held_out.json").read_text())["shots"]
    assert [shot["pictures"] for shot in shots] == [2]

    panels = [trained / "storyboard" / f"01-{drawn_by}-1.png" for drawn_by in ("trained", "base")]
    for file in panels:
        content = file.read_bytes()
        assert png_text(content, "Software").startswith(STAND_IN_MARK)
        assert png_text(content, "prompt") == PROMPT
    assert panels[0].read_bytes() != panels[1].read_bytes()
    assert "STAND-IN" in (trained / "storyboard.html").read_text()
    told = " ".join(result.output.split())
    assert "Training on CPU." in told
    assert "Warning: STAND-IN" in told
    assert not (trained / "work-train").exists()


def test_an_interrupted_training_ends_as_one_that_was_not(folder: Path, tiny: Path, tmp_path: Path) -> None:
    training = ("--steps", "24", "--no-storyboard")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "cli.main", *arguments(folder, tiny, *training)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 120
        while not any("step=" in log.read_text() for log in (folder / "lora").glob("*/work-train/log.txt")):
            assert time.monotonic() < deadline, process.poll()
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        told, _ = process.communicate(timeout=120)
    assert process.returncode == 130, told
    assert b"goes on from there" in told
    (home,) = (folder / "lora").iterdir()
    assert list(home.glob("work-train/checkpoints/state-*/complete.json"))
    result = invoke(folder, tiny, *training)
    assert result.exit_code == 0, result.output
    assert "Going on from state-" in (home / "training.log").read_text()
    one = (home / "adapter/pytorch_lora_weights.safetensors").read_bytes()
    home.rename(tmp_path / "interrupted")
    assert invoke(folder, tiny, *training).exit_code == 0
    assert (home / "adapter/pytorch_lora_weights.safetensors").read_bytes() == one
