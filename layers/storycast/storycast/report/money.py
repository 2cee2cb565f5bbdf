"""Money: what a run was expected to cost beside what it did cost, stage by stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storycast.prices import usd
from storycast.report.words import STAGES
from storycast.runs import Run


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """One thing that costs; empty where nobody expected it, or where it did not happen."""

    stage: str
    what: str
    expected: str
    count: str
    price: str
    actual: str
    note: str


@dataclass(frozen=True, slots=True)
class Money:
    """What a run costs; ``charged`` is false where local stand-ins answered."""

    lines: tuple[MoneyLine, ...]
    expected: str
    actual: str
    statement: str
    charged: bool
    notes: tuple[str, ...]


def money(run: Run) -> Money | None:
    """Return what a run cost and was expected to cost; None where nobody wrote down either.

    Both records may be of another release, which names things otherwise: what is not understood is left out.
    """
    expected, actual = _lines(run.estimate), _lines(run.cost)
    if not expected and not actual:
        return None
    merged: dict[tuple[str, str], tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    for line in expected:
        merged[_place(line, by_name=False)] = (line, {})
    for line in actual:
        place = _place(line, by_name=False)
        if place not in merged or merged[place][1]:
            place = _place(line, by_name=True)
        merged[place] = (merged.get(place, ({}, {}))[0], line)
    order = list(STAGES)
    lines = sorted(
        merged.items(),
        key=lambda item: (order.index(item[0][0]) if item[0][0] in order else len(order), item[0][1]),
    )
    cost, estimate = run.cost or {}, run.estimate or {}
    return Money(
        lines=tuple(_line(before, after) for _, (before, after) in lines),
        expected=_range(estimate.get("total_usd")),
        actual=_amount(cost.get("total_usd")),
        statement=str(cost.get("statement", "")),
        charged=bool(cost.get("charged", True)),
        notes=tuple(note for note in _list(estimate.get("notes")) if isinstance(note, str)),
    )


def _lines(record: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    return [line for line in _list((record or {}).get("lines")) if isinstance(line, Mapping)]


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _place(line: Mapping[str, Any], *, by_name: bool) -> tuple[str, str]:
    """Return where a line stands; a job and a hosting are expected once and may happen several times."""
    stage, what = str(line.get("stage", "")), str(line.get("what", ""))
    once = {"start_training", "provision_model", "workflow"}
    return stage, what if by_name or stage not in once else ""


def _line(before: Mapping[str, Any], after: Mapping[str, Any]) -> MoneyLine:
    line = after or before
    stage = str(line.get("stage", ""))
    at_most = "at most " if after.get("at_most") else ""
    notes = [str(after.get("note") or "")]
    if line.get("price_known") is False:
        notes.append("counted at another model's price, the dearest known")
    elif line.get("price_confirmed") is False:
        notes.append("price not confirmed")
    return MoneyLine(
        stage=STAGES.get(stage, stage),
        what=str(line.get("what", "")),
        expected=_range(before.get("usd")),
        count=_count(after.get("count")),
        price=_price(after),
        actual=f"{at_most}{_amount(after.get('usd'))}" if after else "",
        note="; ".join(note for note in notes if note),
    )


def _price(line: Mapping[str, Any]) -> str:
    price, unit = line.get("unit_usd"), str(line.get("unit", ""))
    if not isinstance(price, int | float) or not price or line.get("stage") == "workflow":
        return ""
    if 0 < price < 0.0001:
        return f"${price * 1e6:,.2f} a million {unit}s"
    return f"{usd(price)} {'an' if unit.startswith('hour') else 'a'} {unit}"


def _range(value: Any) -> str:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return ""
    low, high = (_amount(end) for end in value)
    return low if low == high else f"{low} to {high}"


def _amount(value: Any) -> str:
    return usd(value) if isinstance(value, int | float) else ""


def _count(value: Any) -> str:
    return f"{value:,.10g}" if isinstance(value, int | float) else ""
