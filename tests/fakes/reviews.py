"""Reviews without AWS: a log in memory, callbacks that only listen, and made-up reviews with their pictures."""

import colorsys
import io
import random
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Any

from PIL import Image, ImageDraw

from storycast import keys
from storycast.caption_faults import flag
from storycast.caption_lint.findings import RULES, Rule
from storycast.curation import CuratedImage
from storycast.dataset import file_name
from storycast.decisions import Change, Decision, SequenceTakenError, What
from storycast.ports import Gate
from storycast.review import (
    Alternative,
    BaseLicence,
    Carried,
    Review,
    ReviewCharacter,
    ReviewPicture,
    TrainingAhead,
    write_review,
)
from storycast.review_desk import Answer, Proposal, ReviewDesk
from storycast.runs import Run, RunStatus, change_run, create_run
from tests.fakes.store import MemoryStore

RUN, PROJECT = "run-1", "meadow"
THUMB_PX, PICTURE_PX = 320, 512
NAMES = ("Bunny", "Frank", "Rinky")
NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
STAND_IN = "amazon.nova-pro-v1:0: composed from measured facts (Storycast local stand-in)"
TRAINING = TrainingAhead(
    target="bedrock",
    base_model="amazon.nova-canvas-v1:0",
    step_count=500,
    batch_size=8,
    hold_out_share=0.1,
    cost_usd=(118.4, 186.9),
    budget_usd=250.0,
    prices_as_of="2026-11",
)
LORA_TRAINING = TrainingAhead(
    target="sagemaker",
    base_model="stabilityai/stable-diffusion-xl-base-1.0",
    step_count=1500,
    batch_size=1,
    hold_out_share=0.1,
    cost_usd=(0.73, 2.18),
    budget_usd=20.0,
    prices_as_of="2026-11",
    least_pictures=1,
    instance_type="ml.g5.xlarge",
    spot=True,
    most_usd=20.0,
    licence=BaseLicence(
        name="CreativeML Open RAIL++-M",
        link="https://example.com/LICENSE.md",
        restricts="It forbids a list of uses.",
    ),
)
"""Of an adapter, in a job on SageMaker."""
FRAMINGS = ("close-up", "medium", "full")
PLACES = ("on a sunny meadow", "beside a fallen log", "under the old oak", "at the edge of the forest at dusk")
DOINGS = ("looks up at a butterfly", "laughs with closed eyes", "holds a red apple", "turns away from the wind")


