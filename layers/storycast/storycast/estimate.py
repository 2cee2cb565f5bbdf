"""Estimates: what a run is expected to cost, before anything is paid.

An estimate is a range whose high end is at most three times its low end, line by line and so in all. Where less is
known than that, the high end stays and the low end is raised: too low an estimate costs money, too high a one does
not. It takes everything as new; what an earlier run paid for is not paid again.

The counts rest on the demo's clip and the local stand-ins. While they were chosen, the ranges were tried on one
whole film and on a montage of it, with and without a named cast; the actual cost lay within all of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from storycast.caption_template import MAX_TOKENS, PLACEHOLDERS
from storycast.instances import gpu, is_known
from storycast.lora_job import INFERENCE_STEPS
from storycast.prices import Price, price_table
from storycast.settings import Settings, Storyboard
from storycast.votes import Method
from storycast.workflow_cost import Work, workflow_price

WIDEST = 3.0
"""How many times its low end a range's high end is at most."""

SMALL_PICTURE_PIXELS = 1024 * 1024
"""Up to this, a drawn picture has the smaller one of two prices."""

KEPT_SHARE = 0.5
"""Of the sampled frames at least. The demo's clip keeps all of them; fades, fast cuts and files that break off
keep fewer."""
CROPS_PER_FRAME = 4.5
"""At most: a group of characters, at ``min_confidence: 30``. The demo's clip has 4.0."""
NEW_PICTURES_PER_SECOND = 0.75
"""At most, of a cast that the project names: pictures of its characters that are left of a second of film without
near-duplicates. The demo's clip, which hardly leaves its characters, has 0.5; scenes without any have none."""
DISCOVERED_PICTURES_PER_SECOND = 0.7
"""The same where the project names nobody; a film of shots of 1.5 s has 0.67."""
NEW_PICTURES_PER_STILL = 1.5
"""At most, of a picture that a person chose."""
REFERENCES_PER_PATTERN = 6
"""At most, where nobody counted the reference pictures."""
INPUT_TOKENS = 1800
"""Of one caption: about 500 of text (``prompts/``) and 1,300 of a picture of about 900 x 900 px, as the Amazon
Nova User Guide has it in "Image understanding"."""
INPUT_TOKENS_MOST = 3100
"""The same with 500 of text, and of a picture of 1,300 x 1,300 px, beside what is filled in."""
FILLED_IN_TOKENS_MOST = 250
"""Of the examples, of who is in the picture, and of what is round the looks of each."""
REPAIRED_SHARE = 0.2
"""Of the captions, at most, whose first answer has a fault, so that it is asked again. A guess: no model of AWS
was asked. The local stand-in needs none."""
REPAIR_TOKENS = 150
"""Read in the second call beside all that the first one read: its answer, and what is wrong with that."""
REPAIR_TOKENS_MOST = 700
"""The same with an answer as long as it may be, and many faults."""
DEFAULT_PROMPT_CHARACTERS = 1000
"""Of the default prompt. Each of a longer one is expected to be a quarter of a token, and a whole one at most."""
OUTPUT_TOKENS_PER_WORD = 1.4
OUTPUT_TOKENS = 12
"""The JSON round a caption."""
WORKFLOW_SPREAD = (0.6, 1.6)
"""Of the workflow's own cost by its formula: functions take longer or shorter than assumed."""
HOSTING_HOURS = (1, 2)
"""Begun hours until a storyboard of some dozens of pictures is drawn; the storyboard's calls take minutes, coming
into service and being deleted the rest."""
GRADED_PARTS_PER_PANEL = 9
"""At most: the whole panel, and as many boxes as ``GradeStoryboard`` looks into."""


SWEEP_HOURS = 0.5
"""How much later than ``hosting.hours`` a hosting may be gone: a quarter until the sweep, a quarter to end."""

DETECTOR_START_HOURS = 0.25
"""What a Custom Labels model is billed for beside the frames it looks at: its start and its stop. Not measured."""
FRAMES_PER_UNIT_SECOND = 4
"""That one inference unit looks at: its documentation names about five for small pictures. Not measured."""

