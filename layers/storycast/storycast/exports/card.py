"""The README of an export: how to give the folder to its trainer, and the card of the dataset it was made from."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from storycast.dataset_card import CONTENTS, LOADING, RIGHTS, SPLIT
from storycast.exports.layout import ExportPicture, Format, Layout, halves

README = "README.md"
TITLES: Mapping[Format, str] = {
    "bedrock": "Amazon Bedrock",
    "walkthrough": "Amazon Bedrock, with the keys of the published walk-through",
    "diffusers": "diffusers and datasets",
    "kohya": "kohya-ss/sd-scripts",
}
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_HEADING = re.compile(r"^(#+ )", re.MULTILINE)
_OF_THE_FOLDER = re.compile(rf"^## (?:{CONTENTS}|{LOADING}|{SPLIT})\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def export_card(
    run_id: str, kind: Format, pictures: Sequence[ExportPicture], layout: Layout, dataset_card: str
) -> str:
    """Return the README of an export.

    Args:
        run_id: The run whose dataset it is.
        kind: The format.
        pictures: What is exported.
        layout: What is in the folder.
        dataset_card: The dataset's own README; empty where it has none.
    """
    front, body = split_front(dataset_card)
    # Files, commands and split of the dataset's own folder are not those of this one; the rights are said once.
    body = _OF_THE_FOLDER.sub("", body).replace(f"{RIGHTS}\n", "", 1)
    if layout.splits:
        files = [{"split": split, "path": pattern} for split, pattern in layout.splits.items()]
        front["configs"] = [{"config_name": "default", "data_files": files}]
    parts = [
        front_matter(front) if front else "",
        f"# {run_id} for {TITLES[kind]}\n",
        f"{_split(pictures)}\n",
        f"{layout.usage}\n",
        f"{RIGHTS}\n",
    ]
    if body.strip():
        parts.append(_HEADING.sub(r"#\1", body.strip()) + "\n")
    return "\n".join(part for part in parts if part)


def _split(pictures: Sequence[ExportPicture]) -> str:
    trained_on, held_out = halves(pictures)
    if not held_out:
        return f"{len(trained_on)} pictures with captions, all to train on."
    return (
        f"{len(trained_on)} pictures with captions to train on; {len(held_out)} more, whole shots, are held out "
        "to grade the training by."
    )


def front_matter(data: Mapping[str, Any]) -> str:
    """Return the YAML block at the head of a card."""
    return f"---\n{yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True)}---\n"


def split_front(card: str) -> tuple[dict[str, Any], str]:
    """Return the data at the head of a card, empty where it has none, and what follows."""
    match = _FRONT.match(card)
    if match is None:
        return {}, card
    try:
        data = yaml.safe_load(match[1])
    except yaml.YAMLError:
        return {}, card
    return (data if isinstance(data, dict) else {}), card[match.end() :]
