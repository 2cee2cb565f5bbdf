"""Jobs for tests: a folder laid out, and the entry point run on it."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from trainer.__main__ import main
from trainer.places import ADAPTER_FILE, Places

TRAINING = Path(__file__).parents[1]
CAST = ("Bunny", "Frank", "Gamera", "Rinky")
VALUES = {"step_count": 6, "batch_size": 1, "learning_rate": 1e-2, "rank": 4, "resolution": 64, "seed": 1}


def picture(file: str, caption: str | None = None, **fields: Any) -> dict[str, Any]:
    """A picture of the character that its file is named after."""
    name = file.split("_", maxsplit=1)[0].title()
    return {
        "file": file,
        "caption": caption if caption is not None else f"{name} stands in a meadow.",
        "characters": [name],
        "shot": f"film:{file}",
        "held_out": False,
        **fields,
    }


FOUR = [picture(f"{name.lower()}_1.png") for name in CAST]
TWO_HELD_OUT = [
    picture("bunny_2.png", shot="film:9", held_out=True),
    picture("rinky_2.png", shot=None, held_out=True),
]


class Case:
    """One job in a folder."""

    def __init__(self, root: Path, weights: Path, crops: Path) -> None:
        self.places = Places(root)
        (root / "input/data").mkdir(parents=True)
        self.places.weights.symlink_to(weights)
        shutil.copytree(crops, self.places.pictures)

    def ask(
        self, pictures: list[dict[str, Any]] | None = None, values: dict[str, Any] | None = None, **job: Any
    ) -> None:
        """Write the job."""
        content = {
            "format": "storycast-lora-1",
            "name": "test",
            "task": "train",
            "project": "demo",
            "family": "sdxl",
            "base_model": {"source": "folder", "id": "s3://films/models/tiny/"},
            "characters": list(CAST),
            "pictures": FOUR + TWO_HELD_OUT if pictures is None else pictures,
            "values": VALUES | (values or {}),
            "panels": [],
            **job,
        }
        self.places.job_file.parent.mkdir(parents=True, exist_ok=True)
        self.places.job_file.write_text(json.dumps(content), encoding="utf-8")

    def run(self) -> int:
        """Do the job in this process."""
        return main(["--root", str(self.places.root)])

    def start(self, **environment: str) -> "subprocess.Popen[str]":
        """Begin the job in a process of its own, as a container does."""
        return subprocess.Popen(
            [sys.executable, "-m", "trainer", "train", "--root", str(self.places.root)],
            cwd=TRAINING,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def adapter(self) -> dict[str, torch.Tensor]:
        return load_file(self.places.adapter / ADAPTER_FILE)

    def progress(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.places.progress_file.read_text(encoding="utf-8"))
        return content

    def failure(self) -> str:
        return self.places.failure_file.read_text(encoding="utf-8")

    def losses(self) -> list[dict[str, str]]:
        """The metrics, without how fast it was."""
        with self.places.metrics_file.open(newline="", encoding="utf-8") as opened:
            return [{k: v for k, v in row.items() if k != "pictures_per_second"} for row in csv.DictReader(opened)]

    def states(self) -> list[str]:
        return sorted(folder.name for folder in self.places.work.glob("state-*"))


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether weights are equal to the last bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