JOB_START_HOURS = 0.25
"""Of a SageMaker job, at most: what is billed before its first step and after its last one, most of it to fetch
7 to 14 GB of weights. Not measured."""
JOB_STOP_HOURS = 120 / 3600
"""What a job has to save its state after AWS has told it to stop, at ``MaxRuntimeInSeconds``, too."""
DENOISING_SHARE = 0.3
"""A denoising step of a panel beside a training step: two passes without gradients. Not measured."""


@dataclass(frozen=True, slots=True)
class Range:
    """From the least to the most that is expected: of USD, or of a count."""

    low: float
    high: float

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.high + other.high)

    def __mul__(self, factor: float) -> "Range":
        return Range(self.low * factor, self.high * factor)

    @property
    def rounded(self) -> list[float]:
        """Low and high, as JSON has them."""
        return [round(self.low, 6), round(self.high, 6)]


NOTHING = Range(0.0, 0.0)


def up_to(high: float) -> Range:
    """Return the widest range that ends at ``high``."""
    return Range(high / WIDEST, high)


def exactly(value: float) -> Range:
    """Return a range without width."""
    return Range(value, value)


@dataclass(frozen=True, slots=True)
class EstimateLine:
    """What one stage is expected to cost."""

    stage: str
    """Name of the function, such as ``detect_characters``; ``workflow`` is everything round them."""
    what: str
    count: Range
    unit: str
    unit_usd: float | None
    """None where the amount is not a count times a price."""
    usd: Range
    price_known: bool = True
    """False where another model's price stands for one that nobody looked up."""
    price_confirmed: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run is expected to cost."""

    as_of: str
    """ISO date of the prices."""
    lines: tuple[EstimateLine, ...]
    assumptions: tuple[str, ...]

    @property
    def total(self) -> Range:
        """The sum of all lines."""
        return sum((line.usd for line in self.lines), NOTHING)

    @property
    def notes(self) -> tuple[str, ...]:
        """What one must know to read the numbers: prices that are missing or unconfirmed, and what is left out."""
        said = [line.note for line in self.lines if line.note]
        return tuple(dict.fromkeys([*said, *GENERAL_NOTES]))

    def to_json(self) -> dict[str, Any]:
        """Return it as ``Run.estimate`` holds it."""
        return {
            "prices_as_of": self.as_of,
            "currency": "USD",
            "lines": [
                {
                    "stage": line.stage,
                    "what": line.what,
                    "count": [round(line.count.low, 2), round(line.count.high, 2)],
                    "unit": line.unit,
                    "unit_usd": line.unit_usd,
                    "usd": line.usd.rounded,
                    "price_known": line.price_known,
                    "price_confirmed": line.price_confirmed,
                }
                for line in self.lines
            ],
            "total_usd": self.total.rounded,
            "assumptions": list(self.assumptions),
            "notes": list(self.notes),
        }


ASSUMPTIONS = (
    f"{KEPT_SHARE:.0%} to 100% of the sampled frames are kept",
    f"up to {CROPS_PER_FRAME:g} crops a frame",
    f"up to {NEW_PICTURES_PER_SECOND:g} different pictures of a named cast a second of film, "
    f"{DISCOVERED_PICTURES_PER_SECOND:g} of a cast that nobody named, {NEW_PICTURES_PER_STILL:g} a still",
    "no more than selection.images_per_character of each named character",
    f"{INPUT_TOKENS:,} tokens are read for a caption with the default prompt",
    f"up to {REPAIRED_SHARE:.0%} of the captions are asked for a second time",
)
HOSTING_ASSUMPTION = f"hosting lasts {HOSTING_HOURS[0]} to {HOSTING_HOURS[1]} begun hours"
SPOT_NOTE = (
    "Jobs on spot capacity are counted at the full price: AWS tells of savings of up to 90%, and of none for sure."
)
GENERAL_NOTES = (
    "Everything is counted as new; what an earlier run paid for is not paid again.",
    "List prices, without free tiers, taxes and discounts.",
    "Fewer characters than assumed cost less than the low end says.",
)


def estimate(
    settings: Settings,
    durations_ms: Sequence[int],
    *,
    reference_count: int | None = None,
    caption_prompt: str | None = None,
) -> Estimate:
    """Estimate a run.

    Args:
        settings: The project's settings.
        durations_ms: Of each footage, in milliseconds; 0 for a still.
        reference_count: Reference pictures of the project; None where nobody counted them.
        caption_prompt: The text of ``captions.prompt``; None where the default holds.
    """
    interval_ms = 1000.0 / settings.sampling.frames_per_second
    frames_most = sum(max(1, math.ceil(duration_ms / interval_ms)) for duration_ms in durations_ms)
    frames = Range(KEPT_SHARE * frames_most, frames_most)
    crops = up_to(CROPS_PER_FRAME * frames_most)
    pictures = up_to(_pictures_most(settings, durations_ms, interval_ms))
    embedding, captioner = settings.duplicates.embedding, settings.captions.model
    read, written = _caption_tokens(settings, pictures.high, caption_prompt)
    lines = [
        *_method_lines(settings, frames, crops, _references(settings, reference_count, "faces")),
        _line(
            "build_cast",
            "reference embeddings",
            _references(settings, reference_count, "references"),
            "embedding",
            embedding,
        ),
        _line("crop_characters", "embeddings", crops, "embedding", embedding),
        _line("caption_images", "input tokens", read, "input_token", captioner),
        _line("caption_images", "output tokens", written, "output_token", captioner),
        _review_line(settings, pictures),
        *_training_lines(settings),
        _workflow_line(settings, frames, crops, pictures, len(durations_ms), sum(durations_ms)),
    ]
    return Estimate(
        price_table().as_of, tuple(line for line in lines if line.count.high), (*ASSUMPTIONS, *_assumed(settings))
    )


def _assumed(settings: Settings) -> list[str]:
    """Return what an estimate assumes of the training alone."""
    training = settings.training
    if training.target == "none":
        return []
    if training.target == "bedrock":
        return [HOSTING_ASSUMPTION]
    lora = training.lora
    step_s = _step_s(lora.resolution, settings)
    return [
        f"{lora.instance_type} ({gpu(lora.instance_type).name}): up to {step_s:.1f} s a picture and training step "
        f"at {lora.resolution} px, not measured on that GPU by this project",
        f"a job takes up to {JOB_START_HOURS * 60:.0f} minutes beside its steps",
    ]


def training_usd(settings: Settings, record_count: int | None) -> Range:
    """Return what a training job is expected to cost.

    On Bedrock each picture that it sees has its price, steps times batch size; on SageMaker each hour of it.

    Args:
        settings: The project's settings, with a session's overrides.
        record_count: Records of the manifest, None before it is known. The price does not depend on it, but
            that nothing is trained on none.
    """
    return NOTHING if record_count == 0 else _training_line(settings).usd


def training_most_usd(settings: Settings) -> float:
    """Return what a training job can cost before AWS itself ends it, whatever is expected of it.

    On SageMaker that is after ``training.max_hours``, or earlier where the budget buys fewer: see
    :func:`most_hours`.
    """
    if settings.training.target != "sagemaker":
        return _training_line(settings).usd.high
    hours = settings.training.max_hours + JOB_STOP_HOURS
    most_usd = hours * job_hour_usd(settings)
    return min(most_usd, settings.budget_usd) if settings.budget_usd > 0 else most_usd


def training_hours(settings: Settings) -> Range:
    """Return for how long a training job on SageMaker is expected to be billed, whatever ``max_hours`` allows."""
    lora, seen = settings.training.lora, settings.training.values.pictures_seen
    return up_to(JOB_START_HOURS + seen * _step_s(lora.resolution, settings) / 3600)


def drawing_hours(settings: Settings) -> Range:
    """Return how long the drawing job on SageMaker is expected to be billed; no time without prompts."""
    board = settings.storyboard
    pictures = len(board.prompts) * (board.images_per_prompt + board.base_images_per_prompt)
    side_px = math.sqrt(board.width * board.height)
    drawn_s = pictures * INFERENCE_STEPS[board.quality] * DENOISING_SHARE * _step_s(side_px, settings)
    return up_to(JOB_START_HOURS + drawn_s / 3600) if pictures else NOTHING


def job_hour_usd(settings: Settings) -> float:
    """Return what an hour of a SageMaker job costs at list price; spot capacity costs less, and never more."""
    return price_table().price("training_hour", settings.training.lora.instance_type).usd


def most_hours(settings: Settings, left_usd: float, asked_hours: float) -> float:
    """Return how long a SageMaker job may run at most, so that AWS's own clock keeps the budget.

    Args:
        settings: The project's settings, with a session's overrides.
        left_usd: What is left of ``budget_usd`` for this job.
        asked_hours: The project's own bound: ``training.max_hours``, of a drawing ``hosting.hours``.

    Returns:
        The asked hours, or as many as the rest of the budget buys at list price, the time to stop taken off; 0
        where it buys none. All asked hours where no budget is set.
    """
    if settings.budget_usd <= 0:
        return asked_hours
    return max(0.0, min(asked_hours, left_usd / job_hour_usd(settings) - JOB_STOP_HOURS))


def hosting_usd(settings: Settings) -> Range:
    """Return what drawing the storyboard is expected to cost beside its panels; nothing without prompts.

    On Bedrock the model is hosted meanwhile; on SageMaker a job draws.
    """
    return _hosting_line(settings).usd


def hosting_most_usd(settings: Settings) -> float:
    """Return what hosting or drawing can cost before it is ended by force; nothing without prompts.

    Hosting costs ``hosting.hours`` and the hour begun when the sweep has ended it. A drawing job is ended by AWS
    after ``hosting.hours``.
    """
    if not settings.storyboard.prompts:
        return 0.0
    if settings.training.target == "sagemaker":
        return (settings.hosting.hours + JOB_STOP_HOURS) * job_hour_usd(settings)
    price = price_table().price("hosting_hour", settings.training.model_id)
    return math.ceil(settings.hosting.hours + SWEEP_HOURS) * settings.hosting.model_units * price.usd


def storyboard_usd(settings: Settings) -> Range:
    """Return what the base model's panels and the grading cost; a trained model's own panels cost nothing more.

    On SageMaker the base model's cost nothing more either: the same job draws them.
    """
    return sum((line.usd for line in _storyboard_lines(settings)), NOTHING)


def frames_usd(settings: Settings, frame_count: int) -> float:
    """Return what finding and embedding the characters of so many frames costs at most."""
    table, methods = price_table(), set(settings.detection.methods)
    per_crop = table.price("embedding", settings.duplicates.embedding).usd
    per_frame = table.price("label_detection").usd if methods & {"labels", "references"} else 0.0
    if "faces" in methods:
        per_frame += table.price("face_detection").usd
        per_crop += table.price("face_search").usd
    return frame_count * (per_frame + CROPS_PER_FRAME * per_crop)


def captions_usd(settings: Settings, picture_count: int, caption_prompt: str | None = None) -> float:
    """Return what captions of so many pictures cost at most: two answers each, as long as they may be."""
    table = price_table()
    described = sum(len(one.name) + len(one.description) for one in settings.characters) / 2
    # A placeholder that stands several times is filled in as often.
    repeats = max([1, *((caption_prompt or "").count(f"{{{name}}}") for name in PLACEHOLDERS)])
    text = len(caption_prompt or "") + repeats * (described + FILLED_IN_TOKENS_MOST)
    read = 2 * (INPUT_TOKENS_MOST + text) + REPAIR_TOKENS_MOST
    written = 2 * MAX_TOKENS
    return picture_count * (
        read * table.price("input_token", settings.captions.model).usd
        + written * table.price("output_token", settings.captions.model).usd
    )


def drawing(storyboard: Storyboard) -> str:
    """Return which price a storyboard's pictures have, by quality and size."""
    size = "" if storyboard.width * storyboard.height <= SMALL_PICTURE_PIXELS else "_large"
    return f"drawing_{storyboard.quality}{size}"


