"""What a film of two hours takes of AWS, and a thousand of them: counts, times, quotas and costs, on paper."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.scale_quotas import QUOTAS
from storycast.caption_template import MAX_TOKENS
from storycast.estimate import INPUT_TOKENS, REPAIR_TOKENS, REPAIRED_SHARE, Estimate, estimate, training_hours
from storycast.prices import price_table
from storycast.settings import Character, Settings, Training
from storycast.workflow_cost import (
    CAPTION_GB_SECONDS,
    FRAME_EXPRESS_GB_SECONDS,
    SEGMENT_GB_SECONDS,
    Work,
    workflow_units,
)

FILM_MS = 2 * 3600 * 1000
CAST = 10
"""Characters that the project names."""
FILMS = 1000
DAY_S, WEEK_S = 86_400, 7 * 86_400

EXPRESS_GB = 64 / 1024
"""What an Express child is billed in."""
FRAME_S = FRAME_EXPRESS_GB_SECONDS / EXPRESS_GB
"""Life of a frame's child: detection, then cropping with the embeddings."""
SEGMENT_S = SEGMENT_GB_SECONDS / (3008 / 1024)
CAPTION_S = CAPTION_GB_SECONDS / 1.0
"""The caption function has 1 GB; what the picture's writing takes of it is counted here, too."""
RUN_ROWS = 10
"""Rows of a run in the tables, at most, beside one for each picture that somebody decides on."""
POLL_S = 120
POLL_EVENTS = 9
"""Of a look at a training in its history: Wait 2, Task 5, Choice 2."""


@dataclass(frozen=True, slots=True)
class Film:
    """What one film takes, at the high end of its estimate."""

    name: str
    settings: Settings
    expected: Estimate
    segments: int
    frames: float
    crops: float
    captions: float

    @property
    def units(self) -> Mapping[str, float]:
        """Of Step Functions, Lambda and S3."""
        return workflow_units(Work(self.segments, self.frames, self.crops, self.captions))

    def count(self, what: str) -> float:
        """Return the high end of what the estimate counts under a name."""
        return next(line.count.high for line in self.expected.lines if line.what == what)

    def usd(self, *stages: str) -> float:
        """Return the high end of what the estimate expects of some stages."""
        return sum(line.usd.high for line in self.expected.lines if line.stage in stages)


def film(name: str, settings: Settings) -> Film:
    """Return what a film of two hours takes."""
    expected = estimate(settings, [FILM_MS], reference_count=0)
    counts = {line.what: line.count.high for line in expected.lines}
    answer_tokens = INPUT_TOKENS * (1 + REPAIRED_SHARE)
    return Film(
        name=name,
        settings=settings,
        expected=expected,
        segments=math.ceil(FILM_MS / 60_000),
        frames=counts["label detection"],
        crops=counts["embeddings"],
        captions=counts["input tokens"] / (answer_tokens + REPAIRED_SHARE * REPAIR_TOKENS),
    )


