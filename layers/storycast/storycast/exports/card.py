"""The README of an export: how to give the folder to its trainer, and the card of the dataset it was made from."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from storycast.dataset_card import RIGHTS
from storycast.exports.layout import Format, Layout

README = "README.md"
TITLES: Mapping[Format, str] = {
    "bedrock": "Amazon Bedrock",
    "walkthrough": "Amazon Bedrock, with the keys of the published walk-through",
    "diffusers": "diffusers and datasets",
    "kohya": "kohya-ss/sd-scripts",
}
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_HEADING = re.compile(r"^(#+ )", re.MULTILINE)


def export_card(run_id: str, kind: Format, layout: Layout, dataset_card: str) -> str:
    """Return the README of an export.

    Args:
        run_id: The run whose dataset it is.
        kind: The format.
        layout: What is in the folder.
        dataset_card: The dataset's own README; empty where it has none.
    """
    front, body = split_front(dataset_card)
    if layout.splits:
        files = [{"split": split, "path": pattern} for split, pattern in layout.splits.items()]
        front["configs"] = [{"config_name": "default", "data_files": files}]
    parts = [
        front_matter(front) if front else "",
        f"# {run_id} for {TITLES[kind]}\n",
        layout.usage + "\n",
        f"{RIGHTS}\n",
    ]
    if body.strip():
        parts.append(_HEADING.sub(r"#\1", body.strip()) + "\n")
    return "\n".join(part for part in parts if part)


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
