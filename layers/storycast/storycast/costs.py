"""Costs: what a run did cost at list prices, from what it counted and from the billing book."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from storycast.billing import Billed
from storycast.estimate import JOB_STOP_HOURS, drawing
from storycast.prices import Price, price_table
from storycast.runs import Run
from storycast.settings import Storyboard
from storycast.workflow_cost import Work, workflow_price

STAND_IN = "stand-in"
"""In a model's provider where nobody at AWS answered for it."""

HOSTED = "drawn by the hosted model, which is billed by the hour"
BY_JOB = "drawn by the drawing job, which is billed by the hour"

JOB_STAGES = {"training_job": "start_training", "drawing_job": "provision_model"}
"""Functions that start a SageMaker job, by the kind of its row."""

STAND_IN_JOBS = (
    "Its training jobs count as long as the stand-in's tiny model took; AWS's take longer and cost more, as the "
    "estimate says."
)

COUNTED = (
    "detections",
    "reference_embeddings",
    "face_detections",
    "face_references",
    "indexed_faces",
    "face_searches",
    "embeddings",
    "captions",
    "caption_repairs",
    "input_tokens",
    "output_tokens",
    "human_reviews",
    "panels_trained",
    "panels_base",
    "panels_job",
    "grade_detections",
    "grade_embeddings",
)
"""Names of a run's counts after ``paid_``. Panels are pictures, not calls; those of a drawing job count apart."""

MOST_IMAGES = 20_000 * 192
"""Pictures that a job sees at most: the limits of ``step_count`` and ``batch_size``."""


@dataclass(frozen=True, slots=True)
class CostLine:
    """What one stage cost."""

    stage: str
    """Name of the function, such as ``detect_characters``."""
    what: str
    count: float
    price: Price
    at_most: bool = False
    """Whether it may have cost less, which only AWS's bill tells."""
    note: str = ""

    @property
    def usd(self) -> float:
        """The amount."""
        return self.count * self.price.usd


@dataclass(frozen=True, slots=True)
class Costs:
    """What a run cost, stage by stage."""

    as_of: str
    """ISO date of the prices."""
    lines: tuple[CostLine, ...]
    charged: bool
    """False where local stand-ins answered, who charge nobody."""
    has_jobs: bool = False
    """Whether jobs are among them that are billed by the time that they take."""

    @property
    def total_usd(self) -> float:
        """The sum of all stages."""
        return sum(line.usd for line in self.lines)

    @property
    def statement(self) -> str:
        """What the amounts are, in a sentence."""
        listed = f"At AWS's list prices of {self.as_of}"
        if self.charged:
            return f"{listed}, without free tiers, taxes and discounts; AWS's own bill is the truth."
        nobody = f"{listed}; this run used local stand-ins and nobody was charged."
        # A job's time is all that it costs, and a stand-in's says nothing of it.
        return f"{nobody} {STAND_IN_JOBS}" if self.has_jobs else nobody

    def to_json(self) -> dict[str, Any]:
        """Return it as ``Run.cost`` holds it."""
        return {
            "prices_as_of": self.as_of,
            "currency": "USD",
            "charged": self.charged,
            "statement": self.statement,
            "lines": [
                {
                    "stage": line.stage,
                    "what": line.what,
                    "count": round(line.count, 4),
                    "unit": line.price.unit,
                    "unit_usd": line.price.usd,
                    "usd": round(line.usd, 6),
                    "at_most": line.at_most,
                    "price_known": line.price.known,
                    "price_confirmed": line.price.confirmed,
                    "note": line.note,
                }
                for line in self.lines
            ],
            "total_usd": round(self.total_usd, 6),
        }


