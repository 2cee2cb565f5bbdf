"""The real loop, on a tiny SDXL and real crops."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from diffusers import StableDiffusionXLPipeline
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from cases import CAST, FOUR, TWO_HELD_OUT, VALUES, Case, picture, same
from trainer import held_out, train
from trainer.__main__ import main
from trainer.dataset import encode, fingerprint
from trainer.families import find_family
from trainer.held_out import HeldOut
from trainer.job import read_job
from trainer.memory import pick
from trainer.order import Order
from trainer.pictures import check
from trainer.places import ADAPTER_FILE, OTHER_PROGRAMS_FILE
from trainer.stopping import EXIT_CODE
from trainer.weights import STAND_IN_FILE, find_weights

CPU = pick(0, supports_bf16=False, has_bitsandbytes=False, resolution=64, batch_size=1)
FORTY = {"step_count": 40}
PANEL = {
    "fingerprint": "0123456789ab",
    "drawn_by": "base",
    "prompt": "A meadow",
    "negative_prompt": "",
    "image_count": 1,
    "width_px": 64,
    "height_px": 64,
    "inference_steps": 1,
    "cfg_scale": 8.0,
    "seed": 1,
}


def test_the_loss_falls_on_four_pictures(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean over many fixed noises, before and after: none of them is one that was trained with."""
    case.ask(FOUR, {"step_count": 100, "batch_size": 2, "rank": 16})
    assert case.run() == 0
    places, job = case.places, read_job(case.places)
    family, device = find_family("sdxl"), torch.device("cpu")
    items = check(places.pictures, job.pictures, 64)
    weights = find_weights(job.base_model, family.parts, places)
    denoiser = family.load_denoiser(weights, CPU, device, rank=16, seed=1)
    monkeypatch.setattr(held_out, "LOOKS", 32)
    measured = HeldOut(
        denoiser,
        encode(places.pictures, items, family.load_encoders(weights, CPU, device)),
        [item.picture.file for item in items],
        seed=99,
    )
    before = measured.measure(denoiser.network, lambda: False)
    denoiser.load_adapter_state(load_file(places.work / "state-000100" / ADAPTER_FILE))
    after = measured.measure(denoiser.network, lambda: False)
    assert before is not None
    assert after is not None
    assert all(after[file] < 0.98 * before[file] for file in before)
    assert measured.overall(after) < 0.97 * measured.overall(before)


def draw(pipeline: StableDiffusionXLPipeline) -> NDArray[np.float32]:
    pipeline.set_progress_bar_config(disable=True)
    drawn: NDArray[np.float32] = pipeline(
        "Bunny stands in a meadow.",
        width=64,
        height=64,
        num_inference_steps=3,
        generator=torch.Generator("cpu").manual_seed(3),
        output_type="np",
    ).images[0]
    return drawn


@pytest.mark.parametrize("file", [ADAPTER_FILE, OTHER_PROGRAMS_FILE])
def test_the_adapter_loads_back_and_changes_what_is_drawn(case: Case, file: str) -> None:
    case.ask(values={"step_count": 20})
    assert case.run() == 0
    pipeline = StableDiffusionXLPipeline.from_pretrained(case.places.weights)
    plain = draw(pipeline)
    pipeline.load_lora_weights(case.places.adapter, weight_name=file)
    assert np.abs(draw(pipeline) - plain).max() > 0.01
    pipeline.disable_lora()
    assert np.array_equal(draw(pipeline), plain)
    pipeline.enable_lora()
    assert np.abs(draw(pipeline) - plain).max() > 0.01


def test_both_files_hold_the_same_adapter(case: Case) -> None:
    case.ask()
    assert case.run() == 0
    drawn = []
    for file in (ADAPTER_FILE, OTHER_PROGRAMS_FILE):
        pipeline = StableDiffusionXLPipeline.from_pretrained(case.places.weights)
        pipeline.load_lora_weights(case.places.adapter, weight_name=file)
        drawn.append(draw(pipeline))
    assert np.allclose(*drawn, atol=1e-4)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, weights: Path, crops: Path) -> Case:
    case = Case(tmp_path_factory.mktemp("uninterrupted") / "root", weights, crops)
    case.ask(values=FORTY)
    assert case.run() == 0
    return case


