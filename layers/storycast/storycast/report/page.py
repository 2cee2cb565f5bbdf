"""The page: all parts of a report in one HTML file that asks for nothing else.

Everything that comes from a run is escaped by Jinja2; what the page holds is text, numbers and pictures as
``data:`` URIs, and its own policy forbids the browser to load or run anything.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files as package_files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from storycast.costs import STAND_IN
from storycast.report import charts, drawn, pictures, timeline
from storycast.report.captions import captions_linted
from storycast.report.material import Files, Material
from storycast.report.money import Money, money
from storycast.report.selection import selection_table
from storycast.report.thumbnails import Thumbnails
from storycast.report.words import count, duration, headline, moment, next_step, parsed, unreadable_told
from storycast.runs import Run

MAX_PAGE_BYTES = 5_000_000
"""What a page stays below; its pictures alone have :data:`~storycast.report.thumbnails.BUDGET_BYTES`."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""Control characters but for tab and line feed."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A number that one wants to see first."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Answerer:
    """A model and who stands behind it."""

    model: str
    name: str
    provider: str
    is_stand_in: bool


def write_page(material: Material, files: Files, now: datetime) -> bytes:
    """Return the report of a run as HTML.

    Args:
        material: What the run has left, with its costs settled.
        files: Where its pictures are.
        now: The time.
    """
    run, thumbnails = material.run, Thumbnails()
    # The order in which pictures are asked for is the order in which they get room.
    boards = drawn.boards(material, thumbnails)
    characters = pictures.characters_kept(material, thumbnails)
    linted = captions_linted(material, thumbnails)
    twins = pictures.twins(material, thumbnails)
    dropped = pictures.dropped(material, thumbnails)
    costs = money(run)
    answerers = _answerers(run)
    until = parsed(run.ended_at) or (None if run.status in {"running", "training"} else now)
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            css=_css(),
            run=run,
            title=f"{run.project}: {headline(run)}",
            headline=headline(run),
            tone=_tone(run),
            began=moment(run.started_at),
            ended=moment(run.ended_at),
            took=timeline.took_in_all(material, until),
            footage=_footage(material),
            answerers=answerers,
            stand_ins=[one for one in answerers if one.is_stand_in],
            not_drawn={
                one.stand_in
                for board in boards
                for prompt in board.prompts
                for one in prompt.drawers
                if one.stand_in
            },
            tiles=_tiles(material, characters, costs, now),
            stages=timeline.stages_done(material),
            characters=characters,
            kept_count=sum(one.count for one in characters),
            linted=linted,
            twins=twins,
            twins_more=max(sum(bool(image.duplicates) for image in material.images) - len(twins), 0),
            dropped=dropped,
            totals=pictures.ledger_totals(material),
            histogram=charts.histogram(material.similarity) if material.similarity else None,
            threshold_source=str(run.chosen.get("threshold_source", "")),
            framings=pictures.framings(material),
            selection=selection_table(material),
            trainings=drawn.trainings(material),
            boards=boards,
            guessed_cosine=drawn.guessed_cosine(material),
            verdict_whole=sum(one[2] for one in drawn.verdict_counts(material)),
            verdicts=[one for one in drawn.verdict_counts(material) if one[0] != "not graded"],
            billed=drawn.billed_rows(material, now),
            money=costs,
            decided=pictures.decided(material),
            decision_moment=moment,
            unreadable=unreadable_told(material.unreadable),
            next_step=next_step(run.error) if run.error else "",
            left_out=thumbnails.make(files),
            now=moment(now),
            number=count,
        )
    )
    return page.encode("utf-8", "replace")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("storycast.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )


def _printable(value: Any) -> Any:
    """Return text without control characters, which no page may hold; anything else as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)


def _css() -> Markup:
    # Ours, and not escaped: quotes mean something in it.
    return Markup(package_files("storycast.report").joinpath("report.css").read_text(encoding="utf-8"))  # noqa: S704


def _tone(run: Run) -> str:
    if run.error or run.status == "failed":
        return "bad"
    return "good" if run.status in {"dataset_ready", "storyboard_ready"} else "busy"


def _answerers(run: Run) -> list[Answerer]:
    """Return who answered as which model; Rekognition has no provider's name, its model's version tells."""
    labels = [str(name) for name in run.chosen.get("label_models", ())]
    made = [Answerer("Rekognition labels", f"model {name}", "", _is_stand_in(name)) for name in labels]
    made += [
        Answerer(model.model_id, model.name, model.provider, _is_stand_in(f"{model.provider} {model.name}"))
        for model in run.models
    ]
    return made


def _is_stand_in(text: str) -> bool:
    return STAND_IN in text.lower().replace("stand in", STAND_IN).replace("standin", STAND_IN)


def _footage(material: Material) -> list[tuple[str, str]]:
    probes = {probe.footage_id: probe for probe in material.probes}
    told = []
    for source in material.run.footage:
        probe = probes.get(source.footage_id)
        facts = [f"{source.size_bytes / 1e6:.1f} MB"]
        if probe:
            facts.insert(0, f"{probe.width_px} × {probe.height_px} px")
            if probe.duration_ms:
                facts.insert(0, duration(timedelta(milliseconds=probe.duration_ms)))
        told.append((source.name, ", ".join(facts)))
    return told


def _tiles(
    material: Material, characters: list[pictures.CharacterKept], costs: Money | None, now: datetime
) -> list[Tile]:
    run = material.run
    length_ms = sum(probe.duration_ms for probe in material.probes)
    drawn_count = sum(len(one.panels.picture_keys) for one in material.drawings)
    hours, worked = drawn.hosted_in_all(material, now), drawn.worked_in_all(material, now)
    shown = [
        (duration(timedelta(milliseconds=length_ms)) if length_ms else "", "of film"),
        (_many(run.counts.get("frames_kept", 0)), "frames looked at"),
        (_many(run.counts.get("crops", 0)), "crops found"),
        (_many(len(characters)), "character" if len(characters) == 1 else "characters"),
        (_many(sum(one.count for one in characters)), "pictures in the dataset"),
        (_many(run.counts.get("duplicates", 0)), "near-duplicates left out"),
        (_many(drawn_count), "panels drawn"),
        (_many(hours), "unit-hours of hosting"),
        (duration(worked) if worked else "", "of jobs that train and draw"),
        (
            costs.actual if costs else "",
            "at list prices" if not costs or costs.charged else "at list prices; nobody was charged",
        ),
    ]
    return [Tile(value, label) for value, label in shown if value]


def _many(number: int) -> str:
    return f"{number:,}" if number else ""