class MemoryReviewLog:
    """A :class:`~storycast.ports.ReviewLog` in lists; safe under threads, as DynamoDB is."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self.logs: dict[str, list[Decision]] = {}
        self.gates: dict[str, Gate] = {}
        self.projects: dict[str, list[str]] = {}

    def append(self, run_id: str, decision: Decision) -> None:
        with self._guard:
            log = self.logs.setdefault(run_id, [])
            if decision.seq <= len(log):
                raise SequenceTakenError(f"decision {decision.seq} of {run_id} is there already")
            assert decision.seq == len(log) + 1, f"{decision.seq} would leave a gap after {len(log)}"
            log.append(decision)

    def read(self, run_id: str, after: int = 0) -> list[Decision]:
        with self._guard:
            return self.logs.get(run_id, [])[after:]

    def gate(self, run_id: str) -> Gate | None:
        return self.gates.get(run_id)

    def open(self, gate: Gate) -> None:
        self.gates[gate.run_id] = gate

    def remember(self, project: str, run_id: str, at: datetime) -> None:
        runs = self.projects.setdefault(project, [])
        if run_id not in runs:
            runs.insert(0, run_id)

    def runs_of(self, project: str) -> list[str]:
        return self.projects.get(project, [])[:20]


@dataclass
class HeardCallbacks:
    """:class:`~storycast.ports.Callbacks` that note what they are told."""

    valid: set[str] | None = None
    """Tokens that somebody waits with; None: all of them."""
    told: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def succeed(self, task_token: str, output: Mapping[str, Any]) -> bool:
        self.told.append((task_token, output))
        return self.valid is None or task_token in self.valid


def made_image(
    number: int,
    character: str,
    *,
    others: Sequence[str] = (),
    twin: int = 0,
    duplicates: Sequence[str] = (),
    score: float = 0.82,
) -> CuratedImage:
    """Return the ``number``-th picture of a review; ``twin`` above 0 is one of its near-duplicates."""
    time_ms = number * 2400 + twin * 120
    return CuratedImage(
        crop_id=f"{number:04d}a{twin:x}" if twin else f"{number:04d}00",
        character=character,
        frame_id=f"frame{number:04d}{twin:x}",
        frame_key=f"footage/f1/frames-aa/000/{time_ms}.jpg",
        footage_id="f1",
        time_ms=time_ms,
        shot=number // 3,
        left_px=10,
        top_px=10,
        side_px=400 if number % 11 == 7 else 640,
        in_picture=(character, *others),
        framing=FRAMINGS[number % 3],
        enlarged=number % 11 == 7,
        score=score,
        duplicates=tuple(duplicates),
    )


def made_review(
    count: int = 12,
    *,
    names: Sequence[str] = NAMES,
    captions: Sequence[str] = (),
    training: TrainingAhead | None = TRAINING,
    carried: Mapping[int, Carried] | None = None,
    minimum: int = 2,
    budget: int = 30,
    run_id: str = RUN,
    footage: str = "big film.mp4",
    acknowledged: Sequence[Rule] = RULES,
) -> Review:
    """Return a review of ``count`` pictures, some of each kind that a review has.

    Picture ``n`` has the crop id ``f"{n:04d}00"`` and is of ``names[n % len(names)]``. Every 5th shows the next
    character too, every 4th has duplicates (the k-th is ``f"{n:04d}a{k:x}"``), every 11th is enlarged, every 7th
    is an uncertain one, every 9th has a caption that is too short.

    Args:
        count: How many pictures.
        names: The cast.
        captions: Captions of the first pictures, instead of made ones.
        training: What follows; None ends the run with its dataset.
        carried: What was decided in an earlier run, by number.
        minimum: ``minimum_per_character``.
        budget: ``images_per_character``.
        run_id: Its run.
        footage: Name of the film.
        acknowledged: Rules of the caption lint whose findings may stay: these captions are no good ones.
    """
    pictures = [_made_picture(number, names, captions, footage, carried or {}) for number in range(count)]
    pictures.sort(key=lambda one: (one.image.character, one.image.time_ms))
    return Review(
        run_id=run_id,
        project=PROJECT,
        made_at=NOW.isoformat(),
        mode="page",
        minimum_per_character=minimum,
        images_per_character=budget,
        words=(8, 30),
        characters=tuple(ReviewCharacter(name=name, description=f"what {name} looks like") for name in names),
        pictures=tuple(pictures),
        made_by=("Rekognition labels: model 3.0", STAND_IN),
        training=training,
        acknowledged=tuple(acknowledged),
    )


def _made_picture(
    number: int, names: Sequence[str], captions: Sequence[str], footage: str, carried: Mapping[int, Carried]
) -> ReviewPicture:
    name, other = names[number % len(names)], names[(number + 1) % len(names)]
    others = (other,) if number % 5 == 4 and other != name else ()
    twins = [
        made_image(number, name, others=others, twin=twin, score=0.8 - twin / 50)
        for twin in range(1, 4 if number % 4 == 2 else 1)
    ]
    image = made_image(
        number,
        name,
        others=others,
        duplicates=[twin.crop_id for twin in twins],
        score=0.41 if number % 7 == 3 else 0.82,
    )
    if number < len(captions):
        caption = captions[number]
    elif number % 9 == 8:
        caption = f"{name} alone"
    else:
        met = f" and meets {other}" if others else ""
        doing, place = DOINGS[number % len(DOINGS)], PLACES[number // 2 % len(PLACES)]
        caption = f"{name} {doing}{met} {place}, in picture {number} of the film"
    flags = [f"The caption: {told}." for told in flag(caption, image.in_picture, (8, 30))]
    if image.score < 0.5:
        flags.append(f"The name is a guess (likeness {image.score:.2f}): is this {name}?")
    if image.enlarged:
        flags.append(f"Only {image.side_px} px of the film: it was enlarged for training.")
    return ReviewPicture(
        image=image,
        file_name=file_name(image),
        footage=footage,
        caption=caption,
        caption_model="amazon.nova-pro-v1:0",
        flags=tuple(flags),
        alternatives=tuple(
            Alternative(
                image=twin,
                crop_key=f"footage/f1/crops-aa/{twin.crop_id}.jpg",
                reason=f"cosine 0.97{index} with {image.crop_id}, threshold 0.950",
            )
            for index, twin in enumerate(twins)
        ),
        more_alternatives=5 if twins and number % 8 == 2 else 0,
        carried=carried.get(number),
    )


def made_picture(crop_id: str, side_px: int) -> Image.Image:
    """Return a picture for a crop: the same for the same id, so that two of them can be told apart."""
    chance = random.Random(crop_id)
    hue = int(crop_id[:4], 10) % 36 / 36 if crop_id[:4].isdigit() else chance.random()

    def colour(lightness: float, saturation: float, shift: float = 0.0) -> tuple[int, ...]:
        return tuple(round(255 * part) for part in colorsys.hls_to_rgb((hue + shift) % 1, lightness, saturation))

    # Sky, hills and somebody: drawn at the size of a thumb and grown, for a thousand of them are made at once.
    picture = Image.new("RGB", (THUMB_PX, THUMB_PX), colour(0.78, 0.45, 0.5))
    draw = ImageDraw.Draw(picture)
    for step in range(3):
        middle, height = chance.randrange(320), chance.randrange(120, 220)
        ground = (middle - 300, 320 - height + step * 50, middle + 300, 620)
        draw.ellipse(ground, fill=colour(0.5 - step * 0.1, 0.35, 0.3))
    left, top, size = chance.randrange(60, 160), chance.randrange(70, 130), chance.randrange(90, 130)
    fur = colour(0.6, 0.3)
    for ear_px in (0.12 * size, 0.58 * size):
        ear = (left + ear_px, top - size * 0.55, left + ear_px + size * 0.28, top + size * 0.4)
        draw.ellipse(ear, fill=fur)
    draw.ellipse((left - size * 0.1, top + size * 0.7, left + size * 1.1, top + size * 2), fill=fur)
    draw.ellipse((left, top, left + size, top + size), fill=colour(0.68, 0.32))
    for eye_px in (0.25 * size, 0.6 * size):
        eye = (left + eye_px, top + size * 0.3, left + eye_px + size * 0.16, top + size * 0.5)
        draw.ellipse(eye, fill=(20, 20, 20))
    nose = (left + size * 0.42, top + size * 0.55, left + size * 0.58, top + size * 0.66)
    draw.ellipse(nose, fill=colour(0.4, 0.5))
    return picture if side_px == THUMB_PX else picture.resize((side_px, side_px), Image.Resampling.BICUBIC)


@cache
def made_jpeg(crop_id: str, side_px: int) -> bytes:
    """Return a picture for a crop as JPEG."""
    out = io.BytesIO()
    made_picture(crop_id, side_px).save(out, "JPEG", quality=85)
    return out.getvalue()


@cache
def made_png(crop_id: str, side_px: int) -> bytes:
    """Return a picture for a crop as PNG, quickly."""
    out = io.BytesIO()
    made_picture(crop_id, side_px).save(out, "PNG", compress_level=1)
    return out.getvalue()


def put_pictures(store: MemoryStore, review: Review) -> None:
    """Put a made review's pictures where a run has them: thumbs, the dataset's pictures, duplicates' crops."""
    for one in review.pictures:
        crop_id = one.image.crop_id
        png = made_png(crop_id, PICTURE_PX)
        store.put(keys.review_thumb(review.run_id, crop_id), made_jpeg(crop_id, THUMB_PX), "image/jpeg")
        store.put(keys.run_file(review.run_id, f"{keys.IMAGES}{one.file_name}"), png, "image/png")
        for other in one.alternatives:
            store.put(other.crop_key, made_jpeg(other.image.crop_id, PICTURE_PX), "image/jpeg")