def _pictures_most(settings: Settings, durations_ms: Sequence[int], interval_ms: float) -> float:
    """Return how many pictures are chosen at most: what the footage gives, within what the project wants."""
    stills = sum(not duration_ms for duration_ms in durations_ms)
    seconds = sum(durations_ms) / 1000
    sampled = sum(durations_ms) / interval_ms
    rate = NEW_PICTURES_PER_SECOND if settings.characters else DISCOVERED_PICTURES_PER_SECOND
    # Below one frame a second there are no more pictures than frames to choose from, at the same rate.
    given = rate * min(seconds, sampled) + NEW_PICTURES_PER_STILL * stills
    wanted = len(settings.characters) * settings.selection.images_per_character
    return max(min(given, wanted) if wanted else given, 1.0)


def _method_lines(settings: Settings, frames: Range, crops: Range, references: Range) -> list[EstimateLine]:
    """Return what finding characters costs, by the methods that are asked for."""
    detection = settings.detection
    methods = set(detection.methods)
    faces = "faces" in methods
    units = detection.custom_labels_units if "custom_labels" in methods else 0
    expected = DETECTOR_START_HOURS + frames.high / (FRAMES_PER_UNIT_SECOND * detection.custom_labels_units * 3600)
    most = detection.custom_labels_hours
    hours = Range(min(expected, most), min(WIDEST * expected, most))
    labelled = frames if methods & {"labels", "references"} else NOTHING
    return [
        _line("start_detector", "hours of inference units", hours * units, "custom_labels_hour"),
        _line("detect_characters", "label detection", labelled, "label_detection"),
        _line("detect_characters", "face detection", frames if faces else NOTHING, "face_detection"),
        _line("crop_characters", "face searches", crops if faces else NOTHING, "face_search"),
        _line("build_cast", "face detection in references", references, "face_detection"),
        _line("build_cast", "faces into the collection", references, "face_indexing"),
    ]


