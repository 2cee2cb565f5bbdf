"""Drawn: the trainings of a run, what was billed for them, and the panels that came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from storycast.advice import advice, epochs
from storycast.costs import hosted_hours
from storycast.report.charts import Curve, curve
from storycast.report.material import Drawing, Material, Session
from storycast.report.thumbnails import Thumbnail, Thumbnails
from storycast.report.words import BILLED, moment

PANEL_PX, SMALL_PANEL_PX = 400, 240
MOST_LARGE = 48
"""Panels up to which each is shown large."""

VERDICTS = {
    "right": "shows whom it should",
    "wrong": "shows somebody else",
    "missing": "somebody is missing",
    "copy": "copy of a training picture",
    "not graded": "not graded",
}


@dataclass(frozen=True, slots=True)
class Trained:
    """One training of the run, with its sessions."""

    training_id: str
    base_model: str
    facts: tuple[tuple[str, str], ...]
    advice: tuple[str, ...]
    curve: Curve | None
    final_loss: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture."""

    thumbnail: Thumbnail
    alt: str
    verdict: str
    """One of :data:`VERDICTS`' keys; empty where nobody looked."""
    verdict_text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Drawer:
    """What one model made of a prompt."""

    title: str
    model_id: str
    panels: tuple[Panel, ...]
    refused: str
    composite: bool
    asked: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of the storyboard and what came of it."""

    number: int
    text: str
    seed: int
    settings: tuple[str, ...]
    """How it was drawn: size, quality and the like."""
    negative: str
    drawers: tuple[Drawer, ...]

    @property
    def columns(self) -> str:
        """Widths of the drawers on a wide screen, so that all pictures of a prompt have one size."""
        return " ".join(f"minmax(0, {max(len(drawer.panels), 1)}fr)" for drawer in self.drawers)


@dataclass(frozen=True, slots=True)
class Board:
    """The storyboard of one training."""

    training_id: str
    prompts: tuple[Prompt, ...]

    @property
    def alike(self) -> bool:
        """Whether all prompts were drawn in one way, so that it need be told but once."""
        return len({(prompt.settings, prompt.negative) for prompt in self.prompts}) == 1


@dataclass(frozen=True, slots=True)
class BilledRow:
    """A row of the billing book."""

    kind: str
    name: str
    state: str
    is_open: bool
    created: str
    ended: str
    amount: str
    reason: str


def trainings(material: Material) -> list[Trained]:
    """Return the run's trainings, oldest first."""
    by_training: dict[str, list[Session]] = {}
    for session in material.sessions:
        by_training.setdefault(session.plan.training_id, []).append(session)
    return [_trained(sessions, material.run.run_id) for sessions in by_training.values()]


def boards(material: Material, thumbnails: Thumbnails) -> list[Board]:
    """Return the storyboards of the run's trainings, prompt by prompt; the trained model's panels first."""
    count = sum(len(drawing.panels.picture_keys) for drawing in material.drawings)
    side_px = PANEL_PX if count <= MOST_LARGE else SMALL_PANEL_PX
    found: dict[str, dict[int, list[Drawing]]] = {}
    for drawing in material.drawings:
        found.setdefault(drawing.training_id, {}).setdefault(drawing.number, []).append(drawing)
    return [
        Board(
            training_id,
            tuple(_prompt(number, drawings, thumbnails, side_px) for number, drawings in sorted(prompts.items())),
        )
        for training_id, prompts in found.items()
    ]


def verdict_counts(material: Material) -> list[tuple[str, str, int]]:
    """Return how many pictures of the trained model have which verdict: its name, its words, the number."""
    verdicts = [
        drawing.grades[key].verdict
        for drawing in material.drawings
        for key in drawing.panels.picture_keys
        if drawing.panels.drawn_by == "trained" and key in drawing.grades
    ]
    return [(name, text, verdicts.count(name)) for name, text in VERDICTS.items() if name in verdicts]


def guessed_cosine(material: Material) -> float | None:
    """Return the likeness by which panels were graded, where nobody measured it for the embedding model."""
    grades = [session.grades for session in material.sessions if session.grades]
    return grades[-1].known_cosine if grades and not grades[-1].known_cosine_measured else None


