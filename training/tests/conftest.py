"""A tiny SDXL, real crops, and jobs on them."""

import os

# Read as libraries are imported. The model is too small to be shared out among threads; no test reaches a hub.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from cases import CAST, Case
from trainer.tiny import write_tiny_sdxl

DEMO_CAST = Path(__file__).parents[2] / "examples/demo/cast"
CROPPED = {"bunny": (605, 548), "frank": (365, 365), "rinky": (280, 420)}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    write_tiny_sdxl(folder)
    return folder


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight real crops of four characters: a broad one, square ones, high ones."""
    folder = tmp_path_factory.mktemp("crops")
    for name in CAST:
        for number in (1, 2):
            with Image.open(DEMO_CAST / name.lower() / f"{name.lower()}_{number}.jpg") as picture:
                width, height = CROPPED.get(name.lower(), picture.size)
                picture.crop((0, 0, width, height)).save(folder / f"{name.lower()}_{number}.png")
    return folder


@pytest.fixture
def case(tmp_path: Path, weights: Path, crops: Path) -> Case:
    return Case(tmp_path / "root", weights, crops)
