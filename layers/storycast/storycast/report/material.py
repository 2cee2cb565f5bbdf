"""The material of a report: what a run has left in the bucket, as far as it came.

A file that is missing is normal: a run may have failed at any stage. A file that can't be read is left out and
named.
"""

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np

from storycast import keys
from storycast.caption_lint.findings import Lint
from storycast.captions import Caption
from storycast.curation import CuratedImage
from storycast.dataset import DatasetImage
from storycast.decisions import Decision
from storycast.embeddings import Vectors
from storycast.footage import Probe, Record
from storycast.frames import from_json_lines
from storycast.grading import Grade, Grades
from storycast.ledger import Entry
from storycast.losses import Loss, read_losses
from storycast.plan import RunPlan
from storycast.ports import StoredObject
from storycast.report.trainer import TrainerWork, read_work
from storycast.runs import Run
from storycast.selection_summary import SelectionSummary, read_summary
from storycast.sightings import Sighting
from storycast.similarity import SimilarityHistogram, read_similarity
from storycast.storyboard import Panels
from storycast.training import TrainedModel, TrainingPlan

WORKERS = 16
"""Requests in flight."""


class Files(Protocol):
    """What a report reads: an :class:`~storycast.ports.ObjectStore`, or anything that reads like one."""

    def get(self, key: str) -> bytes:
        """Return an object's content.

        Raises:
            KeyError: There is no such object.
        """

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects below a prefix, by key."""


@dataclass(frozen=True, slots=True)
class Session:
    """One training session of the run, with the model it used, where that is still there."""

    plan: TrainingPlan
    model: TrainedModel | None
    losses: tuple[Loss, ...]
    grades: Grades | None
    work: TrainerWork | None = None
    """What a training job on SageMaker left; None of other trainings."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What came of one prompt by one model, as it lies in the run's ``storyboard/``."""

    training_id: str
    number: int
    """Place of the prompt in the storyboard, from 1."""
    panels: Panels
    grades: Mapping[str, Grade]
    """By key of the picture."""


@dataclass(frozen=True, slots=True)
class Material:
    """All that a report is made of; empty parts are those that the run did not come to."""

    run: Run
    plan: RunPlan | None
    written_at: Mapping[str, datetime]
    """When each file of the run was written, by its name within the run; times that are not known are left out."""
    names: frozenset[str]
    """Names of the run's files."""
    probes: tuple[Probe, ...]
    ledger: tuple[Entry, ...]
    sightings: tuple[Sighting, ...]
    vectors: Vectors | None
    """Row by row those of the sightings; None where they do not fit them."""
    images: tuple[CuratedImage, ...]
    captions: Mapping[str, Caption]
    decisions: tuple[Decision, ...]
    approved: tuple[DatasetImage, ...]
    """The approved pictures; none before the review's end."""
    sessions: tuple[Session, ...]
    """By the time they began."""
    drawings: tuple[Drawing, ...]
    paid_panels: tuple[Panels, ...]
    """Every answer of an image model that belongs to the run's trainings, each once, whoever paid."""
    lint: Lint | None
    """What the caption lint says of the dataset; None before it is written, and in runs of before."""
    unreadable: tuple[str, ...]
    """Names of files that are there and could not be read."""
    selection: SelectionSummary | None = None
    """How the pictures were chosen; None before they were."""
    similarity: SimilarityHistogram | None = None
    """How alike they are; None before they were chosen, and in runs of before."""


def gather(files: Files, run: Run) -> Material:
    """Read what a run has left.

    Args:
        files: The bucket.
        run: The run's record.
    """
    reader = _Reader(files)
    folder = keys.run_folder(run.run_id)
    stored = {one.key.removeprefix(folder): one for one in files.list(folder)}
    written_at = {name: one.written_at for name, one in stored.items() if one.written_at}

    def lines[R: Record](name: str, kind: type[R]) -> tuple[R, ...]:
        key = folder + name
        return (
            tuple(reader.read(key, lambda content: from_json_lines(content, kind)) or ()) if name in stored else ()
        )

    images = lines("curated.jsonl", CuratedImage)
    sightings = lines("sightings.jsonl", Sighting)
    names = [f"captions/{image.crop_id}.json" for image in images]
    captions = reader.records([folder + name for name in names if name in stored], Caption)
    probe_keys = [keys.probe(source.footage_id) for source in run.footage]
    sessions = _sessions(reader, folder, stored)
    drawings = _drawings(reader, folder, stored, sessions)
    return Material(
        run=run,
        plan=reader.record(folder + "settings.json", RunPlan),
        written_at=written_at,
        names=frozenset(stored),
        probes=tuple(probe for probe in reader.records(probe_keys, Probe) if probe),
        ledger=lines("ledger.jsonl", Entry),
        sightings=sightings,
        vectors=_vectors(reader, folder + "embeddings.npy", len(sightings)),
        images=images,
        captions={caption.crop_id: caption for caption in captions if caption},
        decisions=lines(keys.DECISIONS, Decision),
        approved=lines(keys.PICTURES, DatasetImage),
        sessions=sessions,
        drawings=drawings,
        paid_panels=_paid_panels(reader, run, sessions, drawings),
        lint=reader.record(folder + keys.LINT, Lint) if keys.LINT in stored else None,
        selection=reader.read(folder + "curation.json", read_summary) if "curation.json" in stored else None,
        similarity=reader.read(folder + "curation.json", read_similarity) if "curation.json" in stored else None,
        unreadable=tuple(reader.unreadable),
    )


