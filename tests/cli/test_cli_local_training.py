"""`storycast train RUN --local`: what the trainer is given, what is told of it, and how it ends."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from cli.lora_folder import FolderInUseError, LoraFolder
from cli.main import app
from cli.screen import Screen
from cli.target import Target
from cli.trainer_progress import TrainerProgress, progress_shown
from storycast import keys
from storycast.approval import FinalNames
from tests.cli.lora import FAKE_TRAINER, put_dataset, put_weights
from tests.cli.records import RUN_ID, put, put_record

PROMPTS = ("Bunny on a bridge", "Frank and nobody else")
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.trainer_process.TRAINING", FAKE_TRAINER)
    monkeypatch.setattr("cli.trainer_process._NEEDED", ("json",))
    monkeypatch.setattr("cli.trainer_process.PAUSE_SECONDS", 0.01)
    monkeypatch.setenv("STORYCAST_TRAINING_PYTHON", sys.executable)
    monkeypatch.delenv("FAKE_TRAINER", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that was planned for Bedrock, with a storyboard."""
    put_dataset(
        tmp_path / "film",
        RUN_ID,
        training={"target": "bedrock", "base_model": "amazon.nova-canvas-v1:0", "batch_size": 64},
        storyboard={"prompts": PROMPTS, "images_per_prompt": 2, "seed": 7, "width": 1280, "height": 720},
    )
    return tmp_path / "film"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return put_weights(tmp_path / "sdxl")


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, arguments), "--local"])


def only_training(folder: Path) -> Path:
    (found,) = (folder / "lora").iterdir()
    return found


def test_a_folder_becomes_an_adapter_and_a_storyboard(folder: Path, weights: Path) -> None:
    result = invoke(folder, "--weights", weights, "--steps", "10", "--batch-size", "2", "--yes")
    assert result.exit_code == 0, result.output
    trained = only_training(folder)
    job = json.loads((trained / "adapter/job.json").read_text())
    assert (job["format"], job["task"], job["family"], job["project"]) == (
        "storycast-lora-1",
        "train",
        "sdxl",
        "bunny",
    )
    assert job["base_model"] == {"source": "folder", "id": "sdxl"}
    assert job["characters"] == ["Bunny", "Frank"]
    # Bedrock's own values have no place here: learning rate and rank are the defaults of such a training.
    assert job["values"] == {
        "step_count": 10,
        "batch_size": 2,
        "learning_rate": 1e-4,
        "rank": 16,
        "resolution": 1024,
        "seed": 1,
    }
    assert len(job["pictures"]) == 16
    first = job["pictures"][0]
    assert first["caption"].startswith("Bunny leans over the railing")
    assert first["characters"] == ["Bunny"]
    assert first["shot"] == "0123456789ab:0"
    held = {one["shot"] for one in job["pictures"] if one["held_out"]}
    assert len(held) == 1
    assert all(one["held_out"] == (one["shot"] in held) for one in job["pictures"])
    assert (trained / "adapter/offline").read_text() == "1"

    drawn = json.loads((trained / "work-draw/input/data/job/job.json").read_text())
    assert [(one["prompt"], one["drawn_by"], one["image_count"]) for one in drawn["panels"]] == [
        (PROMPTS[0], "trained", 2),
        (PROMPTS[0], "base", 1),
        (PROMPTS[1], "trained", 2),
        (PROMPTS[1], "base", 1),
    ]
    one = drawn["panels"][0]
    assert (one["width_px"], one["height_px"], one["seed"], one["inference_steps"]) == (1280, 720, 7, 40)
    shown = sorted(path.name for path in (trained / "storyboard").iterdir())
    assert shown == ["01-base-1.png", "01-trained-1.png", "01-trained-2.png"]
    page = (trained / "storyboard.html").read_text()
    assert all(f'src="storyboard/{name}"' in page for name in shown)
    assert "random weights" in page
    assert "The base model&#39;s licence: " in page
    assert "Its text" not in page, "none came with the weights"

    told = " ".join(result.output.split())
    assert "16 pictures of Bunny, Frank; 2 of them, whole shots, are held out" in told
    assert f"The licence of {weights}: openrail++; its text is in {weights / 'LICENSE.md'}." in told
    assert "Training on a fake of a GPU, 22 GB. bf16." in told
    assert "Warning: one caption is long" in told
    assert "step 10 of 10, loss 0.1000, held out 0.2000" in told
    assert "'Frank and nobody else', trained model: the picture came out black" in told
    for path in ("adapter/README.md", "metrics.csv", "held_out.json", "storyboard.html"):
        assert str(trained / path) in told
    assert not (trained / "work-train").exists()
    assert "fake trainer: train" in (trained / "training.log").read_text()