def costs(
    run: Run,
    billing_rows: Sequence[Billed],
    now: datetime,
    *,
    storyboard: Storyboard | None = None,
    completed: Collection[str] = (),
) -> Costs:
    """Return what a run has cost so far.

    Args:
        run: The run's record, whose counts that begin with ``paid_`` say what it paid for.
        billing_rows: The run's rows of the billing book.
        now: Until when hosting that goes on is counted.
        storyboard: How the base model's panels were asked for; None for the default.
        completed: Names of jobs that are known to have gone to their end; the others may have cost less.
    """
    lines = [
        *_dataset(run),
        *(_job(run, row, completed) for row in billing_rows if row.kind == "customization_job"),
        *(_hosting(run, row, now) for row in billing_rows if row.kind == "provisioned_throughput"),
        *(_container_job(row, now) for row in billing_rows if row.kind in JOB_STAGES),
        *(_detector(row, now) for row in billing_rows if row.kind == "custom_labels_model"),
        *_panels(run, storyboard or Storyboard()),
        _workflow(run, billing_rows),
    ]
    return Costs(
        as_of=price_table().as_of,
        lines=tuple(line for line in lines if line.count),
        charged=is_charged(run),
        has_jobs=any(row.kind in JOB_STAGES for row in billing_rows),
    )


def is_charged(run: Run) -> bool:
    """Whether AWS charges for a run; local stand-ins charge nobody."""
    return not any(STAND_IN in model.provider.lower() for model in run.models)


def spent_usd(run: Run, billing_rows: Sequence[Billed], now: datetime) -> float:
    """Return what of the budget is gone: what a run has cost so far, as :func:`costs` counts it.

    Jobs on Bedrock count in full, hosting by begun hours. A SageMaker job that runs counts with all that it may
    yet cost before AWS's own clock ends it: another session's must not find that money again.
    """
    return costs(run, [_at_its_clocks_end(row) for row in billing_rows], now).total_usd


def _at_its_clocks_end(row: Billed) -> Billed:
    """Return the row of a SageMaker job as if it had run for as long as it may; others as they are."""
    if row.kind not in JOB_STAGES or row.created_at is None or row.ended_at is not None or not row.max_run_s:
        return row
    most = timedelta(seconds=row.max_run_s, hours=JOB_STOP_HOURS)
    return row.model_copy(update={"ended_at": row.created_at + most})


def hosted_hours(row: Billed, now: datetime) -> int:
    """Return how many hours of hosting are billed; each begun hour counts, none before it was made."""
    if row.created_at is None:
        return 0
    seconds = ((row.ended_at or now) - row.created_at).total_seconds()
    return max(1, math.ceil(seconds / 3600))


def job_seconds(row: Billed, now: datetime) -> float:
    """Return for how many seconds a SageMaker job is billed at most; none before it was made.

    AWS tells it when the job has ended, spot's saving taken off. Until then it is the time since the job was made,
    cut where AWS's own clock ends the job: waiting for capacity is not billed, but nobody tells how long it was.
    """
    if row.billable_s is not None:
        return float(row.billable_s)
    if row.created_at is None:
        return 0.0
    seconds = max(((row.ended_at or now) - row.created_at).total_seconds(), 0.0)
    return min(seconds, row.max_run_s + JOB_STOP_HOURS * 3600) if row.max_run_s else seconds


def _dataset(run: Run) -> Iterator[CostLine]:
    paid = {name: run.counts.get(f"paid_{name}", 0) for name in COUNTED}
    yield CostLine("detect_characters", "label detection", paid["detections"], _price(run, "label_detection"))
    yield CostLine("detect_characters", "face detection", paid["face_detections"], _price(run, "face_detection"))
    yield CostLine("build_cast", "reference embeddings", paid["reference_embeddings"], _price(run, "embedding"))
    yield CostLine(
        "build_cast", "face detection in references", paid["face_references"], _price(run, "face_detection")
    )
    yield CostLine("build_cast", "faces into the collection", paid["indexed_faces"], _price(run, "face_indexing"))
    yield CostLine("crop_characters", "face searches", paid["face_searches"], _price(run, "face_search"))
    yield CostLine("crop_characters", "embeddings", paid["embeddings"], _price(run, "embedding"))
    asked = f"{paid['captions']:,} captions, {paid['caption_repairs']:,} asked for a second time"
    yield CostLine("caption_images", "input tokens", paid["input_tokens"], _price(run, "input_token"), note=asked)
    yield CostLine(
        "caption_images", "output tokens", paid["output_tokens"], _price(run, "output_token"), note=asked
    )
    yield CostLine(
        "start_human_reviews",
        "pictures before A2I's workers",
        paid["human_reviews"],
        _price(run, "human_review"),
        at_most=True,
        note="without what the workforce costs",
    )


