"""A step of LoRA training at SDXL's full size, and a panel drawn, beside what diffusers and peft alone take.

    .venv/bin/python -m benchmarks.lora_step --as-if-gb 45 22 15 --draw

Needs `make setup-training` and an NVIDIA GPU; without one it says so and ends with code 2. Weights are random:
speed and memory do not depend on them. `--as-if-gb` measures with what the trainer picks for smaller cards, in no
more memory than they have; speed stays that of the GPU that is there. `--example` takes diffusers'
`examples/text_to_image/train_text_to_image_lora_sdxl.py` of the release in `training/requirements.txt`, which no
package brings; it needs `datasets` and `torchvision`, too. `--tiny` tries the benchmark itself on a toy model, on
any machine. `STORYCAST_TRAINING_PYTHON` names another Python than that of `make setup-training`.
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


def run_step(*arguments: str | Path, batch_size: int, as_if_gb: float = 0.0) -> None:
    """Run a part that needs PyTorch.

    Raises:
        SystemExit: It failed; with the end of what it printed.
    """
    path = [str(TRAINING), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [PYTHON, STEP, "--batch-size", str(batch_size), "--as-if-gb", str(as_if_gb), *arguments],
        cwd=TRAINING,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path), "HF_HUB_OFFLINE": "1"},
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


def write_drawing(root: Path, prepared: Path, adapter: Path, resolution: int) -> None:
    """Lay out a job that draws a panel twice with the adapter, and once without: the first pays for warming up."""
    data = root / "input/data"
    (data / "job").mkdir(parents=True)
    (data / "weights").symlink_to(prepared / "weights")
    (data / "adapter").symlink_to(adapter)
    panels = [
        {
            "fingerprint": fingerprint,
            "drawn_by": drawn_by,
            "prompt": "Tom stands in a meadow.",
            "negative_prompt": "",
            "image_count": 1,
            "width_px": resolution,
            "height_px": resolution,
            "inference_steps": 30,
            "cfg_scale": 7.0,
            "seed": 1,
        }
        for fingerprint, drawn_by in (("a", "trained"), ("b", "trained"), ("c", "base"))
    ]
    job = {
        "format": "storycast-lora-1",
        "name": "lora-step",
        "task": "draw",
        "project": "benchmark",
        "family": "sdxl",
        "base_model": {"source": "folder", "id": "random weights"},
        "panels": panels,
    }
    (data / "job/job.json").write_text(json.dumps(job), encoding="utf-8")


def show(name: str, report: Path) -> dict[str, Any]:
    """Print one line of the table of steps."""
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    pace = f"{found['step_s']:.3f} s | {found['pictures_per_second']:.2f}"
    print(f"| {name} | {pace} | {_gb(found)} | {found['steps']} |", flush=True)
    return found


def show_drawing(name: str, report: Path) -> dict[str, Any]:
    """Print one line of the table of panels."""
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    _, again, base = [f"{seconds:.2f} s" for seconds in found["panels_s"]]
    refused = f" {found['refused']}" if found["refused"] else ""
    print(f"| {name}: {found['options']}{refused} | {again} | {base} | {_gb(found)} |", flush=True)
    return found


def _gb(found: dict[str, Any]) -> str:
    return "" if found["peak_gb"] is None else f"{found['peak_gb']:.1f} GB"


def main() -> int:
    """Measure; return the exit code."""
    parser = argparse.ArgumentParser(description="A step of LoRA training at SDXL's full size.")
    parser.add_argument("--example", type=Path, help="diffusers' train_text_to_image_lora_sdxl.py")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--resolution", type=int, default=1024)
    parser.add_argument("--as-if-gb", type=float, nargs="*", default=[], help="smaller cards to play, GB")
    parser.add_argument("--draw", action="store_true", help="draw panels with what was trained, too")
    parser.add_argument("--tiny", action="store_true", help="a toy model, to try the benchmark itself")
    asked = parser.parse_args()
    if not PYTHON.is_file():
        print(f"{PYTHON} is missing: run `make setup-training` first.", file=sys.stderr)
        return 1
    if not asked.tiny and subprocess.run([PYTHON, "-c", HAS_CUDA], check=False).returncode:
        print("There is no NVIDIA GPU that PyTorch can use: nothing was measured.", file=sys.stderr)
        return NO_GPU
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        compare(folder, asked)
    return 0


def compare(folder: Path, asked: argparse.Namespace) -> None:
    """Measure every way on one set of weights and pictures, and print the tables and a line of JSON."""
    shape = "tiny" if asked.tiny else "full"
    batch_size, resolution = asked.batch_size, str(asked.resolution)
    run_step("prepare", folder, "--shape", shape, "--resolution", resolution, batch_size=batch_size)
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    options = ("gradient_checkpointing", "eight_bit_optimizer")
    picked = ", ".join([about["precision"], *(name for name in options if about[name])])
    print(f"{about['device']}; {picked}; {shape} SDXL with random weights; {asked.resolution} px,", end=" ")
    print(f"batches of {batch_size}, rank {asked.rank}.\n")
    print("| | a step, median | pictures a second | peak memory | steps |\n|---|---|---|---|---|")
    found: dict[str, Any] = {}
    for as_if_gb in (0.0, *asked.as_if_gb):
        name = f"trainer, as if {as_if_gb:g} GB" if as_if_gb else "trainer"
        root, report = folder / f"root-{as_if_gb:g}", folder / f"trainer-{as_if_gb:g}.json"
        write_job(root, folder, about, asked)
        trained = ("measure", report, "module", "trainer", "--root", root)
        try:
            run_step(*trained, batch_size=batch_size, as_if_gb=as_if_gb)
        except SystemExit as failed:
            if not as_if_gb:
                raise  # All else is compared with it.
            print(failed)
            continue
        found[name] = show(name, report)
    report = folder / "floor.json"
    sizes = ("--steps", str(asked.steps), "--resolution", resolution, "--rank", str(asked.rank))
    run_step("floor", report, folder / "weights", *sizes, batch_size=batch_size)
    found["floor"] = show("floor: diffusers and peft alone, one batch", report)
    if asked.example:
        report = folder / "example.json"
        arguments = example_arguments(folder, folder / "example", about, asked)
        script = asked.example.resolve()
        run_step("measure", report, "script", script, *arguments, batch_size=batch_size)
        found["example"] = show("diffusers' example", report)
    if asked.draw:
        print("\n| panels | trained | base | peak memory |\n|---|---|---|---|")
        for as_if_gb in (0.0, *asked.as_if_gb):
            name = f"as if {as_if_gb:g} GB" if as_if_gb else "as it is"
            root, report = folder / f"draw-{as_if_gb:g}", folder / f"draw-{as_if_gb:g}.json"
            write_drawing(root, folder, folder / "root-0/checkpoints/adapter", asked.resolution)
            try:
                run_step("draw", report, "--root", root, batch_size=batch_size, as_if_gb=as_if_gb)
            except SystemExit as failed:
                print(failed)
                continue
            found[f"draw, {name}"] = show_drawing(name, report)
    print(json.dumps({"device": about["device"], "shape": shape, "ratio_to_floor": _ratio(found), **found}))


def _ratio(found: dict[str, Any]) -> float:
    trainer_s, floor_s = float(found["trainer"]["step_s"]), float(found["floor"]["step_s"])
    return round(trainer_s / floor_s, 3)


if __name__ == "__main__":
    sys.exit(main())