def run_until(case: Case, line: str, number: int) -> "subprocess.Popen[str]":
    """Run in a process of its own until it says that it did a step, then send it a signal."""
    process = case.start()
    assert process.stdout is not None
    for said in process.stdout:
        if said.startswith(line):
            break
    process.send_signal(number)
    process.communicate(timeout=60)
    return process


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGTERM, EXIT_CODE), (signal.SIGKILL, -signal.SIGKILL)], ids=["TERM", "KILL"]
)
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    case: Case, uninterrupted: Case, number: int, exit_code: int
) -> None:
    case.ask(values=FORTY)
    assert run_until(case, "step=10/", number).returncode == exit_code
    assert not case.places.adapter.exists()
    newest = int(case.states()[-1].removeprefix("state-"))
    if number == signal.SIGTERM:
        assert 10 <= newest < 40
    else:
        assert newest < 40
        assert newest % 4 == 0
    assert case.run() == 0
    assert same(case.adapter(), uninterrupted.adapter())
    assert case.losses() == uninterrupted.losses()
    assert case.places.held_out_file.read_bytes() == uninterrupted.places.held_out_file.read_bytes()


def test_a_damaged_state_is_passed_over(case: Case, uninterrupted: Case) -> None:
    shutil.copytree(uninterrupted.places.work, case.places.work)
    newest = case.states()[-1]
    optimizer = case.places.work / newest / "optimizer.bin"
    optimizer.write_bytes(optimizer.read_bytes()[:-1] + b"\0\1")
    shutil.rmtree(case.places.adapter)
    case.ask(values=FORTY)
    assert case.run() == 0
    assert f"{newest} is passed over: optimizer.bin is damaged." in case.progress()["warnings"]
    assert same(case.adapter(), uninterrupted.adapter())
    assert case.losses() == uninterrupted.losses()


def test_other_pictures_begin_anew(case: Case, uninterrupted: Case) -> None:
    shutil.copytree(uninterrupted.places.work, case.places.work)
    case.ask([*FOUR[:3], *TWO_HELD_OUT], FORTY | {"step_count": 3})
    assert case.run() == 0
    assert any("are not this job's" in warning for warning in case.progress()["warnings"])
    assert [row["step_number"] for row in case.losses()] == ["1", "2", "3"]