def _references(settings: Settings, reference_count: int | None, method: Method) -> Range:
    if method not in settings.detection.methods:
        return NOTHING
    if reference_count is not None:
        return exactly(reference_count)
    patterns = sum(len(character.references) for character in settings.characters)
    return up_to(REFERENCES_PER_PATTERN * patterns)


def _caption_tokens(settings: Settings, pictures_most: float, caption_prompt: str | None) -> tuple[Range, Range]:
    """Return how many tokens are read and written for captions; some are asked for twice."""
    asked = INPUT_TOKENS + _more_characters(caption_prompt) / 4
    read = asked + REPAIRED_SHARE * (asked + REPAIR_TOKENS)
    written = (1 + REPAIRED_SHARE) * _output_tokens(settings)
    return up_to(pictures_most * read), up_to(pictures_most * written)


def _more_characters(caption_prompt: str | None) -> int:
    return max(len(caption_prompt or "") - DEFAULT_PROMPT_CHARACTERS, 0)


def _output_tokens(settings: Settings) -> float:
    return OUTPUT_TOKENS + OUTPUT_TOKENS_PER_WORD * sum(settings.captions.words) / 2


def _review_line(settings: Settings, pictures: Range) -> EstimateLine:
    shown = pictures if settings.review.mode == "a2i" else NOTHING
    return _line("start_human_reviews", "pictures before A2I's workers", shown, "human_review")