def billed_rows(material: Material, now: datetime) -> list[BilledRow]:
    """Return the rows of the billing book, oldest first."""
    rows = sorted(material.run.billing, key=lambda row: (row.intended_at, row.name))
    return [
        BilledRow(
            kind=BILLED.get(row.kind, row.kind),
            name=row.name,
            state=row.state,
            is_open=row.is_open,
            created=moment(row.created_at),
            ended=moment(row.ended_at),
            amount=_amount(row.kind, row.image_count, hosted_hours(row, now), row.model_units),
            reason=row.reason,
        )
        for row in rows
    ]


def hosted_in_all(material: Material, now: datetime) -> int:
    """Return for how many hours hosting was billed, times model units."""
    return sum(
        hosted_hours(row, now) * max(row.model_units, 1)
        for row in material.run.billing
        if row.kind == "provisioned_throughput"
    )


def _amount(kind: str, image_count: int, hours: int, model_units: int) -> str:
    if kind == "provisioned_throughput":
        units = f" of {model_units} model units" if model_units > 1 else ""
        return f"{hours} begun {'hour' if hours == 1 else 'hours'}{units}" if hours else "never made"
    return f"{image_count:,} pictures to be seen" if image_count else ""


def _trained(sessions: Sequence[Session], run_id: str) -> Trained:
    plan = sessions[-1].plan
    model = next((session.model for session in reversed(sessions) if session.model), None)
    training, values = plan.settings.training, plan.settings.training.values
    losses = next((session.losses for session in reversed(sessions) if session.losses), ())
    times = epochs(training, plan.record_count)
    facts = [
        ("Steps", f"{values.step_count:,}"),
        ("Batch size", f"{values.batch_size:,}"),
        ("Learning rate", f"{values.learning_rate:g}"),
        ("Pictures", f"{plan.record_count:,}"),
        ("Held out", f"{len(plan.held_out):,}"),
        ("Epochs", f"{times:,.0f}: so often each picture is seen"),
    ]
    if model:
        facts.append(("Job", model.job_name))
        facts.append(("Model", model.model_arn))
        facts.append(("Trained", f"{moment(model.began_at)} to {moment(model.ended_at) or 'an unknown end'}"))
        if model.trained_by != run_id:
            facts.append(("Paid by", f"the run {model.trained_by}, not this one"))
    else:
        facts.append(("Job", plan.job_name))
        facts.append(("Model", "none: it was not trained to its end, or it was deleted"))
    return Trained(
        training_id=plan.training_id,
        base_model=training.model_id,
        facts=tuple(facts),
        advice=tuple(advice(training, plan.record_count)),
        curve=curve(losses),
        final_loss=f"{model.final_loss:.4f}" if model and model.final_loss is not None else "",
    )


def _prompt(number: int, drawings: Sequence[Drawing], thumbnails: Thumbnails, side_px: int) -> Prompt:
    request = drawings[0].panels.request
    return Prompt(
        number=number,
        text=request.prompt,
        seed=request.seed,
        negative=request.negative_prompt,
        settings=(
            f"{request.width_px} × {request.height_px} px",
            f"{request.quality} quality",
            f"cfg scale {request.cfg_scale:g}",
        ),
        drawers=tuple(_drawer(drawing, thumbnails, side_px) for drawing in drawings),
    )


def _drawer(drawing: Drawing, thumbnails: Thumbnails, side_px: int) -> Drawer:
    panels, trained = drawing.panels, drawing.panels.drawn_by == "trained"
    who = "trained model" if trained else "base model"
    shown = []
    for number, key in enumerate(panels.picture_keys, start=1):
        grade = drawing.grades.get(key)
        shown.append(
            Panel(
                thumbnail=thumbnails.ask(key, side_px),
                alt=f"Picture {number} of the {who} for: {panels.request.prompt}",
                verdict=grade.verdict if grade else "",
                verdict_text=_told(grade.verdict, grade.reason) if grade else "",
                reason=grade.reason if grade and grade.verdict != "not graded" else "",
            )
        )
    return Drawer(
        title="Trained model" if trained else "Base model",
        model_id=panels.model_id,
        panels=tuple(shown),
        refused=panels.refused,
        composite=panels.composite,
        asked=panels.request.image_count,
    )


def _told(verdict: str, reason: str) -> str:
    return f"not graded: {reason}" if verdict == "not graded" else VERDICTS.get(verdict, verdict)
