"""A film of two hours, and a thousand of them, on AWS: requests, quotas that bind, times and costs, on paper.

    .venv/bin/python -m benchmarks.scale_on_paper [--write]

Nothing is measured and nobody is asked. Counts and prices are those of `storycast estimate`, times follow from the
durations that `storycast.workflow_cost` counts a run's cost with, quotas stand in benchmarks/scale_quotas.py.
--write puts the tables into docs/scale.md, which a test holds to what this prints.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.scale_film import (
    DAY_S,
    DEFAULTS,
    FILMS,
    FRAME_S,
    POLL_EVENTS,
    POLL_S,
    WEEK_S,
    Film,
    asked_for,
    costs,
    films,
    lora_hours,
    most_at_once,
    needs,
    stages,
)
from benchmarks.scale_quotas import AS_OF, QUOTAS, quota
from storycast.settings import Training

PAGE = Path(__file__).resolve().parent.parent / "docs/scale.md"
BEGIN, END = "<!-- tables: python -m benchmarks.scale_on_paper --write -->", "<!-- end of tables -->"


def tables() -> str:
    """Return all tables, as the page has them."""
    both = films()
    return "\n\n".join([_work(both), _times(both), _costs(both), _thousand(both[0]), _quotas()])


def _work(both: Sequence[Film]) -> str:
    rows = []
    for one in both:
        units = one.units
        values = [
            one.segments,
            one.frames,
            one.crops,
            one.captions,
            units["function_request"],
            units["transition"],
        ]
        values += [
            units["object_write"],
            units["object_read"],
            one.count("input tokens"),
            one.count("output tokens"),
        ]
        rows.append([one.name, *(f"{value:,.0f}" for value in values), f"{units['storage_gb_month']:.1f} GB"])
    head = "Film of two hours | Segments | Frames, looked at | Crops, embedded | Captions"
    head += (
        " | Lambda invocations | State transitions | S3 writes | S3 reads | Tokens read | Tokens written | Kept"
    )
    return _table(head, rows)


def _times(both: Sequence[Film]) -> str:
    rows = []
    for one in both:
        raised = asked_for(both[0], DAY_S)
        totals = [0.0, 0.0, 0.0]
        for stage in stages(one):
            most, key = most_at_once(one, stage.state, DEFAULTS)
            ways = [min(stage.default_at_once, most), most, most_at_once(one, stage.state, raised)[0]]
            minutes = [stage.minutes(at_once) for at_once in ways]
            totals = [total + more for total, more in zip(totals, minutes, strict=True)]
            told = [f"{each:.1f} min at {at_once:,}" for each, at_once in zip(minutes, ways, strict=True)]
            rows.append([one.name, f"`{stage.state}`", f"{stage.default_at_once}", *told, SHORT[key]])
        rows.append([one.name, "**together**", "", *(f"**{total:.0f} min**" for total in totals), ""])
    head = (
        "Film | State | `concurrency` by default | So, as the quotas allow | As many as default quotas let through"
    )
    return _table(f"{head} | After the raises for a day | What binds by default", rows)


SHORT = {
    "lambda_concurrency": "Lambda, concurrent executions",
    "detect_labels": "Rekognition, DetectLabels a second",
    "embeddings": "Bedrock, embeddings a minute",
    "caption_tokens": "Bedrock, tokens a minute",
}


def _costs(both: Sequence[Film]) -> str:
    by_service = [costs(one) for one in both]
    rows = [
        [service, *(f"${each[service]:,.2f}" for each in by_service), f"${FILMS * by_service[0][service]:,.0f}"]
        for service in by_service[0]
    ]
    sums = [sum(each.values()) for each in by_service]
    rows.append(["**together**", *(f"**${each:,.2f}**" for each in sums), f"**${FILMS * sums[0]:,.0f}**"])
    return _table(f"Service | {both[0].name} | {both[1].name} | {FILMS:,} films, {both[0].name}", rows)


def _thousand(one: Film) -> str:
    day, week = needs(one, DAY_S), needs(one, WEEK_S)
    asked = [asked_for(one, seconds) for seconds in (DAY_S, WEEK_S)]
    rows = []
    for key in day:
        known = quota(key)
        asks = [f"**{each[key]:,.0f}**" if each[key] > known.default else "-" for each in asked]
        rows.append(
            [
                f"{known.service}: {known.name}",
                f"{known.default:,.0f}",
                f"{day[key]:,.1f}",
                f"{week[key]:,.1f}",
                *asks,
            ]
        )
    head = "Quota | Default | 1,000 films in a day take | in a week | Ask for, for a day | for a week"
    return _table(head, rows)


def _quotas() -> str:
    rows = [
        [
            f"{one.service}: {one.name}",
            f"{one.default:,.0f} {one.unit}",
            one.new_account or "-",
            f"{one.source}{'' if one.is_seen else ' (not confirmed)'}",
        ]
        for one in QUOTAS
    ]
    return _table(f"Quota in us-east-1, {AS_OF} | Default | New accounts | Source", rows)


def _table(head: str, rows: Iterable[Sequence[str]]) -> str:
    ruler = "|".join("---" for _ in head.split(" | "))
    return "\n".join([f"| {head} |", f"|{ruler}|", *(f"| {' | '.join(row)} |" for row in rows)])


def summary() -> dict[str, float]:
    """Return the figures that the text of the page rests on."""
    one = films()[0]
    frames_a_second = one.settings.concurrency.frames / FRAME_S
    history = (Training().max_hours + 0.5) * 3600 / POLL_S * POLL_EVENTS
    return {
        "film_usd": round(sum(costs(one).values()), 2),
        "frame_s": round(FRAME_S, 2),
        "crops_a_frame": one.crops / one.frames,
        "embeddings_a_minute_by_default": round(60 * frames_a_second * one.crops / one.frames),
        "labels_a_second_by_default": round(frames_a_second, 1),
        "lambda_at_once_by_default": one.settings.concurrency.frames,
        "lora_hours": round(lora_hours(), 2),
        "history_events_of_the_longest_training": round(history),
    }


def written(page: str) -> str:
    """Return the page with the tables as they are now."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Print the tables, or write them into the page; then the figures as one line of JSON."""
    if "--write" in sys.argv[1:]:
        PAGE.write_text(written(PAGE.read_text()))
    print(tables())
    print(json.dumps(summary()))


if __name__ == "__main__":
    main()