class _Reader:
    """Reads what is there, and remembers what could not be read."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.unreadable: list[str] = []

    def read[T](self, key: str, parse: Callable[[bytes], T]) -> T | None:
        try:
            return parse(self.files.get(key))
        except KeyError:
            return None
        except (ValueError, EOFError):
            self.unreadable.append(key)
            return None

    def record[R: Record](self, key: str, kind: type[R]) -> R | None:
        return self.read(key, kind.model_validate_json)

    def records[R: Record](self, names: Sequence[str], kind: type[R]) -> list[R | None]:
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(lambda key: self.record(key, kind), names))


def _vectors(reader: _Reader, key: str, count: int) -> Vectors | None:
    vectors = reader.read(key, _vectors_in)
    return vectors if vectors is not None and vectors.ndim == 2 and len(vectors) == count else None


def _vectors_in(content: bytes) -> Vectors:
    """Return what is in NumPy's format as it lies there, read-only: they are in memory once."""
    file = io.BytesIO(content)
    np.lib.format.read_magic(file)
    shape, by_columns, kind = np.lib.format.read_array_header_1_0(file)
    if by_columns or kind != np.float32 or len(content) - file.tell() != kind.itemsize * math.prod(shape):
        raise ValueError("no vectors of float32, or not all of them")
    return np.ndarray(shape, np.float32, content, file.tell())


def _sessions(reader: _Reader, folder: str, stored: Mapping[str, StoredObject]) -> tuple[Session, ...]:
    sessions = []
    for name in stored:
        if not name.startswith("training/") or not name.endswith("/plan.json"):
            continue
        plan = reader.record(folder + name, TrainingPlan)
        if plan is None:
            continue
        model = reader.record(keys.trained_model(plan.project, plan.fingerprint), TrainedModel)
        losses = reader.read(model.metrics_key, read_losses) if model and model.metrics_key else None
        grades_name = f"{name.removesuffix('plan.json')}grades.json"
        grades = reader.record(folder + grades_name, Grades) if grades_name in stored else None
        work = read_work(reader, plan, model)
        sessions.append(Session(plan, model, tuple(losses or ()), grades, work))
    return tuple(sorted(sessions, key=lambda session: (session.plan.begun_at, session.plan.session_id)))


def _drawings(
    reader: _Reader, folder: str, stored: Mapping[str, StoredObject], sessions: Sequence[Session]
) -> tuple[Drawing, ...]:
    drawings = []
    for name, one in stored.items():
        stem = name.removeprefix("storyboard/")
        if stem == name or not stem.endswith(("-trained.json", "-base.json")):
            continue
        panels = reader.record(folder + name, Panels)
        training_id, _, rest = stem.partition("-")
        number = rest.partition("-")[0]
        if panels is None or not number.isdecimal():
            continue
        grades: dict[str, Grade] = {}
        for session in sessions:
            if session.grades is not None and not _is_older(stored, session, one):
                grades |= {grade.picture_key: grade for grade in session.grades.grades}
        drawings.append(Drawing(training_id, int(number), panels, grades))
    return tuple(sorted(drawings, key=lambda one: (one.training_id, one.number, one.panels.drawn_by == "base")))


def _is_older(stored: Mapping[str, StoredObject], session: Session, drawn: StoredObject) -> bool:
    """Tell whether a session graded before this was drawn: it graded other pictures of the same name."""
    plan = session.plan
    graded = stored[f"training/{plan.training_id}/{plan.session_id}/grades.json"]
    return bool(graded.written_at and drawn.written_at and graded.written_at < drawn.written_at)


def _paid_panels(
    reader: _Reader, run: Run, sessions: Sequence[Session], drawings: Sequence[Drawing]
) -> tuple[Panels, ...]:
    """Return all answers of the trainings' models; the run's own copies keep only the newest of each prompt."""
    found = {drawing.panels.fingerprint: drawing.panels for drawing in drawings}
    for mark in dict.fromkeys(session.plan.fingerprint for session in sessions):
        folder = keys.panel(run.project, mark, "").removesuffix(".json")
        names = [
            one.key for one in reader.files.list(folder) if one.key.endswith(".json") and "-look-" not in one.key
        ]
        found |= {panels.fingerprint: panels for panels in reader.records(names, Panels) if panels}
    return tuple(found[mark] for mark in sorted(found))
