"""The parts of ``benchmarks/lora_step.py`` that need PyTorch; it runs them in the trainer's environment.

python benchmarks/step.py prepare FOLDER --shape full      weights and pictures to measure on
python benchmarks/step.py measure REPORT module trainer --root DIR
python benchmarks/step.py measure REPORT script PATH ...   the same of any script that trains by accelerate
python benchmarks/step.py floor REPORT WEIGHTS             what a step takes of diffusers and peft alone
python benchmarks/step.py draw REPORT --root DIR           a drawing by the trainer

``--as-if-gb`` has a large GPU stand in for a smaller one: no more memory than that is given out, and what the
trainer picks is picked for it. The arithmetic's speed stays that of the GPU that is there.
"""

import argparse
import dataclasses
import itertools
import json
import runpy
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import UNet2DConditionModel
from diffusers.training_utils import cast_training_params
from peft import LoraConfig
from PIL import Image

from trainer import memory
from trainer.families.sdxl import LORA_TARGETS
from trainer.memory import Device, pick_for
from trainer.tiny import FULL, TINY, write_random_sdxl

PICTURES = 8
WARM_UP = 5
"""Steps that are not counted: they choose kernels and fill caches."""
CUDA_ITSELF_GB = 0.7
"""What a card's memory has to hold besides PyTorch's own: CUDA's context and libraries."""
BF16_FROM_GB = 20.0
"""The small cards that SageMaker has (T4, 15 GB) compute no bfloat16; those of 22 GB and more do."""
TOKENS, LATENT = 77, 8
"""Tokens of a caption, and pixels of a side of a picture to one of its latents."""


def limit_memory(as_if_gb: float) -> None:
    """Have PyTorch and the trainer see a GPU with so much memory."""
    found = memory.find_device()
    if found.kind != "cuda" or not as_if_gb:
        return
    torch.cuda.set_per_process_memory_fraction((as_if_gb - CUDA_ITSELF_GB) / found.memory_gb)
    small = dataclasses.replace(found, memory_gb=as_if_gb, supports_bf16=as_if_gb >= BF16_FROM_GB)

    def find_small() -> Device:
        return small

    memory.find_device = find_small


def peak_gb() -> float | None:
    """The most memory that PyTorch has held so far."""
    return torch.cuda.max_memory_reserved() / 2**30 if torch.cuda.is_available() else None


def told_of_steps(at: list[float], batch_size: int) -> dict[str, Any]:
    """Say how fast steps followed one another that ended at these times."""
    steps_s = [later - earlier for earlier, later in itertools.pairwise(at)][WARM_UP:]
    median_s = statistics.median(steps_s)
    return {
        "steps": len(steps_s),
        "step_s": median_s,
        "pictures_per_second": batch_size / median_s,
        "peak_gb": peak_gb(),
    }


