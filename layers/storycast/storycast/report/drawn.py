"""Drawn: the trainings of a run, what was billed for them, and the panels that came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from storycast.advice import advice, epochs
from storycast.billing import Billed
from storycast.costs import JOB_STAGES, hosted_hours, job_seconds
from storycast.licences import licence_of
from storycast.report.charts import Curve, curve
from storycast.report.material import Drawing, Material, Session
from storycast.report.thumbnails import Thumbnail, Thumbnails
from storycast.report.trainer import STAND_IN_LABEL, ShotLoss, TrainerWork
from storycast.report.words import BILLED, duration, moment
from storycast.runs import Run
from storycast.training import TrainedModel, TrainingPlan

PANEL_PX, SMALL_PANEL_PX = 400, 240
MOST_LARGE = 48
"""Panels up to which each is shown large."""

COMPOSITE, NOISE = "composite", "random weights"
"""What stands in a panel's place: cut-outs of the dataset, or what a tiny model draws that never learned much."""

VERDICTS = {
    "right": "shows whom it should",
    "wrong": "shows somebody else",
    "missing": "somebody is missing",
    "copy": "copy of a training picture",
    "not graded": "not graded",
}


@dataclass(frozen=True, slots=True)
class ShotRow:
    """The loss on the held-out pictures of a shot."""

    shot: str
    pictures: str
    before: str
    after: str
    change: str


@dataclass(frozen=True, slots=True)
class Trained:
    """One training of the run, with its sessions."""

    training_id: str
    base_model: str
    facts: tuple[tuple[str, str], ...]
    advice: tuple[str, ...]
    curve: Curve | None
    final_loss: str
    held_out_loss: str = ""
    stand_in: str = ""
    """In words where a local stand-in trained."""
    warnings: tuple[str, ...] = ()
    """What the trainer told."""
    shots: tuple[ShotRow, ...] = ()
    licence: str = ""
    loading: str = ""
    """Lines that load the adapter; empty where there is none."""


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
    stand_in: str
    """What a local stand-in put in the pictures' place; empty where a model drew them."""
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
    return [_trained(sessions, material.run) for sessions in by_training.values()]


