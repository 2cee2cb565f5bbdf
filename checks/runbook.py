"""Writes the table of all errors into docs/runbook.md, from the source: `make runbook`; a test compares."""

import sys
from collections.abc import Sequence
from pathlib import Path

import storycast.errors
from checks import raised_by
from cli.problems import exit_code_of_run

PAGE = raised_by.ROOT / "docs/runbook.md"
BEGIN, END = "<!-- errors: make runbook -->", "<!-- end of errors -->"
NEARLY_ALL = 25
"""States, from which on nobody wants to read their names."""


def table() -> str:
    """Return a row for each error: its exit code, what it means, and where it comes from."""
    states, commands = raised_by.states(), raised_by.commands()
    rows = ["| Error | Exit code | What it means | States | Commands, by themselves |", "|---|---|---|---|---|"]
    for name, meaning in raised_by.leaves().items():
        retried = issubclass(getattr(storycast.errors, name), storycast.errors.RetryableError)
        code = f"{exit_code_of_run(name)}{', retried' if retried else ''}"
        places = f"{_states(states.get(name, ()))} | {_listed(commands.get(name, ()))}"
        rows.append(f"| `{name}` | {code} | {meaning.replace('``', '`')} | {places} |")
    return "\n".join(rows)


def _states(names: Sequence[str]) -> str:
    return "any with a function" if len(names) >= NEARLY_ALL else _listed(names)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def written(page: str) -> str:
    """Return the page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
    print(f"{Path(sys.argv[0]).name}: {PAGE} is up to date")