def test_a_state_of_another_optimiser_or_precision_is_not_read(
    case: Case, uninterrupted: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another GPU others may be picked: what bitsandbytes saved, PyTorch's own AdamW can't go on from."""
    case.ask(values=FORTY)
    places, job = case.places, read_job(case.places)
    items = check(places.pictures, job.pictures, 64)
    marks = {
        fingerprint(job, items, replace(CPU, **changed))
        for changed in ({}, {"precision": "bf16"}, {"eight_bit_optimizer": True})
    }
    assert len(marks) == 3
    assert fingerprint(job, items, replace(CPU, gradient_checkpointing=True, vae_tiling=True)) in marks
    shutil.copytree(uninterrupted.places.work, places.work)
    monkeypatch.setattr(train, "fingerprint", lambda job, items, options: "of another GPU")
    case.ask(values=FORTY | {"step_count": 2})
    assert case.run() == 0
    assert any("memory options are not this job's" in warning for warning in case.progress()["warnings"])
    assert [row["step_number"] for row in case.losses()] == ["1", "2"]


def test_on_a_machine_whose_gpu_can_not_be_used_nothing_is_trained(
    case: Case, weights: Path, tmp_path: Path
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    case.places.resources_file.parent.mkdir(parents=True)
    case.places.resources_file.write_text(json.dumps({"current_instance_type": "ml.g5.xlarge"}))
    case.ask(values={"step_count": 1})
    assert case.run() == 0, "a stand-in's machine has none, and says so"
    real = tmp_path / "real"
    shutil.copytree(weights, real)
    (real / STAND_IN_FILE).unlink()
    case.places.weights.unlink()
    case.places.weights.symlink_to(real)
    for asked in ({"task": "train"}, {"task": "draw", "panels": [PANEL]}):
        case.ask(**asked)
        assert case.run() == 1
        assert case.failure().startswith("GpuUnusableError: ml.g5.xlarge has an NVIDIA GPU"), case.failure()


def test_whatever_sagemaker_adds_to_the_command_the_job_decides(case: Case) -> None:
    case.ask(values={"step_count": 1})
    assert main(["train", "draw", "--root", str(case.places.root)]) == 0
    assert case.progress()["task"] == "train"


def test_more_steps_go_on_where_it_ended(case: Case, uninterrupted: Case) -> None:
    case.ask(values={"step_count": 20})
    assert case.run() == 0
    case.ask(values=FORTY)
    assert case.run() == 0
    assert same(case.adapter(), uninterrupted.adapter())


def test_what_is_left_behind(uninterrupted: Case) -> None:
    places = uninterrupted.places
    assert uninterrupted.states() == ["state-000036", "state-000040"]
    assert sorted(file.name for file in places.adapter.iterdir()) == [
        "LICENSE.md",
        "README.md",
        "adapter.json",
        OTHER_PROGRAMS_FILE,
        ADAPTER_FILE,
    ]
    adapter = json.loads((places.adapter / "adapter.json").read_text(encoding="utf-8"))
    assert adapter.pop("stand_in").startswith("STAND-IN")
    assert adapter == {
        "format": "storycast-adapter-1",
        "family": "sdxl",
        "base_model": "s3://films/models/tiny/",
        "rank": 4,
        "step_count": 40,
        "characters": list(CAST),
        "licence": {"name": "No licence is needed: this is no model", "link": "", "file": "LICENSE.md"},
    }
    card = (places.adapter / "README.md").read_text(encoding="utf-8")
    for words in (
        "> **STAND-IN",
        "| Bunny | 1 of 1 | 25% |",
        "load_lora_weights",
        "ComfyUI",
        "LICENSE.md",
        "film:9",
    ):
        assert words in card
    assert [file.name for file in places.model.iterdir()] == ["README.txt"]
    assert not places.failure_file.exists()
    # Files that others read, and nothing half written.
    assert not list(places.work.rglob("*.partial"))


def test_progress_tells_how_it_went(uninterrupted: Case) -> None:
    progress = uninterrupted.progress()
    assert progress["phase"] == "done"
    assert (progress["step"], progress["step_count"], progress["eta_s"]) == (40, 40, 0)
    assert progress["loss"] > 0
    assert progress["held_out_loss"] > 0
    assert (progress["device"], progress["options"]) == ("CPU", "fp32, AdamW")
    assert progress["stand_in"].startswith("STAND-IN")


def test_the_hold_out_loss_is_told_by_shot(uninterrupted: Case) -> None:
    shots = json.loads(uninterrupted.places.held_out_file.read_text(encoding="utf-8"))["shots"]
    assert [(shot["shot"], shot["pictures"]) for shot in shots] == [("film:9", 1), ("unknown", 1)]
    assert all(shot["loss_before"] != shot["loss_after"] for shot in shots)
    rows = uninterrupted.losses()
    measured = [row for row in rows if row["held_out_loss"]]
    assert measured[-1]["step_number"] == "40"
    mean = sum(shot["loss_after"] for shot in shots) / 2
    assert float(measured[-1]["held_out_loss"]) == pytest.approx(mean, abs=1e-5)
    assert len(measured) < len(rows)


def test_lines_are_in_the_form_that_metrics_are_cut_from(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.ask(values={"step_count": 2})
    assert case.run() == 0
    said = capsys.readouterr().out
    assert "Its licence: No licence is needed" in said
    assert said.index("Its licence") < said.index("step=1/2 train_loss=")
    last = next(line for line in said.splitlines() if line.startswith("step=2/2"))
    numbers = dict(part.split("=") for part in last.split())
    assert list(numbers) == ["step", "train_loss", "held_out_loss", "pictures_per_second"]
    assert all(float(value) > 0 for name, value in numbers.items() if name != "step")


@pytest.mark.parametrize(
    ("pictures", "values"),
    [
        pytest.param([picture("bunny_1.png")], {"batch_size": 4}, id="one picture, none held out"),
        pytest.param(FOUR, {"batch_size": 3}, id="a batch that is not filled"),
        pytest.param([picture("flat.png"), picture("tall.png")], {"resolution": 128}, id="1:4 and 4:1"),
        pytest.param([picture("bunny_1.png", "", characters=[])], {}, id="no caption, nobody known"),
    ],
)
def test_what_else_a_dataset_may_be(case: Case, pictures: list[dict[str, Any]], values: dict[str, Any]) -> None:
    for file, size in (("flat.png", (1024, 256)), ("tall.png", (256, 1024))):
        with Image.open(case.places.pictures / "bunny_1.png") as crop:
            crop.resize(size).save(case.places.pictures / file)
    case.ask(pictures, {"step_count": 2, **values})
    assert case.run() == 0
    assert json.loads(case.places.held_out_file.read_text()) == {"shots": []}
    assert any(
        tensor.abs().sum() > 0 for name, tensor in case.adapter().items() if "lora.up" in name or "lora_B" in name
    )


def test_captions_of_all_lengths_share_a_batch(case: Case) -> None:
    case.ask(
        [picture("bunny_1.png", "Bunny " * 100), picture("frank_1.png"), picture("frank_2.png", held_out=True)],
        {"step_count": 1, "batch_size": 2},
    )
    assert case.run() == 0
    assert not any("caption" in warning for warning in case.progress()["warnings"])


def test_a_loss_that_is_no_number_ends_the_training(case: Case) -> None:
    case.ask(values={"learning_rate": 1e30})
    assert case.run() == 1
    assert case.failure().startswith("LossNotFiniteError: The loss of step ")
    assert "training.learning_rate (now 1e+30)" in case.failure()


def test_memory_that_is_not_enough_is_told(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_much(*_: object) -> list[int]:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(Order, "batch", too_much)
    case.ask()
    assert case.run() == 1
    assert case.failure().startswith("GpuMemoryError: ")
    assert "training.lora.rank (now 4)" in case.failure()


def test_pictures_are_looked_at_before_anything_is_loaded(case: Case) -> None:
    case.places.weights.unlink()
    case.ask([*FOUR, picture("gone_1.png"), picture("gone_2.png")])
    assert case.run() == 1
    assert case.failure().startswith("PicturesUnreadableError: 2 of 6 pictures")
    assert "gone_1.png (missing), gone_2.png (missing)" in case.failure()


def test_what_nobody_expected_is_told_too(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Order, "batch", lambda *_: 1 / 0)
    case.ask()
    assert case.run() == 1
    assert case.failure() == "ZeroDivisionError: division by zero\n"


def test_an_earlier_failure_is_forgotten(case: Case) -> None:
    case.ask(family="none")
    assert case.run() == 1
    case.ask(values={"step_count": 1})
    assert case.run() == 0
    assert not case.places.failure_file.exists()


def test_each_seed_trains_another_adapter(case: Case) -> None:
    found = []
    for seed in (1, 2, 1):
        shutil.rmtree(case.places.work, ignore_errors=True)
        case.ask(values=VALUES | {"seed": seed, "step_count": 2})
        assert case.run() == 0
        found.append(case.adapter())
    assert same(found[0], found[2])
    assert not same(found[0], found[1])


@pytest.fixture
def fresh_accelerate() -> Iterator[None]:
    """Accelerate keeps one precision a process; these tests need another."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def test_checkpointing_changes_nothing_but_memory(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for checkpointing in (False, True):
        shutil.rmtree(case.places.work, ignore_errors=True)
        options = replace(CPU, gradient_checkpointing=checkpointing)
        monkeypatch.setattr(train, "pick_for", lambda *_, picked=options, **__: picked)
        case.ask(values={"step_count": 3})
        assert case.run() == 0
        found.append(case.adapter())
    assert all(torch.allclose(found[0][name], found[1][name], atol=1e-5) for name in found[0])


def test_in_bf16_what_is_trained_stays_float32(
    case: Case, uninterrupted: Case, monkeypatch: pytest.MonkeyPatch, fresh_accelerate: None
) -> None:
    """The types that a GPU gets; a CPU can compute in them, too."""
    bf16 = replace(CPU, precision="bf16", gradient_checkpointing=True)
    monkeypatch.setattr(train, "pick_for", lambda *_, **__: bf16)
    for step_count in (8, 16):
        case.ask(values={"step_count": step_count})
        assert case.run() == 0
    assert case.progress()["options"] == "bf16, gradient checkpointing, AdamW"
    assert {tensor.dtype for tensor in case.adapter().values()} == {torch.float32}
    losses = [[float(row["training_loss"]) for row in one.losses()] for one in (case, uninterrupted)]
    assert losses[0] == pytest.approx(losses[1][:16], rel=0.05)
