"""Timeline: the stages that a run went through, what each counted, and when it was done.

The times are the bucket's own: a stage ends by writing its files, so the time of a file is the time of the stage,
and nothing has to be noted down on the way. A stage's length includes what it waited for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from storycast.report.material import Material
from storycast.report.words import BILLED, count, duration, parsed, to_the_second


@dataclass(frozen=True, slots=True)
class StageDone:
    """A stage: empty times where it was not reached, or where nobody knows."""

    name: str
    counted: str
    ended: str = ""
    took: str = ""
    reached: bool = True


def stages_done(material: Material) -> list[StageDone]:
    """Return the stages of a run in order; those that it did not reach say so, where it was to reach them."""
    return [*_dataset_stages(material), *_training_stages(material)]


def took_in_all(material: Material, until: datetime | None) -> str:
    """Return how long a run took, empty where that is not known."""
    began = parsed(material.run.started_at)
    return duration(until - began) if began and until else ""


def _dataset_stages(material: Material) -> Iterator[StageDone]:
    before = parsed(material.run.started_at)
    if not material.run.footage:
        return
    for name, files, counted in _STAGES:
        at = _last_written(material, files)
        if not any(_is_there(material, file) for file in files):
            yield StageDone(name, "", reached=False)
            continue
        took = duration(at - before) if at and before and at >= before else ""
        yield StageDone(name, _counted(material, counted), to_the_second(at), took)
        before = max(at, before) if at and before else at or before


def _training_stages(material: Material) -> Iterator[StageDone]:
    for session in material.sessions:
        plan, model = session.plan, session.model
        rows = [row for row in material.run.billing if row.session_id == plan.session_id]
        for row in sorted(rows, key=lambda row: row.intended_at):
            kind = _KINDS.get(row.kind, row.kind)
            ended = row.ended_at or (model.ended_at if model and model.job_name == row.name else None)
            told = f"{plan.training_id}, session {plan.session_id}: "
            told += (
                f"{count(plan.record_count, 'picture')}, {count(plan.settings.training.values.step_count, 'step')}"
                if kind == "Training"
                else row.instance_type or count(max(row.model_units, 1), "model unit")
            )
            began = row.created_at or row.intended_at
            yield StageDone(kind, told, to_the_second(ended), duration(ended - began) if ended else "")
    drawn = sum(len(one.panels.picture_keys) for one in material.drawings)
    if material.drawings:
        at = _last_written(material, ("storyboard/*.png",))
        yield StageDone("Storyboard", count(drawn, "picture"), to_the_second(at))
    if "storyboard/grades.json" in material.names:
        at = material.written_at.get("storyboard/grades.json")
        graded = sum(
            grade.verdict != "not graded"
            for one in material.drawings
            for grade in one.grades.values()
            if grade.picture_key in one.panels.picture_keys
        )
        yield StageDone("Grading", f"{graded} of {count(drawn, 'picture')} graded", to_the_second(at))


_KINDS = {**BILLED, "customization_job": "Training", "training_job": "Training"}

_STAGES: tuple[tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]], ...] = (
    ("Plan", ("segments.jsonl",), (("footage", "file"), ("segments", "segment"))),
    (
        "Sample frames",
        ("frames.jsonl",),
        (("frames_sampled", "frame"), ("frames_kept", "of them kept"), ("shots", "shot")),
    ),
    ("Learn the cast", ("cast.json",), (("characters", "character"), ("references", "reference picture"))),
    ("Find and name characters", ("sightings.jsonl",), (("crops", "crop"), ("crops_named", "of them named"))),
    ("Curate", ("curation.json",), (("duplicates", "near-duplicate"), ("curated", "chosen"))),
    ("Caption", ("captions/*",), (("curated", "picture"),)),
    (
        "Write the dataset",
        ("dataset/manifest.jsonl", "dataset/contact_sheet.jpg"),
        (("dataset_images", "picture"),),
    ),
    ("Review", ("dataset/approved.jsonl",), (("", "decision"),)),
)
"""Stages of ``build_dataset``, the files with which each ends, and its counts; the run has none of decisions."""


def _counted(material: Material, counted: tuple[tuple[str, str], ...]) -> str:
    numbers = {**material.run.counts, "": sum(max(len(one.changes), 1) for one in material.decisions)}
    told = []
    for name, word in counted:
        number = numbers.get(name, 0)
        many = word if word.startswith("of ") or word == "chosen" else f"{word}s"
        told.append(count(number, word, many))
    return ", ".join(told)


def _is_there(material: Material, file: str) -> bool:
    return any(_fits(name, file) for name in material.names)


def _last_written(material: Material, files: tuple[str, ...]) -> datetime | None:
    times = [at for name, at in material.written_at.items() if any(_fits(name, file) for file in files)]
    return max(times, default=None)


def _fits(name: str, file: str) -> bool:
    folder, star, ending = file.partition("*")
    return name.startswith(folder) and name.endswith(ending) if star else name == file
