"""All stages of a run in order, over fakes: no server, no state machine, the same functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched
from typing import Any

import numpy as np

from storycast.cast import Cast
from storycast.curation import CuratedImage
from storycast.custom_labels import CustomLabelDetector, CustomLabelModels
from storycast.decisions import MAX_CHANGES, Change
from storycast.errors import RetryableError, StorycastError
from storycast.faces import FaceService
from storycast.footage import Segment
from storycast.frames import KeptFrame, from_json_lines
from storycast.job_preflight import JobSite
from storycast.keys import run_file
from storycast.ledger import Entry
from storycast.plan import RunPlan, read_plan
from storycast.review import read_review
from storycast.review_desk import Proposal, ReviewDesk
from storycast.runs import Run, read_run
from storycast.stages.apply_review import apply_review
from storycast.stages.build_cast import build_cast
from storycast.stages.caption_images import caption_images
from storycast.stages.check_plan import check_plan
from storycast.stages.crop_characters import crop_characters
from storycast.stages.curate_dataset import curate_dataset
from storycast.stages.detect_characters import detect_characters
from storycast.stages.list_frames import list_frames
from storycast.stages.name_characters import name_characters
from storycast.stages.open_review import open_review
from storycast.stages.prepare_review import prepare_review
from storycast.stages.prepare_run import prepare_run
from storycast.stages.probe_footage import probe_footage
from storycast.stages.sample_frames import sample_frames
from storycast.stages.write_dataset import write_dataset
from tests.fakes.faces import FakeFaces, MemoryCollections
from tests.fakes.film import Picture
from tests.fakes.reviews import HeardCallbacks, MemoryReviewLog
from tests.fakes.services import (
    ColourDetector,
    ColourEmbedder,
    GivenRoles,
    HeardNotifier,
    ListedModels,
    MemoryClaims,
    NamingCaptioner,
)
from tests.fakes.store import MemoryStore
from tests.fakes.turns import turns_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROLE_ARN = "arn:aws:iam::123456789012:role/customization"
RED, GREEN, BLUE = (230, 20, 20), (20, 230, 20), (20, 20, 230)
ATTEMPTS = 4


@dataclass
class End:
    """How a run ended: ``name`` is the state in which its execution ends."""

    name: str
    run_id: str
    message: str = ""


@dataclass
class World:
    """A bucket with services round it, over which runs go."""

    store: MemoryStore = field(default_factory=MemoryStore)
    claims: MemoryClaims = field(default_factory=MemoryClaims)
    catalogue: ListedModels = field(default_factory=ListedModels)
    roles: GivenRoles = field(default_factory=GivenRoles)
    notifier: HeardNotifier = field(default_factory=HeardNotifier)
    embedder: ColourEmbedder = field(default_factory=ColourEmbedder)
    captioner: NamingCaptioner = field(default_factory=NamingCaptioner)
    flow_definition_arn: str = "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/storycast"
    log: MemoryReviewLog = field(default_factory=MemoryReviewLog)
    callbacks: HeardCallbacks = field(default_factory=HeardCallbacks)
    reviewer: Callable[[ReviewDesk], None] = field(default=lambda desk: keep_the_rest(desk))  # noqa: PLW0108 -- defined below
    """What a person does in ``review.mode: page``."""
    before: Mapping[str, Callable[[RunPlan], None]] = field(default_factory=dict)
    """What happens in the bucket before a stage begins."""
    detector: ColourDetector = field(init=False)
    faces: FakeFaces = field(init=False)
    collections: MemoryCollections = field(default_factory=MemoryCollections)
    custom_labels: CustomLabelDetector | None = None
    models: CustomLabelModels | None = None
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.detector = ColourDetector(self.store)
        self.faces = FakeFaces(self.store)

    def run(self, request: Any, number: int = 1) -> End:
        """Go through all states as ``build_dataset`` does; ``number`` tells executions apart."""
        prepared = prepare_run(
            request,
            execution_arn=f"arn:aws:states:us-east-1:123456789012:execution:build-dataset:{number}",
            started_at=NOW,
            store=self.store,
            claims=self.claims,
        )
        if not prepared["claimed"]:
            return End("AlreadyClaimed", "")
        return self.go_on(read_plan(self.store, prepared["run_id"]))

    def go_on(self, plan: RunPlan) -> End:
        """Go through all states after ``PrepareRun``."""
        run_id = plan.run_id
        for footage in plan.footage:
            probe_footage(plan, footage.source.footage_id, store=self.store)
        check_plan(
            plan,
            store=self.store,
            catalogue=self.catalogue,
            roles=self.roles,
            role_arn=ROLE_ARN,
            site=JobSite(),
            flow_definition_arn=self.flow_definition_arn,
            region="us-east-1",
            now=NOW,
            models=self.models,
        )
        self._about_to("sample_frames", plan)
        for segment in self._lines(run_id, "segments.jsonl", Segment):
            self._item(sample_frames, segment, store=self.store)
        self._about_to("list_frames", plan)
        listed = list_frames(plan, store=self.store, now=NOW)
        if not listed["frame_count"]:
            return End("NoFrames", run_id, listed["message"])
        _retried(self._build_cast, plan)
        cast = Cast.model_validate_json(self.store.get(run_file(run_id, "cast.json")))
        mine = turns_of(run_id, self.store, lambda: self.now)
        finds = {
            "turns": mine,
            "detector": self.detector,
            "faces": self.faces,
            "custom_labels": self.custom_labels,
        }
        looks = {"turns": mine, "embedder": self.embedder, "cast": cast, "collections": self.collections}
        self._about_to("extract_characters", plan)
        for frame in self._lines(run_id, "frames.jsonl", KeptFrame):
            found = self._item(detect_characters, plan, frame, store=self.store, **finds)
            if found and found["detections"]:
                self._item(crop_characters, plan, frame, store=self.store, **looks)
        self._about_to("name_characters", plan)
        named = name_characters(plan, store=self.store)
        if not named["named"]:
            return End("NoCharacters", run_id, named["message"])
        curate_dataset(plan, store=self.store, now=NOW)
        cast = Cast.model_validate_json(self.store.get(run_file(run_id, "cast.json")))
        model = read_run(self.store, run_id).model(plan.settings.captions.model)
        for image in self._lines(run_id, "curated.jsonl", CuratedImage):
            asks = {"store": self.store, "turns": mine, "captioner": self.captioner}
            self._item(caption_images, plan, cast, image, model=model, **asks)
        self._about_to("write_dataset", plan)
        write_dataset(plan, store=self.store)
        return self._review(plan)

    def _build_cast(self, plan: RunPlan) -> dict[str, Any]:
        faces = FaceService("storycast", self.faces, self.collections, self.now)
        mine = turns_of(plan.run_id, self.store, lambda: self.now)
        return build_cast(plan, store=self.store, turns=mine, embedder=self.embedder, faces=faces)

    def _review(self, plan: RunPlan) -> End:
        """Go through the review, before whose gate ``self.reviewer`` stands."""
        prepared = prepare_review(plan, store=self.store, log=self.log, now=NOW)
        if plan.settings.review.mode == "page":
            open_review(
                plan,
                task_token=f"token-of-{plan.run_id}",
                deadline=datetime.fromisoformat(prepared["deadline"]),
                store=self.store,
                log=self.log,
                callbacks=self.callbacks,
                notifier=self.notifier,
                now=NOW,
            )
            self.reviewer(self.desk(plan.run_id))
            if not self.callbacks.told:
                return End("OpenReview", plan.run_id)
        applied = apply_review(plan, store=self.store, log=self.log, notifier=self.notifier, now=NOW)
        if applied["status"] == "nothing":
            return End("NothingApproved", plan.run_id, applied["message"])
        return End("DatasetReady", plan.run_id, applied["message"])

    def desk(self, run_id: str) -> ReviewDesk:
        """Return a desk of the run's review."""
        return ReviewDesk(
            read_review(self.store, run_id),
            log=self.log,
            callbacks=self.callbacks,
            store=self.store,
            clock=lambda: NOW,
        )

    def ledger(self, run_id: str) -> list[Entry]:
        return self._lines(run_id, "ledger.jsonl", Entry)

    def record(self, run_id: str) -> Run:
        return read_run(self.store, run_id)

    @property
    def paid(self) -> tuple[int, int, int]:
        """Answers of the detector, the embedder and the captioner so far: what AWS would bill."""
        return self.detector.answered, self.embedder.answered, self.captioner.answered

    def _lines(self, run_id: str, name: str, kind: Any) -> list[Any]:
        return from_json_lines(self.store.get(run_file(run_id, name)), kind)

    def _about_to(self, stage: str, plan: RunPlan) -> None:
        if stage in self.before:
            self.before[stage](plan)

    def _item(self, work: Callable[..., dict[str, Any]], *arguments: Any, **ports: Any) -> dict[str, Any] | None:
        """A child of a Distributed Map: when it fails, the map goes on without it."""
        try:
            return _retried(work, *arguments, **ports)
        except StorycastError:
            return None