def test_what_is_done_is_not_done_again(folder: Path, weights: Path) -> None:
    again = (folder, "--weights", weights, "--yes")
    assert invoke(*again, "--no-storyboard").exit_code == 0
    trained = only_training(folder)
    assert not (trained / "storyboard.html").exists()
    assert invoke(*again).exit_code == 0
    log = trained / "work-draw/log.txt"
    assert log.read_text().count("fake trainer: draw") == 1
    result = invoke(folder, "--weights", weights)  # the licence was agreed to when it was trained
    assert result.exit_code == 0, result.output
    assert "It is trained already" in result.output
    assert "Warning: random weights" in result.output
    assert log.read_text().count("fake trainer") == 1
    assert (trained / "training.log").read_text().count("fake trainer") == 1
    # Weights count by what is in them, wherever they lie.
    moved = weights.rename(weights.with_name("elsewhere"))
    assert "It is trained already" in invoke(folder, "--weights", moved).output
    (moved / "unet/model.safetensors").write_bytes(bytes(199_999) + b"1")
    assert invoke(folder, "--weights", moved).exit_code == 2  # another model, so its licence has to be agreed to
    moved.rename(weights)
    # Another value is another training, beside the first one.
    assert invoke(*again, "--steps", "20").exit_code == 0
    assert len(list((folder / "lora").iterdir())) == 2