def films() -> list[Film]:
    """Return the film with a cast of ten, and the same that nobody described."""
    cast = tuple(Character(name=f"Character {letter}") for letter in "ABCDEFGHIJ"[:CAST])
    return [film(f"cast of {CAST}", Settings(characters=cast)), film("no project file", Settings())]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that works on items side by side."""

    state: str
    items: float
    item_s: float
    default_at_once: int

    def minutes(self, at_once: float) -> float:
        """Return how long it takes with so many at once."""
        return math.ceil(self.items / at_once) * self.item_s / 60


def stages(one: Film) -> list[Stage]:
    """Return the stages whose time grows with the film."""
    at_once = one.settings.concurrency
    return [
        Stage("SampleFrames", one.segments, SEGMENT_S, at_once.segments),
        Stage("ExtractCharacters", one.frames, FRAME_S, at_once.frames),
        Stage("CaptionImages", one.captions, CAPTION_S, at_once.captions),
    ]


def most_at_once(one: Film, stage: str, limits: Mapping[str, float]) -> tuple[int, str]:
    """Return how many items of a stage quotas let through at once, and which quota says so."""
    crops = one.crops / one.frames
    bounds = {"lambda_concurrency": limits["lambda_concurrency"]}
    if stage == "ExtractCharacters":
        bounds["detect_labels"] = limits["detect_labels"] * FRAME_S
        bounds["embeddings"] = limits["embeddings"] / 60 / crops * FRAME_S
    if stage == "CaptionImages":
        bounds["caption_tokens"] = limits["caption_tokens"] / caption_tokens() / 60 * CAPTION_S
    key = min(bounds, key=lambda name: bounds[name])
    return min(int(bounds[key]), MOST_AT_ONCE), key


DEFAULTS = {one.key: one.default for one in QUOTAS}
MOST_AT_ONCE = 1000
"""What a project file may set at most in ``concurrency``."""


def asked_for(one: Film, seconds: float) -> dict[str, float]:
    """Return the quotas with what is asked for where a thousand films within a time need more than the default."""
    taken = needs(one, seconds)
    raised = {key: with_headroom(taken[key]) for key in taken if taken[key] > DEFAULTS[key]}
    return DEFAULTS | raised


def caption_tokens() -> float:
    """Return what a caption takes of the quota: what is read, and the answer's limit, which is reserved."""
    return (INPUT_TOKENS + MAX_TOKENS) * (1 + REPAIRED_SHARE)


def needs(one: Film, seconds: float) -> dict[str, float]:
    """Return what a thousand films within a time take of each quota, evenly spread."""
    rate = FILMS / seconds
    units = one.units
    busy_s = one.segments * SEGMENT_S + one.frames * FRAME_S + one.captions * CAPTION_S
    wall_s = 60 * sum(stage.minutes(most_at_once(one, stage.state, DEFAULTS)[0]) for stage in stages(one))
    return {
        "lambda_concurrency": rate * busy_s,
        "detect_labels": rate * one.frames,
        "embeddings": 60 * rate * one.crops,
        "caption_tokens": 60 * rate * one.captions * caption_tokens(),
        "transitions": rate * units["transition"],
        "starts": rate * (one.segments + one.frames + one.captions),
        "map_runs": math.ceil(rate * wall_s),
        "object_writes": rate * units["object_write"],
        "object_reads": rate * units["object_read"],
        "table_writes": rate * (RUN_ROWS + one.captions),
        "training_instances": math.ceil(rate * lora_hours() * 3600),
    }


def lora_hours() -> float:
    """Return the high end of a training with the default values on SageMaker."""
    return training_hours(Settings(training=Training(target="sagemaker"), budget_usd=10)).high


def costs(one: Film) -> dict[str, float]:
    """Return what a film costs by service, at the high end of its estimate and by the workflow's formula."""
    table, units = price_table(), one.units
    priced = {item: count * table.price(item).usd for item, count in units.items()}
    return {
        "Amazon Rekognition": one.usd("detect_characters"),
        "Bedrock, embeddings": one.usd("crop_characters", "build_cast"),
        "Bedrock, captions": one.usd("caption_images"),
        "AWS Lambda": priced["function_request"] + priced["function_gb_second"],
        "AWS Step Functions": priced["transition"] + priced["express_request"] + priced["express_gb_second"],
        "Amazon S3, a month of storage included": sum(
            priced[item] for item in ("object_write", "object_read", "storage_gb_month")
        ),
    }


HEADROOM = 1.5
"""What is asked for beside the mean: films do not come evenly."""


def with_headroom(mean: float) -> int:
    """Return what to ask for: two digits, as a person would write them into a form."""
    value = mean * HEADROOM
    step: int = 10 ** max(math.floor(math.log10(max(value, 1))) - 1, 0)
    return math.ceil(value / step) * step
