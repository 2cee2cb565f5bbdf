"""The parts of ``benchmarks/lora_step.py`` that need PyTorch; it runs them in the trainer's environment.

python benchmarks/step.py prepare FOLDER --shape full      weights and pictures to measure on
python benchmarks/step.py measure REPORT module trainer --root DIR
python benchmarks/step.py measure REPORT script PATH ...   the same of any script that trains by accelerate
"""

import argparse
import itertools
import json
import runpy
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from PIL import Image

from trainer.memory import find_device, pick_for
from trainer.tiny import FULL, TINY, write_random_sdxl

PICTURES = 8
WARM_UP = 5
"""Steps that are not counted: they choose kernels and fill caches."""


def prepare(folder: Path, shape: str, resolution: int, batch_size: int) -> None:
    """Write random weights of a shape and square pictures, and say what would be picked here."""
    device = find_device()
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
    peaks_gb: list[float] = []
    original = Accelerator.backward

    def timed(self: Accelerator, *given: object, **named: object) -> None:
        original(self, *given, **named)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
            peaks_gb.append(torch.cuda.max_memory_allocated() / 2**30)
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
    steps_s = [later - earlier for earlier, later in itertools.pairwise(at)][WARM_UP:]
    median_s = statistics.median(steps_s)
    found = {
        "steps": len(steps_s),
        "step_s": median_s,
        "pictures_per_second": batch_size / median_s,
        "peak_gb": max(peaks_gb, default=None),
    }
    report.write_text(json.dumps(found), encoding="utf-8")


def main() -> None:
    """Do one of both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=1)
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
    asked = parser.parse_args()
    if asked.command == "prepare":
        prepare(asked.folder, asked.shape, asked.resolution, asked.batch_size)
    else:
        measure(asked.report, asked.kind, asked.target, asked.arguments, asked.batch_size)


if __name__ == "__main__":
    main()