def test_a_failure_is_told_in_the_trainers_words(
    folder: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_TRAINER", "fail")
    result = invoke(folder, "--weights", weights, "--yes")
    assert result.exit_code == 1
    assert "GpuMemoryError: The GPU holds 8 GB. Set training.lora.resolution to 768." in result.stderr
    assert str(only_training(folder) / "work-train/log.txt") in result.stderr
    monkeypatch.setenv("FAKE_TRAINER", "crash")
    result = invoke(folder, "--weights", weights, "--yes")
    assert result.exit_code == 1
    assert "was ended by signal 9" in result.stderr
    assert "GpuMemoryError" not in result.stderr
    monkeypatch.setenv("FAKE_TRAINER", "nothing")
    result = invoke(folder, "--weights", weights, "--yes")
    assert result.exit_code == 1
    assert "holds no adapter" in result.stderr
    assert (only_training(folder) / "work-train/log.txt").exists()


def test_an_interrupted_training_goes_on_where_it_was(
    folder: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_TRAINER", "hang")
    pauses = 0

    def sleep(_seconds: float) -> None:
        nonlocal pauses
        pauses += 1
        time.sleep(0.01)
        if pauses > 10 and any((folder / "lora").glob("*/work-train/checkpoints/progress.json")):
            raise KeyboardInterrupt

    monkeypatch.setattr("cli.trainer_process.pause", sleep)
    result = invoke(folder, "--weights", weights, "--yes")
    assert result.exit_code == 130, result.output
    assert "the same command goes on from there" in result.output
    work = only_training(folder) / "work-train/checkpoints"
    assert json.loads((work / "state.json").read_text())["step"] >= 1
    monkeypatch.setattr("cli.trainer_process.pause", time.sleep)
    monkeypatch.setenv("FAKE_TRAINER", "")
    assert invoke(folder, "--weights", weights, "--yes").exit_code == 0
    assert "resumed at" in (only_training(folder) / "training.log").read_text()


def waited_for(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (found := look()):
        assert time.monotonic() < deadline, "nothing happened for 30 s"
        time.sleep(0.02)
    return found


@pytest.fixture
def command(folder: Path, weights: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """The command as people run it, in the midst of a training, and the trainer's process id."""
    code = (
        "import cli.trainer_process as p, pathlib; p._NEEDED = ('json',); "
        f"p.TRAINING = pathlib.Path({str(FAKE_TRAINER)!r}); import cli.main; cli.main.main()"
    )
    arguments = ["train", str(folder), "--local", "--weights", str(weights), "--yes"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "FAKE_TRAINER": "hang"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        (log,) = waited_for(lambda: list((folder / "lora").glob("*/work-train/log.txt")))
        waited_for(lambda: "pid" in log.read_text())
        waited_for((log.parent / "checkpoints/progress.json").exists)
        yield process, int(log.read_text().rpartition("pid ")[2])
        process.kill()


def is_there(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_trainer_saves_its_state_when_the_command_is_interrupted(
    command: tuple["subprocess.Popen[bytes]", int], folder: Path, how: signal.Signals
) -> None:
    process, pid = command
    # To the whole group, as a terminal sends Ctrl-C: the trainer must hear of it from the command alone.
    os.killpg(process.pid, how)
    told, _ = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert b"goes on from there" in told
    assert not is_there(pid)
    assert (only_training(folder) / "work-train/checkpoints/state.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux tells it")
def test_the_trainer_ends_with_a_command_that_is_killed(
    command: tuple["subprocess.Popen[bytes]", int], folder: Path
) -> None:
    process, pid = command
    process.kill()
    waited_for(lambda: not is_there(pid))
    assert (only_training(folder) / "work-train/checkpoints/state.json").exists()


def test_a_run_of_the_target_is_brought_here_first(
    target: Target, open_target: None, folder: Path, weights: Path, tmp_path: Path
) -> None:
    put_record(target)
    for file in folder.rglob("*"):
        if file.is_file():
            put(target, keys.run_file(RUN_ID, str(file.relative_to(folder))), file.read_bytes())
    put(target, keys.run_file(RUN_ID, keys.FINAL_NAMES), FinalNames(names={"Bunny": "Big Buck"}))
    put(target, keys.run_file(RUN_ID, "training/t01234567/0a1b2c/work-train/state-000100/big"), b"x")
    result = invoke(RUN_ID, "--weights", weights, "--out", tmp_path / "out", "--yes")
    assert result.exit_code == 0, result.output
    home = tmp_path / "out" / RUN_ID
    assert not (home / "training").exists()
    drawn = json.loads((only_training(home) / "work-draw/input/data/job/job.json").read_text())
    assert drawn["panels"][0]["prompt"] == "Big Buck on a bridge"
    missing = invoke("film-20261122-ffffff", "--weights", weights, "--yes")
    assert missing.exit_code == 2
    assert "There is no run" in missing.stderr


def test_a_bare_manifest_is_enough(folder: Path, weights: Path) -> None:
    for name in ("settings.json", "dataset/pictures.jsonl"):
        (folder / name).unlink()
    (folder / "dataset/approved.jsonl").rename(folder / "dataset/manifest.jsonl")
    result = invoke(folder, "--weights", weights, "--yes")
    assert result.exit_code == 0, result.output
    assert "which nobody approved" in result.output
    assert "no shot is held out" in result.output
    job = json.loads((only_training(folder) / "adapter/job.json").read_text())
    assert {(one["shot"], one["held_out"]) for one in job["pictures"]} == {(None, False)}
    assert job["values"]["step_count"] == 1500


def test_weights_in_a_folder_may_be_a_model_of_the_hub(folder: Path, weights: Path) -> None:
    named = ("--base-model", "stabilityai/stable-diffusion-xl-base-1.0")
    result = invoke(folder, "--weights", weights, *named, "--no-storyboard", "--yes")
    assert result.exit_code == 0, result.output
    assert "licence CreativeML Open RAIL++-M" in result.output
    job = json.loads((only_training(folder) / "adapter/job.json").read_text())
    assert job["base_model"] == {"source": "folder", "id": named[1]}


def test_of_the_hub_the_licence_is_told(folder: Path) -> None:
    result = invoke(folder, "--no-storyboard", "--yes")
    assert result.exit_code == 0, result.output
    assert "CreativeML Open RAIL++-M" in result.output
    job = json.loads((only_training(folder) / "adapter/job.json").read_text())
    assert job["base_model"] == {"source": "hub", "id": "stabilityai/stable-diffusion-xl-base-1.0"}
    assert (only_training(folder) / "adapter/offline").read_text() == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{folder}"], "bound by the base model's licence (CreativeML Open RAIL++-M)"),
        (["{folder}", "--yes", "--weights", "{folder}"], "has a model_index.json"),
        (["{folder}", "--yes", "--python", "{folder}/python"], "There is no Python for training at"),
        (["{folder}", "--yes", "--python", "/bin/false"], "is no Python that works"),
        (["{folder}", "--yes", "--steps", "5"], "training.step_count"),
        (["{folder}", "--yes", "--base-model", "amazon.nova-canvas-v1:0"], "neither an id of the model hub"),
        (["{folder}", "--yes", "--base-model", "s3://mine/sdxl/"], "aws s3 cp --recursive s3://mine/sdxl/"),
        (["{folder}", "--yes", "--budget", "5"], "nothing is billed with --local"),
        (["{folder}", "--yes", "--manifest", "datasets/x.jsonl"], "name the dataset's folder as RUN"),
        (["{folder}/dataset", "--yes"], "has no dataset/approved.jsonl"),
        (["no/such/folder", "--yes"], "There is no folder no/such/folder"),
        (["{folder}", "--yes", "--out", "{folder}/settings.json"], "is a file"),
    ],
)
def test_what_can_not_be_is_refused_before_anything_begins(folder: Path, arguments: list[str], told: str) -> None:
    result = invoke(*(one.format(folder=folder) for one in arguments))
    assert result.exit_code == 2, result.output
    assert told in " ".join(result.stderr.split())
    assert not list(folder.glob("lora/*/work-*"))


def test_weights_without_local_are_refused(folder: Path, weights: Path) -> None:
    result = CliRunner().invoke(app, ["train", RUN_ID, "--weights", str(weights)])
    assert result.exit_code == 2
    assert "--weights goes with --local" in result.stderr


def test_an_environment_without_pytorch_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.trainer_process._NEEDED", ("json", "no_such_package"))
    result = invoke(folder, "--yes")
    assert result.exit_code == 2
    assert "has no no_such_package. Run `make setup-training`" in result.stderr


def test_all_that_is_wrong_with_a_dataset_is_told_at_once(folder: Path, weights: Path) -> None:
    pictures = sorted((folder / "dataset/images").iterdir())
    for picture in pictures[:2]:
        picture.unlink()
    manifest = folder / "dataset/approved.jsonl"
    manifest.write_text(manifest.read_text() + "no json\n")
    result = invoke(folder, "--weights", weights, "--yes")
    assert result.exit_code == 2
    assert result.stderr.count("there is no picture") == 2
    assert "line 17: it is no JSON object" in result.stderr
    (folder / "dataset/pictures.jsonl").write_text("{}\n")
    assert "pictures.jsonl can't be read" in invoke(folder, "--weights", weights, "--yes").stderr
    (folder / "settings.json").write_text("{}")
    assert "settings.json can't be read by this release" in invoke(folder, "--weights", weights, "--yes").stderr


def test_two_commands_do_not_train_the_same_at_once(tmp_path: Path) -> None:
    folder = LoraFolder(tmp_path / "t01234567")
    with folder.held(), pytest.raises(FolderInUseError, match="Another command trains"), folder.held():
        pass
    with folder.held():
        pass


def test_a_log_counts_steps_of_a_training_and_pictures_of_a_drawing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_shown(Screen(), "Drawing") as shown:
        shown.update(TrainerProgress(phase="training", step=1, step_count=600))
        shown.update(TrainerProgress(phase="drawing", step=1, step_count=6))
        shown.update(TrainerProgress(phase="done", step=6, step_count=6))
    told = capsys.readouterr().out
    assert "training: step 1 of 600" in told
    assert "drawing: picture 1 of 6" in told
    assert "done" not in told


def test_a_terminal_sees_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    console = Console(record=True, force_terminal=True, width=120, file=Terminal())
    screen = Screen(console)
    assert screen.is_live
    with progress_shown(screen, "Training") as shown:
        shown.update(None)
        shown.update(TrainerProgress(phase="training", step=3, step_count=10, loss=0.25, device="CPU", eta_s=61))
    told = console.export_text()
    assert "Training on CPU." in told
    assert "training" in told
    assert "3/10" in told
    assert "loss 0.2500, 1:01 left" in told
