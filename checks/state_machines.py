"""Checks the state machines' definitions with statelint, and that every state says what it is for.

`.tools/lint/bin/python checks/state_machines.py statemachine/*.asl.json`: statelint is in that environment.
It finds what cfn-lint does not: states that nothing leads to, and transitions that lead nowhere.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from statelint.linter import Linter  # type: ignore[import-not-found]

#: Fields of Distributed Maps that Amazon's documentation has and the language's specification, which statelint
#: holds to, has not. Each is let pass in its own place alone.
_BEYOND_THE_SPECIFICATION = re.compile(
    r'Field "Label" not allowed in [^"]*\.States\.\w+'
    r'|Field "InputType" not allowed in [^"]*\.ItemReader\.ReaderConfig'
    r'|Field "WriterConfig" not allowed in [^"]*\.ResultWriter'
)


def problems(path: Path) -> Iterator[str]:
    """Yield what is wrong with a definition; nothing where it is sound."""
    filled = re.sub(r"\$\{\w+Arn\}", "arn:aws:lambda:us-east-1:000000000000:function:any", path.read_text())
    definition = json.loads(re.sub(r"\$\{\w+\}", "any", filled), object_hook=_with_real_rates)
    for problem in Linter.validate(definition):
        if not _BEYOND_THE_SPECIFICATION.fullmatch(problem):
            yield problem
    for name, state in states(definition):
        if not str(state.get("Comment", "")).strip():
            yield f"{name} has no Comment"


def _with_real_rates(part: dict[str, Any]) -> dict[str, Any]:
    """JSON has one kind of number, but statelint takes a BackoffRate of 2 for none."""
    if type(part.get("BackoffRate")) is int:
        part["BackoffRate"] = float(part["BackoffRate"])
    return part


def states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every state of a machine by name, those within maps and branches too."""
    for name, state in machine["States"].items():
        yield name, state
        inner = [state[key] for key in ("ItemProcessor", "Iterator") if key in state]
        for within in [*inner, *state.get("Branches", ())]:
            yield from states(within)


def main(paths: list[str]) -> int:
    """Print the problems of each definition, and return how many there are."""
    if not paths:
        print("No state machine to check.")
        return 1
    found = [f"{path}: {problem}" for path in paths for problem in problems(Path(path))]
    print("\n".join(found) or f"statelint: {len(paths)} state machine(s), no problem")
    return min(len(found), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
