"""``diffusers``: an image folder with metadata, which the library ``datasets`` loads as it is."""

import json
from collections.abc import Sequence
from typing import Any

from storycast.exports.file_names import FileNames
from storycast.exports.layout import ExportPicture, Layout, halves

METADATA = "metadata.jsonl"
TRAIN, VALIDATION = "train", "validation"
"""Names of splits that ``datasets`` recognises."""


def lay_out_imagefolder(pictures: Sequence[ExportPicture]) -> Layout:
    """Lay out a folder for each split, with a line for each picture: its caption, and what is known of it."""
    trained_on, held_out = halves(pictures)
    # All lines of all splits have the same columns, or they could not be loaded as one dataset.
    tells = all(one.known for one in pictures)
    paths: dict[str, str] = {}
    texts: dict[str, str] = {}
    for split, part in ((TRAIN, trained_on), (VALIDATION, held_out)):
        if not part:
            continue
        names = FileNames()
        lines = []
        for one in part:
            name = names.take_picture(one.name)
            paths[f"{split}/{name}"] = one.name
            lines.append(json.dumps(_row(one, name, tells), ensure_ascii=False) + "\n")
        texts[f"{split}/{METADATA}"] = "".join(lines)
    splits = {split: f"{split}/**" for split in (TRAIN, VALIDATION) if f"{split}/{METADATA}" in texts}
    return Layout(paths, texts, _usage(VALIDATION in splits), splits)


def _row(one: ExportPicture, name: str, tells: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"file_name": name, "text": one.caption}
    if tells and one.known:
        image = one.known.image
        row |= {
            "character": image.character,
            "characters": list(one.characters),
            "framing": image.framing,
            "footage": image.footage_id,
            "shot": image.shot,
            "time_ms": image.time_ms,
        }
    return row


def _usage(has_held_out: bool) -> str:
    held_out = (
        "The split `validation` holds whole shots that are not to be trained on, to grade what is drawn.\n\n"
        if has_held_out
        else ""
    )
    return (
        "```python\n"
        "from datasets import load_dataset\n\n"
        'dataset = load_dataset("imagefolder", data_dir=".")  # this folder\n'
        'dataset["train"][0]["image"], dataset["train"][0]["text"]\n'
        "```\n\n"
        f"{held_out}"
        "diffusers' example scripts take it with `--train_data_dir . --caption_column text`."
    )
