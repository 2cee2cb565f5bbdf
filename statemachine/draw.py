"""Draws the graphs of the state machines from their definitions: `python statemachine/draw.py` rewrites them.

The first one is the README's, the other two stand in docs/workflow.md.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"build_dataset": "README.md", "train_model": "docs/workflow.md", "tear_down": "docs/workflow.md"}
"""Where the graph of each machine stands."""

SHAPES = {"Choice": ("{", "}"), "Fail": ("[/", "/]"), "Succeed": ("([", "])"), "Map": ("[[", "]]")}


def draw(machine: dict[str, Any]) -> str:
    """Return a state machine as a Mermaid flowchart; what runs once per item is drawn with double sides."""
    lines = ["```mermaid", "flowchart TD"]
    for name, state in machine["States"].items():
        opening, closing = SHAPES.get(state["Type"], ("[", "]"))
        lines.append(f"  {name}{opening}{_label(name, state)}{closing}")
    for name, state in machine["States"].items():
        lines += [f"  {name} --> {target}" for target in _targets(state)]
    return "\n".join([*lines, "```"]) + "\n"


def definition(machine: str) -> dict[str, Any]:
    """Return a machine's definition."""
    read: dict[str, Any] = json.loads((ROOT / "statemachine" / f"{machine}.asl.json").read_text())
    return read


def written(page: str, machine: str, graph: str) -> str:
    """Return a page with a machine's graph between its markers."""
    begin, end = f"<!-- graph of {machine}: make graph -->\n", f"<!-- end of {machine} -->"
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise SystemExit(f"The page of {machine} lacks its markers.")
    return f"{before}{begin}{graph}{end}{after}"


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
    """Rewrite the graphs."""
    for machine, name in PAGES.items():
        page = ROOT / name
        page.write_text(written(page.read_text(), machine, draw(definition(machine))))


if __name__ == "__main__":
    main()
