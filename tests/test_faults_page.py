"""The matrix in docs/faults.md is of the calls that there are, and no run of it ended as it should not."""

import re

from tests.e2e.fault_kinds import KINDS, OPERATIONS
from tests.e2e.faults import BEGIN, END, NOT_RUN, PAGE
from tests.e2e.test_faults import LASTING


def matrix() -> list[list[str]]:
    """Return the table's rows, its head first and without the line below that."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    rows = [line.strip("| ").split(" | ") for line in rest.partition(END)[0].strip().splitlines()]
    return [rows[0], *rows[2:]]


def test_it_has_every_operation_and_every_kind() -> None:
    head, *rows, last = matrix()
    assert head == ["Operation", *KINDS]
    assert [row[0] for row in rows] == [f"{service} `{name}`" for service, name in OPERATIONS]
    assert {len(row) for row in (*rows, last)} == {1 + len(KINDS)}


def test_every_call_rides_out_what_passes_and_nothing_ended_wrong() -> None:
    _, *rows, last = matrix()
    cells = [cell for row in rows for cell in row[1:]]
    assert {cell.partition(" / ")[0] for cell in cells} == {"ok"}
    lasting = {cell.partition(" / ")[2] for cell in cells}
    assert all(re.fullmatch(rf"{NOT_RUN}|ends well|\w+Error", one) for one in lasting), lasting
    assert set(last[1:]) <= {"ok", NOT_RUN}


def test_it_says_what_the_tests_expect() -> None:
    head, *rows, _ = matrix()
    told = {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}
    for (service, name), kind, error in LASTING:
        assert told[f"{service} `{name}`"][kind] == f"ok / {error}"