def boards(material: Material, thumbnails: Thumbnails) -> list[Board]:
    """Return the storyboards of the run's trainings, prompt by prompt; the trained model's panels first."""
    count = sum(len(drawing.panels.picture_keys) for drawing in material.drawings)
    side_px = PANEL_PX if count <= MOST_LARGE else SMALL_PANEL_PX
    by_job = {one.plan.training_id for one in material.sessions if one.plan.target == "sagemaker"}
    found: dict[str, dict[int, list[Drawing]]] = {}
    for drawing in material.drawings:
        found.setdefault(drawing.training_id, {}).setdefault(drawing.number, []).append(drawing)
    return [
        Board(
            training_id,
            tuple(
                _prompt(number, drawings, thumbnails, side_px, NOISE if training_id in by_job else COMPOSITE)
                for number, drawings in sorted(prompts.items())
            ),
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
            amount=_amount(row, now),
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


def worked_in_all(material: Material, now: datetime) -> timedelta:
    """Return for how long SageMaker's jobs were billed, at most."""
    seconds = sum(job_seconds(row, now) for row in material.run.billing if row.kind in JOB_STAGES)
    return timedelta(seconds=round(seconds))


def _amount(row: Billed, now: datetime) -> str:
    if row.kind == "provisioned_throughput":
        hours = hosted_hours(row, now)
        units = f" of {row.model_units} model units" if row.model_units > 1 else ""
        return f"{hours} begun {'hour' if hours == 1 else 'hours'}{units}" if hours else "never made"
    if row.kind in JOB_STAGES:
        return _billed_time(row, now) if row.created_at else "never made"
    if row.kind == "custom_labels_model":
        units = f" of {row.model_units} inference units" if row.model_units > 1 else ""
        return f"{duration(timedelta(seconds=job_seconds(row, now)))}{units}" if row.created_at else "never made"
    return f"{row.image_count:,} pictures to be seen" if row.image_count else ""


def _billed_time(row: Billed, now: datetime) -> str:
    """Return how long a job is billed, and how long it was there: waiting and spot's saving are not billed."""
    on = f" of {row.instance_type}" if row.instance_type else ""
    billed = f"{duration(timedelta(seconds=job_seconds(row, now)))}{on}"
    if row.billable_s is None:
        return f"at most {billed}"
    if row.created_at is None or row.ended_at is None:
        return billed
    return f"{billed} billed, {duration(row.ended_at - row.created_at)} from start to end"


def _trained(sessions: Sequence[Session], run: Run) -> Trained:
    plan, run_id = sessions[-1].plan, run.run_id
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
    trained = Trained(
        training_id=plan.training_id,
        base_model=training.model_id,
        facts=tuple(facts),
        advice=tuple(advice(training, plan.record_count)),
        curve=curve(losses),
        final_loss=f"{model.final_loss:.4f}" if model and model.final_loss is not None else "",
    )
    if training.target != "sagemaker":
        return trained
    work = next((session.work for session in reversed(sessions) if session.work), None)
    # The newest session may only have drawn, with values of its own.
    paid = next((one.plan for one in sessions if model and one.plan.session_id == model.session_id), plan)
    return _by_job(trained, paid, model, work, run)


def _by_job(
    trained: Trained, plan: TrainingPlan, model: TrainedModel | None, work: TrainerWork | None, run: Run
) -> Trained:
    """Return a training with what is told of an adapter besides."""
    told = work or TrainerWork()
    lora = plan.settings.training.lora
    facts = dict(trained.facts)
    at = list(facts).index("Pictures")
    own = {
        "Rank": f"{(model and model.rank) or lora.rank}",
        "Resolution": f"{(model and model.resolution) or lora.resolution} px",
        "Instance": f"{lora.instance_type}, {'spot' if lora.spot else 'on-demand'} capacity",
    }
    if told.progress.device:
        own["Ran on"] = ", ".join(filter(None, (told.progress.device, told.progress.options)))
    listed = [*list(facts.items())[:at], *own.items(), *list(facts.items())[at:]]
    if model:
        listed = [("Adapter", value) if name == "Model" else (name, value) for name, value in listed]
    names = {source.footage_id: source.name for source in run.footage}
    return replace(
        trained,
        facts=tuple(listed),
        held_out_loss=f"{model.held_out_loss:.4f}" if model and model.held_out_loss is not None else "",
        stand_in=((model and model.stand_in) or told.stand_in).removeprefix(STAND_IN_LABEL),
        warnings=told.progress.warnings,
        shots=tuple(_shot(one, names) for one in told.held_out.shots),
        licence=_licence(plan.settings.training.model_id, told),
        loading=_loading(model) if model else "",
    )


def _shot(one: ShotLoss, names: Mapping[str, str]) -> ShotRow:
    footage_id, _, number = one.shot.partition(":")
    shot = f"{names.get(footage_id, footage_id)}, shot {number}" if number else one.shot
    change = (one.loss_after - one.loss_before) / one.loss_before if one.loss_before else 0.0
    return ShotRow(shot, f"{one.pictures:,}", f"{one.loss_before:.4f}", f"{one.loss_after:.4f}", f"{change:+.1%}")


def _licence(base_model: str, told: TrainerWork) -> str:
    """Return the base model's licence: as its weights told it, else as this release knows it."""
    own = told.card.licence
    if not own.name:
        return licence_of(base_model).words
    known = licence_of(base_model)
    restricts = f" {known.restricts}" if known.is_known and known.name == own.name else ""
    where = f" Its text: {own.link}." if own.link else ""
    kept = f" It lies with the adapter, as {own.file}." if own.file else ""
    return f"{base_model}: licence {own.name}.{restricts}{where}{kept}"


def _loading(model: TrainedModel) -> str:
    base = model.base_model if not model.base_model.startswith("s3://") else "the folder of the base model"
    return "\n".join(
        [
            f"aws s3 cp --recursive {model.model_arn} adapter/",
            "",
            "from diffusers import StableDiffusionXLPipeline",
            f'pipeline = StableDiffusionXLPipeline.from_pretrained("{base}")',
            'pipeline.load_lora_weights("adapter")',
        ]
    )


def _prompt(
    number: int, drawings: Sequence[Drawing], thumbnails: Thumbnails, side_px: int, stand_in: str
) -> Prompt:
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
        drawers=tuple(_drawer(drawing, thumbnails, side_px, stand_in) for drawing in drawings),
    )


def _drawer(drawing: Drawing, thumbnails: Thumbnails, side_px: int, stand_in: str) -> Drawer:
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
                verdict_text=_told(grade.verdict, stand_in if panels.composite else grade.reason) if grade else "",
                reason=grade.reason if grade and grade.verdict != "not graded" else "",
            )
        )
    return Drawer(
        title="Trained model" if trained else "Base model",
        model_id=panels.model_id,
        panels=tuple(shown),
        refused=panels.refused,
        stand_in=stand_in if panels.composite else "",
        asked=panels.request.image_count,
    )


def _told(verdict: str, reason: str) -> str:
    return f"not graded: {reason}" if verdict == "not graded" else VERDICTS.get(verdict, verdict)