def _panels(run: Run, storyboard: Storyboard) -> Iterator[CostLine]:
    paid = {name: run.counts.get(f"paid_{name}", 0) for name in COUNTED}
    drawn = _price(run, drawing(storyboard))
    hosted = drawn.model_copy(update={"usd": 0.0, "confirmed": True, "known": True, "source": HOSTED})
    yield CostLine("draw_storyboard", "panels by the trained model", paid["panels_trained"], hosted, note=HOSTED)
    yield CostLine("draw_storyboard", "panels by the base model", paid["panels_base"], drawn)
    by_job = hosted.model_copy(update={"source": BY_JOB})
    yield CostLine("draw_storyboard", "panels by the drawing job", paid["panels_job"], by_job, note=BY_JOB)
    detection, embedding = _price(run, "label_detection"), _price(run, "embedding")
    yield CostLine("grade_storyboard", "label detection", paid["grade_detections"], detection)
    yield CostLine("grade_storyboard", "embeddings", paid["grade_embeddings"], embedding)


def _job(run: Run, row: Billed, completed: Collection[str]) -> CostLine:
    price = _price(run, "training_picture")
    if row.arn is None and row.state == "ended":
        return CostLine("start_training", row.name, 0, price)
    known = row.name in completed
    count, note = row.image_count, "" if known else "the job may have ended early, and cost less"
    if not count:
        count, note = (
            MOST_IMAGES,
            "nobody wrote down how much it trains: counted as the most that can be asked for",
        )
    return CostLine("start_training", row.name, count, price, at_most=not known, note=note)


def _hosting(run: Run, row: Billed, now: datetime) -> CostLine:
    hours = hosted_hours(row, now)
    note = "" if row.ended_at else "still billed"
    return CostLine(
        "provision_model",
        row.name,
        hours * row.model_units,
        _price(run, "hosting_hour"),
        note=note if hours else "",
    )


def _container_job(row: Billed, now: datetime) -> CostLine:
    price = price_table().price("training_hour", row.instance_type or None)
    hours = job_seconds(row, now) / 3600
    if row.billable_s is not None:
        note = "hours that AWS bills, spot's saving taken off"
    elif row.ended_at:
        note = "AWS did not tell how long is billed: counted from start to end"
    else:
        note = "still billed"
    told = f"{row.name}, {row.instance_type or 'an unknown instance'}"
    return CostLine(JOB_STAGES[row.kind], told, hours, price, at_most=row.billable_s is None, note=note)


def _detector(row: Billed, now: datetime) -> CostLine:
    """Return what a Custom Labels model cost: this run started it, and others may have used it, too."""
    hours = job_seconds(row, now) / 3600 * row.model_units
    note = "hours of all inference units, from its start to its stop" if row.ended_at else "still billed"
    return CostLine("start_detector", row.name, hours, price_table().price("custom_labels_hour"), note=note)


def _workflow(run: Run, rows: Sequence[Billed]) -> CostLine:
    work = Work(
        segments=run.counts.get("segments", 0),
        frames=run.counts.get("frames_kept", 0),
        crops=run.counts.get("crops", 0),
        captions=run.counts.get("curated", 0),
        sessions=len({row.session_id for row in rows if row.kind != "custom_labels_model"}),
    )
    return CostLine("workflow", "Step Functions, Lambda and S3, by a formula", 1, workflow_price(work))


def _price(run: Run, item: str) -> Price:
    """Return the price of a kind of thing from whichever of the run's models gives it."""
    table = price_table()
    for model in run.models:
        if table.has(item, model.model_id):
            return table.price(item, model.model_id)
    strangers = [model.model_id for model in run.models if not table.knows(model.model_id)]
    return table.price(item, ", ".join(strangers) or None)