def keep_the_rest(desk: ReviewDesk, who: str = "Ada") -> None:
    """Keep every picture that nobody has decided on, and finish."""
    state = desk.state()
    if state.closed_by:
        return
    changes = [
        Change(subject=subject, field="verdict", before="open", after="kept")
        for (subject, name), value in state.values.items()
        if name == "verdict" and value.text == "open"
    ]
    for number, part in enumerate(batched(changes, MAX_CHANGES, strict=False)):
        desk.decide(Proposal(f"keep-{state.seq}-{number:03d}", who, "keep", "page", part))
    desk.finish(who, f"finish-{state.seq}")


def _retried(work: Callable[..., dict[str, Any]], *arguments: Any, **ports: Any) -> dict[str, Any]:
    for _ in range(ATTEMPTS - 1):
        try:
            return work(*arguments, **ports)
        except RetryableError:
            continue
    return work(*arguments, **ports)


def scene(
    number: int, *, ground: int, shapes: Mapping[tuple[int, int, int], int], size: tuple[int, int] = (240, 320)
) -> Picture:
    """Return a picture of coloured squares, each with a darker stripe, on a grey, textured ground.

    Args:
        number: The frame; the squares move right by two pixels a frame, and the stripe down by one.
        ground: The ground's mean grey.
        shapes: Per colour its left edge in frame 0.
        size: Height and width.
    """
    height, width = size
    rows, columns = np.mgrid[0:height, 0:width]
    grey = ((rows // 10 + columns // 10) % 2) * 30 + ground - 15
    picture = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    for colour, left in shapes.items():
        start = left + 2 * number
        picture[80:160, start : start + 70] = colour
        stripe = 80 + number % 60
        picture[stripe : stripe + 20, start : start + 70] = [channel * 7 // 10 for channel in colour]
    return picture
