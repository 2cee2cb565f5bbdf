"""The plan of a run: its settings as they were when it began, and the fingerprints that its results carry."""

from collections.abc import Sequence

from storycast import keys
from storycast.errors import RequestInvalidError
from storycast.fingerprint import fingerprint
from storycast.footage import FootageSource, Record
from storycast.ports import ObjectStore
from storycast.settings import Settings

FRAMES_VERSION = 6
"""Raised when sampling chooses other frames for the same settings; likewise the others."""
LABELS_VERSION = FACES_VERSION = CUSTOM_LABELS_VERSION = 1
DETECTIONS_VERSION = 3
CROPS_VERSION = 3


class FootagePlan(Record):
    """The fingerprints of one footage's results."""

    source: FootageSource
    frames: str
    detections: str
    crops: str
    labels: str = ""
    """Of what is paid for labels in a frame; empty where no method needs them. Likewise the next two."""
    faces: str = ""
    custom_labels: str = ""


class RunPlan(Record):
    """What every function of a run must know; ``settings.json``."""

    run_id: str
    project: str
    settings: Settings
    footage: tuple[FootagePlan, ...]
    caption_prompt: str | None = None
    """The text of ``captions.prompt`` as it was when the run began; None where the default holds."""

    def of(self, footage_id: str) -> FootagePlan:
        """Return the plan of one footage.

        Raises:
            RequestInvalidError: The run has no such footage.
        """
        for footage in self.footage:
            if footage.source.footage_id == footage_id:
                return footage
        raise RequestInvalidError(f"The run {self.run_id} has no footage {footage_id}.")

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels to look for: those of the characters where each has some, else none, which means all."""
        characters = self.settings.characters
        labels_name = "labels" in self.settings.detection.methods
        if not labels_name or not characters or not all(character.labels for character in characters):
            return ()
        return tuple(sorted({label for character in characters for label in character.labels}))


def make_plan(
    run_id: str,
    project: str,
    settings: Settings,
    sources: Sequence[FootageSource],
    caption_prompt: str | None = None,
) -> RunPlan:
    """Return the plan of a run; the same settings and contents give the same fingerprints."""
    bare = RunPlan(run_id=run_id, project=project, settings=settings, footage=(), caption_prompt=caption_prompt)
    footage = []
    for source in sources:
        frames = fingerprint(
            version=FRAMES_VERSION, footage=source.footage_id, sampling=settings.sampling.model_dump()
        )
        paid = _paid(frames, settings, bare.labels)
        detections = fingerprint(version=DETECTIONS_VERSION, frames=frames, **paid)
        crops = fingerprint(
            version=CROPS_VERSION,
            detections=detections,
            crop=settings.crop.model_dump(),
            embedding=settings.duplicates.embedding,
        )
        footage.append(FootagePlan(source=source, frames=frames, detections=detections, crops=crops, **paid))
    return bare.model_copy(update={"footage": tuple(footage)})


def _paid(frames: str, settings: Settings, labels: Sequence[str]) -> dict[str, str]:
    """Return a fingerprint for each kind of call that the methods need, by its name in :class:`FootagePlan`."""
    detection, methods, paid = settings.detection, set(settings.detection.methods), {}
    if methods & {"labels", "references"}:
        paid["labels"] = fingerprint(
            version=LABELS_VERSION,
            frames=frames,
            min_confidence=detection.min_confidence,
            labels=list(labels),
        )
    if "faces" in methods:
        paid["faces"] = fingerprint(version=FACES_VERSION, frames=frames)
    if "custom_labels" in methods:
        paid["custom_labels"] = fingerprint(
            version=CUSTOM_LABELS_VERSION,
            frames=frames,
            model=detection.custom_labels_model,
            min_confidence=detection.thresholds.custom_labels,
        )
    return paid


def write_plan(store: ObjectStore, plan: RunPlan) -> None:
    """Write a run's plan."""
    content = plan.model_dump_json(indent=1).encode() + b"\n"
    store.put(keys.run_file(plan.run_id, "settings.json"), content, "application/json")


def read_plan(store: ObjectStore, run_id: str) -> RunPlan:
    """Read a run's plan.

    Raises:
        RequestInvalidError: There is no such run.
    """
    try:
        return RunPlan.model_validate_json(store.get(keys.run_file(run_id, "settings.json")))
    except KeyError:
        raise RequestInvalidError(f"There is no run '{run_id}'.") from None