def _training_lines(settings: Settings) -> list[EstimateLine]:
    if settings.training.target == "none":
        return []
    return [_training_line(settings), _hosting_line(settings), *_storyboard_lines(settings)]


def _training_line(settings: Settings) -> EstimateLine:
    training = settings.training
    if training.target == "sagemaker":
        return _job_line("start_training", "training job", training_hours(settings), training.max_hours, settings)
    seen = exactly(training.values.pictures_seen)
    return _line("start_training", "steps x batch size", seen, "training_picture", training.model_id)


def _hosting_line(settings: Settings) -> EstimateLine:
    if settings.training.target == "sagemaker":
        hours, most = drawing_hours(settings), settings.hosting.hours
        return _job_line("provision_model", "drawing job", hours, most, settings)
    low, high = HOSTING_HOURS
    hours = Range(low, min(high, math.ceil(settings.hosting.hours))) * settings.hosting.model_units
    model = settings.training.model_id
    needed = hours if settings.storyboard.prompts else NOTHING
    return _line("provision_model", "begun hours of hosting", needed, "hosting_hour", model)


def _job_line(stage: str, what: str, hours: Range, most: float, settings: Settings) -> EstimateLine:
    """Return the line of a SageMaker job, which AWS ends after ``most`` hours."""
    lora = settings.training.lora
    billed = up_to(min(hours.high, most + JOB_STOP_HOURS))
    line = _line(stage, f"hours of the {what}", billed, "training_hour", lora.instance_type)
    notes = [line.note] if line.note else []
    if not is_known(lora.instance_type):
        notes.append(f"How fast {lora.instance_type} is was not looked up; counted as the slowest GPU known.")
    if lora.spot:
        notes.append(SPOT_NOTE)
    return replace(line, note=" ".join(notes))