class Waiting:
    """A run that waits for its review: store, log, callbacks, and a desk over them."""

    def __init__(self, review: Review, *, status: RunStatus = "in_review", deadline_hours: float = 72.0) -> None:
        self.review = review
        self.store = MemoryStore()
        self.log = MemoryReviewLog()
        self.callbacks = HeardCallbacks()
        self.now = NOW
        write_review(self.store, review)
        create_run(
            self.store,
            Run(
                run_id=review.run_id,
                project=review.project,
                status=status,
                execution_arn="arn:aws:states:eu-central-1:123456789012:execution:build_dataset:run-1",
                started_at=NOW.isoformat(),
            ),
        )
        deadline = NOW + timedelta(hours=deadline_hours)
        self.log.open(Gate(review.run_id, review.project, "token-1", NOW, deadline, NOW))
        self.log.remember(review.project, review.run_id, NOW)
        self._clock = threading.Lock()

    @cached_property
    def desk(self) -> ReviewDesk:
        """The desk that a server sits at."""
        return self.new_desk()

    def new_desk(self) -> ReviewDesk:
        """Return another desk over the same log, such as a second reviewer's machine has."""
        return ReviewDesk(self.review, log=self.log, callbacks=self.callbacks, store=self.store, clock=self.time)

    @property
    def decisions(self) -> list[Decision]:
        """All decisions so far."""
        return self.log.read(self.review.run_id)

    def decide(self, who: str, what: What, changes: Iterable[Change], undoes: str | None = None) -> Answer:
        """Decide as somebody else, at another desk."""
        proposal = Proposal(str(uuid.uuid4()), who, what, "page", tuple(changes), undoes)
        return self.new_desk().decide(proposal)

    def end(self, status: RunStatus, *, error: str | None = None, cause: str | None = None) -> None:
        """Let the run end."""
        change_run(
            self.store,
            self.review.run_id,
            lambda run: run.model_copy(update={"status": status, "error": error, "cause": cause}),
        )

    def new_token(self, task_token: str) -> None:
        """Replace the token, as a retry does."""
        gate = self.log.gates[self.review.run_id]
        self.log.open(replace(gate, task_token=task_token))

    def time(self) -> datetime:
        """Tell the time, which goes on by a second each time."""
        with self._clock:
            self.now += timedelta(seconds=1)
            return self.now