def prepare(folder: Path, shape: str, resolution: int, batch_size: int) -> None:
    """Write random weights of a shape and square pictures, and say what would be picked here."""
    device = memory.find_device()
    options = pick_for(device, resolution=resolution, batch_size=batch_size)
    write_random_sdxl(
        folder / "weights",
        FULL if shape == "full" else TINY,
        dtype=torch.float16 if device.kind == "cuda" else torch.float32,
        device=device.kind,
    )
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    chance = np.random.default_rng(1)
    captions = []
    for number in range(PICTURES):
        coarse = chance.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        file = f"{number}.png"
        Image.fromarray(coarse).resize((resolution, resolution), Image.Resampling.BICUBIC).save(pictures / file)
        captions.append({"file_name": file, "text": f"Tom stands in a meadow, picture {number}."})
    (pictures / "metadata.jsonl").write_text("".join(json.dumps(one) + "\n" for one in captions), encoding="utf-8")
    about = {
        "device": device.words,
        "is_cuda": device.kind == "cuda",
        "precision": options.precision,
        "gradient_checkpointing": options.gradient_checkpointing,
        "eight_bit_optimizer": options.eight_bit_optimizer,
        "captions": captions,
    }
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def measure(report: Path, kind: str, target: str, arguments: list[str], batch_size: int) -> None:
    """Run a training in this process, and write how fast its steps followed one another.

    The time between two backward passes is a whole step: data, forward, backward, optimiser. The median leaves out
    what comes now and then, such as saving a state.
    """
    at: list[float] = []
    original = Accelerator.backward

    def timed(self: Accelerator, *given: object, **named: object) -> None:
        original(self, *given, **named)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        at.append(time.monotonic())

    Accelerator.backward = timed
    sys.argv = [target, *arguments]
    try:
        if kind == "module":
            runpy.run_module(target, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(target, run_name="__main__")
    except SystemExit as ended:
        if ended.code:
            raise
    report.write_text(json.dumps(told_of_steps(at, batch_size)), encoding="utf-8")


def floor(report: Path, weights: Path, *, steps: int, batch_size: int, resolution: int, rank: int) -> None:
    """Measure the same network, adapter and optimiser over one batch that lies on the GPU already.

    No pictures, no captions, no weighing of losses, nothing looked at or saved: nothing that trains with diffusers
    and peft in these types can be faster.
    """
    device = memory.find_device()
    options = pick_for(device, resolution=resolution, batch_size=batch_size)
    unet = UNet2DConditionModel.from_pretrained(weights, subfolder="unet", dtype=options.dtype).to(device.kind)
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(LORA_TARGETS)))
    cast_training_params(unet, dtype=torch.float32)
    if options.gradient_checkpointing:
        unet.enable_gradient_checkpointing()
    trained = [one for one in unet.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    side = resolution // LATENT
    given: dict[str, Any] = {"device": device.kind, "dtype": options.dtype}
    noisy = torch.randn(batch_size, 4, side, side, **given)
    captions = torch.randn(batch_size, TOKENS, unet.config.cross_attention_dim, **given)
    pooled = unet.config.projection_class_embeddings_input_dim - 6 * unet.config.addition_time_embed_dim
    added = {
        "text_embeds": torch.randn(batch_size, pooled, **given),
        "time_ids": torch.full((batch_size, 6), float(resolution), **given),
    }
    at_steps = torch.full((batch_size,), 500, device=device.kind)
    at: list[float] = []
    unet.train()
    for _ in range(steps):
        with torch.autocast(device.kind, options.dtype, enabled=options.precision != "fp32"):
            predicted = unet(noisy, at_steps, captions, added_cond_kwargs=added, return_dict=False)[0]
        torch.autograd.backward(torch.nn.functional.mse_loss(predicted.float(), noisy.float()))
        if device.kind == "cuda":
            torch.cuda.synchronize()
        at.append(time.monotonic())
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    report.write_text(json.dumps(told_of_steps(at, batch_size)), encoding="utf-8")


def draw(report: Path, root: Path) -> None:
    """Have the trainer draw the panels of a job in this process, and say how long each took."""
    sys.argv = ["trainer", "--root", str(root)]
    try:
        runpy.run_module("trainer", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code:
            raise
    records = [json.loads(file.read_bytes()) for file in sorted((root / "checkpoints/panels").glob("*.json"))]
    progress = json.loads((root / "checkpoints/progress.json").read_bytes())
    found = {
        "options": progress["options"],
        "panels_s": [record["seconds"] for record in records],
        "refused": [record["refused"] for record in records if record["refused"]],
        "peak_gb": peak_gb(),
    }
    report.write_text(json.dumps(found), encoding="utf-8")


def main() -> None:
    """Do one of both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--as-if-gb", type=float, default=0.0)
    commands = parser.add_subparsers(dest="command", required=True)
    preparing = commands.add_parser("prepare")
    preparing.add_argument("folder", type=Path)
    preparing.add_argument("--shape", choices=("full", "tiny"), default="full")
    preparing.add_argument("--resolution", type=int, default=1024)
    measuring = commands.add_parser("measure")
    measuring.add_argument("report", type=Path)
    measuring.add_argument("kind", choices=("module", "script"))
    measuring.add_argument("target")
    measuring.add_argument("arguments", nargs=argparse.REMAINDER)
    bare = commands.add_parser("floor")
    bare.add_argument("report", type=Path)
    bare.add_argument("weights", type=Path)
    bare.add_argument("--steps", type=int, default=60)
    bare.add_argument("--resolution", type=int, default=1024)
    bare.add_argument("--rank", type=int, default=16)
    drawing = commands.add_parser("draw")
    drawing.add_argument("report", type=Path)
    drawing.add_argument("--root", type=Path, required=True)
    asked = parser.parse_args()
    limit_memory(asked.as_if_gb)
    if asked.command == "prepare":
        prepare(asked.folder, asked.shape, asked.resolution, asked.batch_size)
    elif asked.command == "floor":
        floor(
            asked.report,
            asked.weights,
            steps=asked.steps,
            batch_size=asked.batch_size,
            resolution=asked.resolution,
            rank=asked.rank,
        )
    elif asked.command == "draw":
        draw(asked.report, asked.root)
    else:
        measure(asked.report, asked.kind, asked.target, asked.arguments, asked.batch_size)


if __name__ == "__main__":
    main()
