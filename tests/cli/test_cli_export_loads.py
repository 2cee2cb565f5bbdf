"""Exports as their readers load them: the image folder by `datasets` itself, in the trainer's environment."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from cli.export_folder import read_export
from cli.main import app
from cli.trainer_process import DEFAULT_PYTHON
from tests.cli.lora import put_dataset

pytestmark = pytest.mark.training
PYTHON = Path(os.environ.get("STORYCAST_TRAINING_PYTHON", DEFAULT_PYTHON))
CAPTIONS = ("Bunny sagt „grün“, wartet", "Frank and Ольга 🐇 wait\u2028by the door", 'Bunny \\ "quoted" {x}')

READ = """
import hashlib, json, sys
from datasets import load_dataset

named = sys.argv[2] == "imagefolder"
what = ["imagefolder", None, sys.argv[1]] if named else [sys.argv[1]]
loaded = load_dataset(*what, cache_dir=sys.argv[3])
told = {
    split: [
        {**{name: row[name] for name in row if name != "image"}, "size": row["image"].size,
         "pixels": hashlib.sha256(row["image"].convert("RGB").tobytes()).hexdigest()}
        for row in rows
    ]
    for split, rows in loaded.items()
}
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("Größe") / "Фильм"
    pictures = put_dataset(root, "film-20261122-1a2b3c", side_px=64)
    manifest = root / "dataset/approved.jsonl"
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    for number, line in enumerate(lines):
        line["caption"] = f"{CAPTIONS[number % 3]} {number}"
        # A name as another tool might have given it.
        name = line["image-ref"].rpartition("/")[2]
        if number % 4 == 0:
            (root / "dataset/images" / name).rename(root / f"dataset/images/Häsin {number}.PNG")
            line["image-ref"] = line["image-ref"].replace(name, f"Häsin {number}.PNG")
            pictures[number] = pictures[number].model_copy(update={"file_name": f"Häsin {number}.PNG"})
    manifest.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    (root / "dataset/pictures.jsonl").write_text("".join(one.model_dump_json() + "\n" for one in pictures))
    out = root.parent / "für diffusers"
    result = CliRunner().invoke(app, ["export", str(root), "--format", "diffusers", "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out


@pytest.mark.parametrize("way", ["imagefolder", "folder"])
def test_datasets_loads_the_image_folder(exported: Path, tmp_path: Path, way: str) -> None:
    """By name as a plain image folder, and by its own card, as a hub would."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    read = subprocess.run(
        [PYTHON, "-c", READ, exported, way, tmp_path / "cache"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert read.returncode == 0, read.stderr[-3000:]
    told: dict[str, list[dict[str, Any]]] = json.loads(read.stdout.splitlines()[-1])
    assert {split: len(rows) for split, rows in told.items()} == {"train": 14, "validation": 2}
    record = read_export(exported)
    assert record is not None
    source = exported.parent / "Фильм/dataset"
    captions = {
        line["image-ref"].rpartition("/")[2]: line["caption"]
        for line in map(json.loads, (source / "approved.jsonl").read_text().split("\n")[:-1])
    }
    pixels = {}
    for name in captions:
        with Image.open(source / "images" / name) as picture:
            pixels[name] = hashlib.sha256(picture.convert("RGB").tobytes()).hexdigest()
    expected = {(captions[name], pixels[name]) for name in captions}
    rows = [row for part in told.values() for row in part]
    assert {(row["text"], row["pixels"]) for row in rows} == expected
    assert all(row["size"] == [64, 64] for row in rows)
    assert all(row["character"] in row["characters"] for row in rows)
    shots = {split: {row["shot"] for row in part} for split, part in told.items()}
    assert not shots["train"] & shots["validation"]
