"""What a fine-tuning job does here: reads its pictures with its role, and trains a small classifier on them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.standins.caption_names import CaptionNames
from local.standins.embedder import WIDTH, embed_picture
from local.standins.job_role import JobRole
from local.standins.objects import ObjectUnreadableError
from local.standins.pictures import PictureUnreadableError, read_header, read_pixels

# Amazon's limits for image models; see "Preparing data for fine-tuning Amazon Nova creative models".
MIN_RECORDS, MAX_RECORDS = 5, 10_000
MIN_SIDE_PX, MAX_SIDE_PX = 512, 4096
MAX_PIXELS = 12_582_912
MAX_ASPECT = 4
MAX_BYTES = 50 * 1024 * 1024
MIN_CAPTION, MAX_CAPTION = 3, 1024
KEY_STYLES = (("image-ref", "caption"), ("image_ref", "alt_text"))

#: Steps of the classifier, whatever the job asks for; it has learned all it can by then.
MOST_STEPS = 300
#: Pictures that the classifier sees, spread over the manifest: each costs about 50 ms on a core.
MOST_PICTURES = 64
RATE = 0.5
SEED = 20261124

type Curve = list[tuple[int, float, float]]


class DatasetRefusedError(Exception):
    """The dataset is outside the limits; the message says where."""


def read_dataset(manifest: bytes) -> list[tuple[str, str]]:
    """Read a manifest: picture URIs and captions.

    Raises:
        DatasetRefusedError: A line is not as it must be, or there are too few or too many.
    """
    records = []
    for number, line in enumerate(manifest.decode("utf-8", "replace").split("\n"), 1):
        if not line.strip():
            continue
        uri, caption = _record(line, number)
        if not MIN_CAPTION <= len(caption) <= MAX_CAPTION:
            raise DatasetRefusedError(
                f"line {number} of the manifest: captions have {MIN_CAPTION} to {MAX_CAPTION} characters, "
                f"this one has {len(caption)}"
            )
        records.append((uri, caption))
    if not MIN_RECORDS <= len(records) <= MAX_RECORDS:
        raise DatasetRefusedError(f"the manifest has {len(records)} records, not {MIN_RECORDS} to {MAX_RECORDS}")
    return records


def _record(line: str, number: int) -> tuple[str, str]:
    try:
        data: Any = json.loads(line)
    except ValueError:
        data = None
    if isinstance(data, dict):
        for image, caption in KEY_STYLES:
            if isinstance(data.get(image), str) and isinstance(data.get(caption), str):
                return data[image], data[caption]
    raise DatasetRefusedError(f"line {number} of the manifest has no picture and caption")


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
            header = read_header(content)
        except ObjectUnreadableError as error:
            raise DatasetRefusedError(str(error)) from error
        except PictureUnreadableError as error:
            raise DatasetRefusedError(f"{uri}: {error}") from error
        if header.format not in {"png", "jpeg"}:
            raise DatasetRefusedError(f"{uri} is no PNG or JPEG")
        if problem := _size_problem(header.width_px, header.height_px, len(content)):
            raise DatasetRefusedError(f"{uri} has {problem}")
        name = f"{number:05d}.{header.format}"
        (folder / name).write_bytes(content)
        kept.append((name, caption))
    return kept


def _size_problem(width_px: int, height_px: int, size_bytes: int) -> str:
    size = f"{width_px} x {height_px} px"
    if not (MIN_SIDE_PX <= width_px <= MAX_SIDE_PX and MIN_SIDE_PX <= height_px <= MAX_SIDE_PX):
        return f"{size}; sides have {MIN_SIDE_PX} to {MAX_SIDE_PX}"
    if width_px * height_px > MAX_PIXELS:
        return f"{size}; a picture has at most {MAX_PIXELS} in all"
    if max(width_px, height_px) > MAX_ASPECT * min(width_px, height_px):
        return f"{size}; a side is at most {MAX_ASPECT} times the other"
    if size_bytes > MAX_BYTES:
        return f"{size_bytes} bytes; a picture has at most {MAX_BYTES}"
    return ""


def train(
    pictures: list[tuple[str, str]], folder: Path, step_count: int, batch_size: int, go_on: Callable[[], bool]
) -> Curve:
    """Train what the stand-in trains: a logistic regression from a picture's embedding to its caption's names.

    Its loss is a real one, of this small model on these pictures; nothing is drawn by it.

    Args:
        pictures: File names and captions, at least one; at most ``MOST_PICTURES`` of them are used.
        folder: Where the files are.
        step_count: Steps asked for; at most ``MOST_STEPS`` are made.
        batch_size: Pictures a step.
        go_on: Asked before each picture is embedded; where it says no, nothing is trained.

    Returns:
        Step (from 1), epoch, and mean cross-entropy in nats, for each step; empty where it was not to go on.

    Raises:
        DatasetRefusedError: A picture cannot be decoded.
    """
    used = [pictures[int(place)] for place in np.linspace(0, len(pictures) - 1, min(len(pictures), MOST_PICTURES))]
    captions = CaptionNames(caption for _, caption in pictures)
    embeddings = []
    for file, _ in used:
        if not go_on():
            return []
        embeddings.append(_embedding(folder / file))
    inputs = np.stack(embeddings)
    names = captions.known or [""]
    wanted = np.array([[float(name in captions.of(caption)) for name in names] for _, caption in used])
    weights, bias = np.zeros((WIDTH, len(names))), np.zeros(len(names))
    chance = np.random.default_rng(SEED)
    curve = []
    for step in range(1, min(step_count, MOST_STEPS) + 1):
        batch = chance.integers(0, len(used), batch_size)
        guess = 1.0 / (1.0 + np.exp(-(inputs[batch] @ weights + bias)))
        target = wanted[batch]
        loss = -np.mean(target * np.log(guess + 1e-9) + (1 - target) * np.log(1 - guess + 1e-9))
        curve.append((step, step * batch_size / len(used), float(loss)))
        slope = (guess - target) / batch_size
        weights -= RATE * inputs[batch].T @ slope
        bias -= RATE * slope.sum(axis=0)
    return curve


def metrics_table(curve: Curve) -> bytes:
    """The loss by step as Bedrock's CSV has it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("step_number", "epoch_number", "training_loss"))
    writer.writerows((step, f"{epoch:.3f}", f"{loss:.6f}") for step, epoch, loss in curve)
    return out.getvalue().encode()


def _embedding(file: Path) -> NDArray[np.float64]:
    try:
        return np.asarray(embed_picture(read_pixels(file.read_bytes()), WIDTH))
    except PictureUnreadableError as error:
        raise DatasetRefusedError(f"record {int(file.stem) + 1} of the manifest: {error}") from error
