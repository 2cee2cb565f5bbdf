"""What a fine-tuning job does here: reads its pictures with its role, and trains a small classifier on them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from local.standins.embedder import WIDTH, embed_picture
from local.standins.job_role import JobRole
from local.standins.objects import ObjectUnreadableError
from local.standins.pictures import PictureUnreadableError, read_header, read_pixels

#: Amazon's limits for image models; see "Preparing data for fine-tuning Amazon Nova creative models".
MIN_RECORDS, MAX_RECORDS = 5, 10_000
MIN_SIDE_PX, MAX_SIDE_PX = 512, 4096
MIN_CAPTION, MAX_CAPTION = 3, 1024
#: Steps of the classifier, whatever the job asks for; it has learned all it can by then.
MOST_STEPS = 300
RATE = 0.5
SEED = 20261124
KEY_STYLES = (("image-ref", "caption"), ("image_ref", "alt_text"))
_NAME = re.compile(r"\b[A-Z][\w'-]*(?: \d+)?")


class DatasetRefusedError(Exception):
    """The dataset is outside the limits; the message says where."""


def read_dataset(manifest: bytes) -> list[tuple[str, str]]:
    """Read a manifest: picture URIs and captions.

    Raises:
        DatasetRefusedError: A line is not as it must be, or there are too few or too many.
    """
    records = []
    for number, line in enumerate(manifest.decode("utf-8", "replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            image, caption = next(style for style in KEY_STYLES if set(style) <= set(data))
        except (ValueError, TypeError, StopIteration):
            raise DatasetRefusedError(f"line {number} of the manifest has no picture and caption") from None
        if not MIN_CAPTION <= len(data[caption]) <= MAX_CAPTION:
            raise DatasetRefusedError(f"line {number}: captions have {MIN_CAPTION} to {MAX_CAPTION} characters")
        records.append((str(data[image]), str(data[caption])))
    if not MIN_RECORDS <= len(records) <= MAX_RECORDS:
        raise DatasetRefusedError(f"the manifest has {len(records)} records, not {MIN_RECORDS} to {MAX_RECORDS}")
    return records


def read_pictures(
    records: list[tuple[str, str]], role: JobRole, folder: Path, go_on: Callable[[], bool]
) -> list[tuple[str, str]]:
    """Read every picture with the role and keep it in a folder.

    Args:
        records: Picture URIs and captions.
        role: Who reads.
        folder: Where they are kept, made if it is not there.
        go_on: Asked before each one; where it says no, what was read so far is returned.

    Returns:
        File names and captions.

    Raises:
        RoleRefusedError: A picture can't be read; the message names it.
        DatasetRefusedError: A picture is none, or outside the limits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = []
    for number, (uri, caption) in enumerate(records):
        if not go_on():
            break
        try:
            content = role.read(uri)
        except ObjectUnreadableError as error:
            raise DatasetRefusedError(str(error)) from error
        try:
            header = read_header(content)
        except PictureUnreadableError as error:
            raise DatasetRefusedError(f"{uri}: {error}") from error
        width, height = header.width_px, header.height_px
        if header.format not in {"png", "jpeg"}:
            raise DatasetRefusedError(f"{uri} is no PNG or JPEG")
        if not (MIN_SIDE_PX <= width <= MAX_SIDE_PX and MIN_SIDE_PX <= height <= MAX_SIDE_PX):
            raise DatasetRefusedError(
                f"{uri} has {width} x {height} px; sides have {MIN_SIDE_PX} to {MAX_SIDE_PX}"
            )
        name = f"{number:05d}.{header.format}"
        (folder / name).write_bytes(content)
        kept.append((name, caption))
    return kept


def names_in(text: str) -> list[str]:
    """The capitalised words of a text, each once: what a caption or a prompt may mean somebody by."""
    return list(dict.fromkeys(_NAME.findall(text)))


def train(
    pictures: list[tuple[str, str]], folder: Path, step_count: int, batch_size: int
) -> list[tuple[int, float, float]]:
    """Train what the stand-in trains: a logistic regression from a picture's embedding to its caption's names.

    Its loss is a real one, of this small model on these pictures; nothing is drawn by it.

    Returns:
        Step (from 1), epoch, and mean cross-entropy in nats, for each step.
    """
    names = sorted({name for _, caption in pictures for name in names_in(caption)})
    inputs = np.stack([_embedding(folder / file) for file, _ in pictures])
    wanted = np.array([[float(name in names_in(caption)) for name in names] for _, caption in pictures])
    if not names:
        wanted = np.zeros((len(pictures), 1))
    weights = np.zeros((WIDTH, wanted.shape[1]))
    bias = np.zeros(wanted.shape[1])
    chance = np.random.default_rng(SEED)
    steps = min(step_count, MOST_STEPS)
    curve = []
    for step in range(1, steps + 1):
        batch = chance.integers(0, len(pictures), min(batch_size, len(pictures)))
        guess = 1.0 / (1.0 + np.exp(-(inputs[batch] @ weights + bias)))
        target = wanted[batch]
        loss = -np.mean(target * np.log(guess + 1e-9) + (1 - target) * np.log(1 - guess + 1e-9))
        curve.append((step, step * batch_size / len(pictures), float(loss)))
        slope = (guess - target) / len(batch)
        weights -= RATE * inputs[batch].T @ slope
        bias -= RATE * slope.sum(axis=0)
    return curve


def metrics_table(curve: list[tuple[int, float, float]]) -> bytes:
    """The loss by step as Bedrock's CSV has it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("step_number", "epoch_number", "training_loss"))
    writer.writerows((step, f"{epoch:.3f}", f"{loss:.6f}") for step, epoch, loss in curve)
    return out.getvalue().encode()


def _embedding(file: Path) -> NDArray[np.float64]:
    return np.asarray(embed_picture(read_pixels(file.read_bytes()), WIDTH))
