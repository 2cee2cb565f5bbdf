"""The dataset as tensors: each picture and each caption is encoded once, before the training."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from trainer.families import Encoders, Example
from trainer.job import Job
from trainer.memory import Options
from trainer.pictures import Item, pixels
from trainer.progress import say

SAID_EVERY = 50


def encode(folder: Path, items: Sequence[Item], encoders: Encoders) -> tuple[Example, ...]:
    """Encode pictures and captions.

    They stay in main memory: about 1 MB for a picture of SDXL at 1024 px.

    Args:
        folder: Of the pictures.
        items: What to encode, in this order.
        encoders: The family's.
    """
    captions = {item.picture.caption: encoders.encode_caption(item.picture.caption) for item in items}
    examples: list[Example] = []
    for item in items:
        moments = encoders.encode_picture(pixels(folder, item))
        examples.append(
            Example(moments, captions[item.picture.caption], torch.tensor(item.fit.sizes, dtype=torch.float32))
        )
        if len(examples) % SAID_EVERY == 0:
            say(f"encoded={len(examples)}/{len(items)}")
    return tuple(examples)


def fingerprint(job: Job, items: Sequence[Item], options: Options) -> str:
    """Hash all that a state of the training depends on.

    The number of steps is not part of it: with more, a training goes on where it ended. The optimiser and the
    precision are: on another GPU others may be picked, and an optimiser can't read another one's state.
    """
    values = job.training.model_dump(exclude={"step_count"})
    pictures = [[item.sha256, item.picture.model_dump(exclude={"file"})] for item in items]
    picked = [options.precision, options.eight_bit_optimizer]
    content = [job.family, job.base_model.id, values, pictures, picked]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