def _step_s(side_px: float, settings: Settings) -> float:
    """Return for how many seconds at most a training step works on a picture, by its size.

    Attention grows faster than the number of pixels; a small picture keeps a large GPU waiting.
    """
    size = side_px * side_px / SMALL_PICTURE_PIXELS
    factor: float = max(size, size**1.3, 0.25)
    return gpu(settings.training.lora.instance_type).step_s * factor


def _storyboard_lines(settings: Settings) -> list[EstimateLine]:
    storyboard, embedding = settings.storyboard, settings.duplicates.embedding
    base = exactly(len(storyboard.prompts) * storyboard.base_images_per_prompt)
    panels = len(storyboard.prompts) * (storyboard.images_per_prompt + storyboard.base_images_per_prompt)
    model = settings.training.model_id
    drawn = [_line("draw_storyboard", "panels by the base model", base, drawing(storyboard), model)]
    return [
        *(drawn if settings.training.target != "sagemaker" else ()),
        _line("grade_storyboard", "label detection", exactly(panels), "label_detection"),
        _line("grade_storyboard", "embeddings", up_to(GRADED_PARTS_PER_PANEL * panels), "embedding", embedding),
    ]


def _workflow_line(
    settings: Settings, frames: Range, crops: Range, pictures: Range, footage_count: int, duration_ms: int
) -> EstimateLine:
    segments = max(footage_count, math.ceil(duration_ms / 60_000))
    sessions = settings.training.target != "none"
    least = workflow_price(Work(segments, frames.low, crops.low, pictures.low, sessions))
    most = workflow_price(Work(segments, frames.high, crops.high, pictures.high, sessions))
    low, high = least.usd * WORKFLOW_SPREAD[0], most.usd * WORKFLOW_SPREAD[1]
    return EstimateLine(
        stage="workflow",
        what="Step Functions, Lambda, S3",
        count=exactly(1),
        unit=most.unit,
        unit_usd=None,
        usd=Range(max(low, high / WIDEST), high),
        price_confirmed=most.confirmed,
        note="" if most.confirmed else "The prices of S3, in the line of the workflow, are not confirmed.",
    )


def _line(stage: str, what: str, count: Range, item: str, model_id: str | None = None) -> EstimateLine:
    price = price_table().price(item, model_id)
    return EstimateLine(
        stage=stage,
        what=what,
        count=count,
        unit=price.unit,
        unit_usd=price.usd,
        usd=count * price.usd,
        price_known=price.known,
        price_confirmed=price.confirmed,
        note=_note(price),
    )


def _note(price: Price) -> str:
    if not price.known:
        return f"{price.source}."
    return "" if price.confirmed else f"The price of {price.model} is not confirmed: {price.source}."
