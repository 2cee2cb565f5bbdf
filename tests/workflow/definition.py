"""The template and the state machine as the tests read them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.template import read_template

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Placed:
    """A state, its name, and the Distributed Map's mode that it runs in, if it does."""

    name: str
    state: dict[str, Any]
    mode: str


def machine() -> dict[str, Any]:
    definition: dict[str, Any] = json.loads((ROOT / "statemachine/build_dataset.asl.json").read_text())
    return definition


def template() -> dict[str, Any]:
    return read_template(ROOT / "template.yaml")


def all_states(states: dict[str, Any] | None = None, mode: str = "") -> Iterator[Placed]:
    for name, state in (machine()["States"] if states is None else states).items():
        yield Placed(name, state, mode)
        processor = state.get("ItemProcessor")
        if processor:
            config = processor["ProcessorConfig"]
            yield from all_states(processor["States"], config.get("ExecutionType", config["Mode"]))
