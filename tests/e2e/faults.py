"""`python -m tests.e2e.faults`: every operation goes wrong in every way; writes the table of docs/faults.md.

What passes: the kind hits the first call of every operation, all in one run; the run must succeed. What lasts: one
operation always goes wrong so; the run must end by a name, nothing bills, and the next attempt goes on. A project
does all operations of a kind one after the other, in the order of the workflow, and ends with a whole run: by then
each picture was paid for once. Where an attempt succeeds all the same, the next operation gets a film of its own,
since of this one nothing is left to do. What is only late lasts in one run, in all calls of all operations.

Cells are kept in `.storycast/faults.json` as they come: it can be stopped and started again, and told to run less.
"""

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import storycast.errors
from local.embedded_aws import EmbeddedAws
from local.tools import REPOSITORY
from tests.e2e.fault_kinds import KINDS, OPERATIONS, Kind, Operation, one_after_the_other
from tests.e2e.faulty import CANVAS, Scene, assert_whole, faults, hit, impatient, paid_again, records, scene
from tests.e2e.stack import Ended, Stack

CELLS = REPOSITORY / ".storycast/faults.json"
PAGE = REPOSITORY / "docs/faults.md"
BEGIN, END = "<!-- the matrix: make test-faults -->", "<!-- end of the matrix -->"
NOT_RUN = "not run"


