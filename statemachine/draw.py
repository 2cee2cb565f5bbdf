"""Draws the README's graph of the workflow from its definition: `python statemachine/draw.py` rewrites it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DEFINITION = ROOT / "statemachine" / "build_dataset.asl.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- graph: make graph -->\n", "<!-- end of graph -->"

SHAPES = {"Choice": ("{", "}"), "Fail": ("[/", "/]"), "Succeed": ("([", "])"), "Map": ("[[", "]]")}


def draw(definition: dict[str, Any]) -> str:
    """Return a state machine as a Mermaid flowchart; what runs once per item is drawn with double sides."""
    lines = ["```mermaid", "flowchart TD"]
    for name, state in definition["States"].items():
        opening, closing = SHAPES.get(state["Type"], ("[", "]"))
        lines.append(f"  {name}{opening}{_label(name, state)}{closing}")
    for name, state in definition["States"].items():
        lines += [f"  {name} --> {target}" for target in _targets(state)]
    return "\n".join([*lines, "```"]) + "\n"


def written(readme: str, graph: str) -> str:
    """Return the README with the graph between its markers."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{graph}{END}{after}"


def _label(name: str, state: dict[str, Any]) -> str:
    processor = state.get("ItemProcessor", {})
    if processor.get("ProcessorConfig", {}).get("Mode") != "DISTRIBUTED":
        return name
    inner = [inner for inner, child in processor["States"].items() if child["Type"] == "Task"]
    return f'"{name}<br/>per item: {" → ".join(inner)}"' if len(inner) > 1 else name


def _targets(state: dict[str, Any]) -> Iterator[str]:
    seen: dict[str, None] = {}
    for step in [*state.get("Choices", ()), *state.get("Catch", ()), state]:
        for key in ("Next", "Default"):
            if key in step:
                seen[step[key]] = None
    yield from seen


def main() -> None:
    """Rewrite the README's graph."""
    graph = draw(json.loads(DEFINITION.read_text()))
    README.write_text(written(README.read_text(), graph))


if __name__ == "__main__":
    main()
