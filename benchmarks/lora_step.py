"""A step of LoRA training at SDXL's full size, beside diffusers' own example script with the same settings.

    .venv/bin/python -m benchmarks.lora_step --example train_text_to_image_lora_sdxl.py

Needs `make setup-training` and an NVIDIA GPU; without one it says so and ends with code 2. Weights are random:
speed and memory do not depend on them. The example is diffusers'
`examples/text_to_image/train_text_to_image_lora_sdxl.py` of the release in `training/requirements.txt`, which no
package brings; it needs `datasets` and `torchvision`, too. Without `--example` the trainer alone is measured.
`--tiny` tries the benchmark itself on a toy model, on any machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TRAINING = ROOT / "training"
PYTHON = Path(os.environ.get("STORYCAST_TRAINING_PYTHON", ROOT / ".tools/training/bin/python"))
STEP = TRAINING / "benchmarks/step.py"
NO_GPU = 2
HAS_CUDA = "import sys, torch; sys.exit(0 if torch.cuda.is_available() else 3)"


def run_step(*arguments: str | Path, batch_size: int) -> None:
    """Run a part that needs PyTorch.

    Raises:
        SystemExit: It failed; with the end of what it printed.
    """
    done = subprocess.run(
        [PYTHON, STEP, "--batch-size", str(batch_size), *arguments],
        cwd=TRAINING,
        env=os.environ | {"PYTHONPATH": str(TRAINING), "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments[:4]))} failed:\n{done.stdout[-4000:]}")


def write_job(root: Path, prepared: Path, about: dict[str, Any], asked: argparse.Namespace) -> None:
    """Lay out a job for the trainer."""
    data = root / "input/data"
    (data / "job").mkdir(parents=True)
    (data / "weights").symlink_to(prepared / "weights")
    (data / "pictures").symlink_to(prepared / "pictures")
    pictures = [
        {
            "file": one["file_name"],
            "caption": one["text"],
            "characters": ["Tom"],
            "shot": None,
            "held_out": False,
        }
        for one in about["captions"]
    ]
    job = {
        "format": "storycast-lora-1",
        "name": "lora-step",
        "task": "train",
        "project": "benchmark",
        "family": "sdxl",
        "base_model": {"source": "folder", "id": "random weights"},
        "characters": ["Tom"],
        "pictures": pictures,
        "values": {
            "step_count": asked.steps,
            "batch_size": asked.batch_size,
            "learning_rate": 1e-4,
            "rank": asked.rank,
            "resolution": asked.resolution,
            "seed": 1,
        },
        "panels": [],
    }
    (data / "job/job.json").write_text(json.dumps(job), encoding="utf-8")


def example_arguments(prepared: Path, out: Path, about: dict[str, Any], asked: argparse.Namespace) -> list[str]:
    """Give diffusers' example the settings that the trainer uses."""
    given = {
        "pretrained_model_name_or_path": prepared / "weights",
        "train_data_dir": prepared / "pictures",
        "caption_column": "text",
        "output_dir": out,
        "resolution": asked.resolution,
        "train_batch_size": asked.batch_size,
        "max_train_steps": asked.steps,
        "rank": asked.rank,
        "learning_rate": 1e-4,
        "lr_scheduler": "constant",
        "lr_warmup_steps": 0,
        "snr_gamma": 5.0,
        "checkpointing_steps": 1_000_000,
        "mixed_precision": "no" if about["precision"] == "fp32" else about["precision"],
        "report_to": "all",
        "seed": 1,
    }
    arguments = [f"--{name}={value}" for name, value in given.items()] + ["--center_crop"]
    arguments += ["--gradient_checkpointing"] if about["gradient_checkpointing"] else []
    arguments += ["--use_8bit_adam"] if about["eight_bit_optimizer"] else []
    return arguments


def show(name: str, report: Path) -> None:
    """Print one line of the table."""
    found = json.loads(report.read_text(encoding="utf-8"))
    peak = "" if found["peak_gb"] is None else f"{found['peak_gb']:.1f} GB"
    print(f"| {name} | {found['step_s']:.3f} s | {found['pictures_per_second']:.2f} | {peak} | {found['steps']} |")


def main() -> int:
    """Measure; return the exit code."""
    parser = argparse.ArgumentParser(description="A step of LoRA training at SDXL's full size.")
    parser.add_argument("--example", type=Path, help="diffusers' train_text_to_image_lora_sdxl.py")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--resolution", type=int, default=1024)
    parser.add_argument("--tiny", action="store_true", help="a toy model, to try the benchmark itself")
    asked = parser.parse_args()
    if not PYTHON.is_file():
        print(f"{PYTHON} is missing: run `make setup-training` first.", file=sys.stderr)
        return 1
    if not asked.tiny and subprocess.run([PYTHON, "-c", HAS_CUDA], check=False).returncode:
        print("There is no NVIDIA GPU that PyTorch can use: nothing was measured.", file=sys.stderr)
        return NO_GPU
    shape = "tiny" if asked.tiny else "full"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        size = ("--shape", shape, "--resolution", str(asked.resolution))
        run_step("prepare", folder, *size, batch_size=asked.batch_size)
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        options = ("gradient_checkpointing", "eight_bit_optimizer")
        picked = ", ".join([about["precision"], *(name for name in options if about[name])])
        print(f"{about['device']}; {picked}; {shape} SDXL with random weights; {asked.resolution} px,", end=" ")
        print(f"batches of {asked.batch_size}, rank {asked.rank}.\n")
        print("| | a step, median | pictures a second | peak memory | steps |\n|---|---|---|---|---|")
        write_job(folder / "root", folder, about, asked)
        report = folder / "trainer.json"
        run_step("measure", report, "module", "trainer", "--root", folder / "root", batch_size=asked.batch_size)
        show("trainer", report)
        if asked.example:
            report = folder / "example.json"
            arguments = example_arguments(folder, folder / "example", about, asked)
            script = asked.example.resolve()
            run_step("measure", report, "script", script, *arguments, batch_size=asked.batch_size)
            show("diffusers' example", report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