def main() -> int:
    """Run what is asked for; return 0 where every cell is as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.faults", description=__doc__)
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--operations", nargs="*", help="such as s3:GetObject; all by default")
    parser.add_argument("--passing", action="store_true", help="what passes, and nothing that lasts")
    parser.add_argument("--write", action="store_true", help="write the table from the cells that there are")
    asked = parser.parse_args()
    cells = json.loads(CELLS.read_text()) if CELLS.exists() else {}
    if not asked.write:
        wanted = [one for one in OPERATIONS if not asked.operations or ":".join(one) in asked.operations]
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder)
            with EmbeddedAws(state / "aws", watched=True, standins="tests.e2e.light_standins") as aws:
                stack = Stack(aws)
                stack.standins("catalogue", {"play_as_active": [CANVAS]})
                numbers = itertools.count(30)
                for name in asked.kinds:
                    _run_kind(stack, state, KINDS[name], numbers, wanted, cells, passing_only=asked.passing)
    PAGE.write_text(with_table(PAGE.read_text(), cells))
    return int(any(cell.startswith("WRONG") for cell in cells.values()))


def _run_kind(
    stack: Stack,
    folder: Path,
    kind: Kind,
    numbers: Iterator[int],
    wanted: list[Operation],
    cells: dict[str, str],
    *,
    passing_only: bool,
) -> None:
    with impatient(stack, kind.name == "time-out"):
        told = _scene(stack, folder, next(numbers))
        passing = one_after_the_other([kind])
        _keep_all(cells, kind, "passes", *_in_one_run(stack, told, kind, passing))
        if passing_only:
            return
        if kind.name == "slow":
            told = _scene(stack, folder, next(numbers))
            always = [rule for operation in OPERATIONS for rule in kind.rules(operation, None)]
            word, found = _in_one_run(stack, told, kind, always)
            _keep_all(cells, kind, "lasts", "ends well" if word == "ok" else word, found)
            _keep_end(cells, kind, word)
        else:
            _lasting(stack, folder, kind, numbers, wanted, cells)


def _in_one_run(
    stack: Stack, told: Scene, kind: Kind, rules: list[dict[str, Any]]
) -> tuple[str, set[tuple[str, str, str]]]:
    """Return how a run ended under rules, "ok" where all is as it should be, and what they hit."""
    mark, begun = stack.calls_so_far(), len(records(stack))
    with faults(stack, rules):
        ended = told.run()
    again = {operation for operation, _, _ in paid_again(stack, mark)}
    return _word(told, 1, ended, again), hit(stack, mark, begun, [kind])


def _lasting(
    stack: Stack, folder: Path, kind: Kind, numbers: Iterator[int], wanted: list[Operation], cells: dict[str, str]
) -> None:
    mark, told, attempt = stack.calls_so_far(), _scene(stack, folder, next(numbers)), 0
    again: set[str] = set()
    for operation in wanted:
        attempt += 1
        begun, calls, lines = time.monotonic(), stack.calls_so_far(), len(records(stack))
        with faults(stack, kind.rules(operation, None)):
            ended = told.run(attempt)
        word = "ends well" if ended.status == "SUCCEEDED" else ended.error
        if not told.swept():
            word = f"WRONG: {word}, and bills"
        if "Traceback" in ended.cause or not (ended.status == "SUCCEEDED" or _is_ours(ended.error)):
            word = f"WRONG: {word or 'no name'}"
        if (*operation, kind.name) not in hit(stack, calls, lines, [kind]):
            word = NOT_RUN
        print(f"{kind.name} {':'.join(operation)}: {word} in {time.monotonic() - begun:.0f} s", flush=True)
        _keep(cells, operation, kind, "lasts", word)
        if ended.status == "SUCCEEDED":
            # Another film's faces may be the same pictures: what is paid again is counted in each by itself.
            again |= {paid for paid, _, _ in paid_again(stack, mark)}
            mark, told, attempt = stack.calls_so_far(), _scene(stack, folder, next(numbers)), 0
    last = told.run(attempt + 1)
    again |= {paid for paid, _, _ in paid_again(stack, mark)}
    _keep_end(cells, kind, _word(told, attempt + 1, last, again))


def _scene(stack: Stack, folder: Path, number: int) -> Scene:
    return scene(stack, folder, f"faults-{number}", number)


def _is_ours(error: str) -> bool:
    return hasattr(storycast.errors, error)


def _word(told: Scene, attempt: int, ended: Ended, again: set[str]) -> str:
    """Return "ok" for a run that succeeded, was found whole, and paid for nothing again."""
    if again:
        return f"WRONG: paid again: {', '.join(sorted(again))}"
    if ended.status != "SUCCEEDED":
        return f"WRONG: {ended.error}"
    try:
        assert_whole(told, attempt)
    except AssertionError as problem:
        return f"WRONG: {str(problem)[:80]}"
    return "ok"


def _keep_all(cells: dict[str, str], kind: Kind, how: str, word: str, found: set[tuple[str, str, str]]) -> None:
    """Keep one word for all operations that were hit."""
    for operation in OPERATIONS:
        _keep(cells, operation, kind, how, word if (*operation, kind.name) in found else NOT_RUN)


def _keep_end(cells: dict[str, str], kind: Kind, word: str) -> None:
    print(f"{kind.name}, and then a whole run: {word}", flush=True)
    cells[f"{kind.name} | afterwards"] = word
    CELLS.write_text(json.dumps(cells, indent=1))


def _keep(cells: dict[str, str], operation: Operation, kind: Kind, how: str, word: str) -> None:
    cells[f"{kind.name} | {how} | {':'.join(operation)}"] = word
    CELLS.parent.mkdir(exist_ok=True)
    CELLS.write_text(json.dumps(cells, indent=1))


def with_table(page: str, cells: dict[str, Any]) -> str:
    """Return the page with the matrix made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(cells)}\n{END}{after}"


def table(cells: dict[str, Any]) -> str:
    """Return the matrix: what passes, and then how a run ends where it lasts."""
    lines = [
        "| Operation | " + " | ".join(KINDS) + " |",
        "|---|" + "---|" * len(KINDS),
    ]
    for service, name in OPERATIONS:
        row = []
        for kind in KINDS:
            passes, lasts = (
                cells.get(f"{kind} | {how} | {service}:{name}", NOT_RUN) for how in ("passes", "lasts")
            )
            row.append(f"{passes} / {lasts}".replace("not run / not run", NOT_RUN))
        lines.append(f"| {service} `{name}` | " + " | ".join(row) + " |")
    ends = [str(cells.get(f"{kind} | afterwards", NOT_RUN)) for kind in KINDS]
    lines.append("| *a whole run after all of them* | " + " | ".join(ends) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
