"""GradeStoryboard: tell who is in each panel, and whether it repeats a training picture."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from storycast import keys
from storycast.approval import FinalNames
from storycast.cast import Cast
from storycast.copies import COPY_CORRELATION, copy_correlation
from storycast.curation import CuratedImage
from storycast.dataset import file_name
from storycast.embeddings import Vectors, decode, stack, thresholds_of
from storycast.frames import from_json_lines
from storycast.grading import (
    Copy,
    Found,
    Grade,
    Grades,
    Nearest,
    PanelLook,
    References,
    Source,
    Trained,
    Verdict,
    find_characters,
    judge,
    names_in,
    nearest_trained,
)
from storycast.images import PictureUnreadableError, open_picture
from storycast.ports import Embedder, LabelDetector, ObjectStore
from storycast.sightings import Sighting
from storycast.stages.panel_look import look_at_panel
from storycast.stages.panels import copy_to_run
from storycast.stages.reading import read_record, write_record
from storycast.stages.training_dataset import approved_pictures
from storycast.stages.vectors import read_vectors
from storycast.storyboard import Panels, paid_panels, panel_requests
from storycast.training import TrainingPlan

SHORTLIST = 12
"""Training pictures, the likest by embedding, whose pixels are compared; the rest can't be what it repeats."""
STAND_IN_REASON = "a local stand-in drew it"
WORKERS = 4
"""Panels that are looked at at once; new accounts have small quotas."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What panels are compared with."""

    names: tuple[str, ...]
    references: References
    trained: Trained
    known_cosine: float
    file_names: Mapping[str, str]
    """Of the training pictures, by crop id."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """One picture of a panel."""

    prompt: int
    number: int
    panels: Panels
    own_key: str


def grade_storyboard(
    plan: TrainingPlan, *, store: ObjectStore, detector: LabelDetector, embedder: Embedder
) -> dict[str, Any]:
    """Grade a session's panels and write ``grades.json``, once for the session and once for the run's storyboard.

    A panel is looked at once, whichever session asks; what stand-ins drew is never looked at. The run gets its
    copy of the panels here too, for a session whose panels were all paid before draws nothing.

    Returns:
        How many pictures have which verdict.

    Raises:
        ThrottledError: Try again later; so with ``DependencyUnavailableError``. What was paid until then is kept.
    """
    known = _known(plan, store, embedder.model_id)
    shown = _shown(plan, store)
    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(lambda one: _grade(plan, one, known, store, detector, embedder), shown))
    looks = [look for _, look in results if look is not None and look.paid_by == plan.session_id]
    grades = Grades(
        run_id=plan.run_id,
        training_id=plan.training_id,
        session_id=plan.session_id,
        embedding_model=embedder.model_id,
        known_cosine=known.known_cosine,
        known_cosine_measured=thresholds_of(embedder.model_id).measured,
        copy_correlation=COPY_CORRELATION,
        references={name: len(vectors) for name, vectors in known.references.vectors.items()},
        training_pictures=len(known.trained.crop_ids),
        grades=tuple(grade for grade, _ in results),
        paid_detections=sum(look.paid_detections for look in looks),
        paid_embeddings=sum(look.paid_embeddings for look in looks),
    )
    for key in (
        keys.training_file(plan.run_id, plan.training_id, plan.session_id, "grades.json"),
        keys.run_file(plan.run_id, "storyboard/grades.json"),
    ):
        write_record(store, key, grades)
    verdicts = Counter(grade.verdict for grade in grades.grades)
    return {"pictures": len(shown), "verdicts": dict(sorted(verdicts.items()))}


def _shown(plan: TrainingPlan, store: ObjectStore) -> list[_Shown]:
    shown = []
    for prompt_index in range(len(plan.settings.storyboard.prompts)):
        for order in panel_requests(plan, prompt_index):
            panels = paid_panels(store, plan, order)
            if panels is not None:
                copy = copy_to_run(store, plan, prompt_index, panels)
                shown += [
                    _Shown(prompt_index, number, panels, own_key)
                    for number, own_key in enumerate(copy.picture_keys)
                ]
    return shown


def _known(plan: TrainingPlan, store: ObjectStore, model_id: str) -> _Known:
    curated, vectors = _pictures(plan, store)
    held_out = set(plan.held_out)
    cast = read_record(store, keys.run_file(plan.run_id, "cast.json"), Cast)
    final = read_record(store, keys.run_file(plan.run_id, keys.FINAL_NAMES), FinalNames) or FinalNames()
    members = [
        member.model_copy(update={"name": final.of(member.name)})
        for member in (cast.members if cast is not None and cast.embedding_model == model_id else ())
    ]
    names = {final.of(character.name) for character in plan.settings.characters}
    names |= {member.name for member in members} | {image.character for image in curated}
    by_name: dict[str, Vectors] = {}
    sources: dict[str, Source] = {}
    for name in sorted(names):
        own = [vectors[one.crop_id] for one in curated if one.character == name and one.crop_id in held_out]
        given = [decode(one.embedding) for member in members if member.name == name for one in member.references]
        if own or given:
            by_name[name] = stack([*own, *given])
            sources[name] = _source(bool(own), bool(given))
    trained = [one.crop_id for one in curated if one.crop_id not in held_out]
    return _Known(
        names=tuple(sorted(names)),
        references=References(by_name, sources),
        trained=Trained(tuple(trained), stack([vectors[crop_id] for crop_id in trained])),
        known_cosine=thresholds_of(model_id).known,
        file_names={one.crop_id: file_name(one) for one in curated},
    )


def _source(held_out: bool, given: bool) -> Source:
    if held_out and given:
        return "held-out and reference pictures"
    return "held-out pictures" if held_out else "reference pictures"


def _pictures(plan: TrainingPlan, store: ObjectStore) -> tuple[list[CuratedImage], dict[str, Any]]:
    """Return the run's approved pictures and their embeddings by crop id; none of a bare manifest."""
    try:
        sightings = from_json_lines(store.get(keys.run_file(plan.run_id, "sightings.jsonl")), Sighting)
        rows = read_vectors(store, keys.run_file(plan.run_id, "embeddings.npy"))
    except KeyError:
        return [], {}
    vectors = {one.crop_id: row for one, row in zip(sightings, rows, strict=True)}
    images = [one.image for one in approved_pictures(store, plan.run_id)]
    return [image for image in images if image.crop_id in vectors], vectors


def _grade(
    plan: TrainingPlan,
    one: _Shown,
    known: _Known,
    store: ObjectStore,
    detector: LabelDetector,
    embedder: Embedder,
) -> tuple[Grade, PanelLook | None]:
    expected = names_in(one.panels.request.prompt, known.names)
    if one.panels.composite:
        return _graded(one, known, expected, "not graded", STAND_IN_REASON), None
    if not known.references.vectors and not known.trained.crop_ids:
        reason = "there are neither held-out nor reference pictures to compare it with"
        return _graded(one, known, expected, "not graded", reason), None
    try:
        look = look_at_panel(plan, one.panels.picture_keys[one.number], store, detector, embedder)
    except (KeyError, PictureUnreadableError) as error:
        return _graded(one, known, expected, "not graded", f"the picture is unreadable: {error}"), None
    if not look.parts:
        return _graded(one, known, expected, "not graded", f"no embedding of it: {look.refused}"), look
    found = find_characters(look.parts, known.references, known_cosine=known.known_cosine)
    nearest = nearest_trained(look.parts, known.trained, SHORTLIST)
    copy_of = _copy_of(plan, store, one.panels.picture_keys[one.number], nearest, known.file_names)
    unknown = [name for name in expected if name not in known.references.vectors]
    verdict, reason = judge(expected, found, copy_of)
    if verdict != "copy" and not expected:
        verdict, reason = "not graded", "the prompt names nobody of the cast"
    elif verdict != "copy" and unknown:
        verdict = "not graded"
        reason = f"there are neither held-out nor reference pictures of {' and '.join(unknown)}"
    return _graded(one, known, expected, verdict, reason, found, nearest[:1], copy_of), look


def _copy_of(
    plan: TrainingPlan,
    store: ObjectStore,
    picture_key: str,
    nearest: Sequence[Nearest],
    file_names: Mapping[str, str],
) -> Copy | None:
    """Return which of the likest training pictures a panel repeats; None where it repeats none of them."""
    panel = open_picture(store.get(picture_key))
    best = None
    for one in nearest:
        try:
            key = keys.run_file(plan.run_id, f"dataset/images/{file_names[one.crop_id]}")
            correlation = copy_correlation(panel, open_picture(store.get(key)))
        except (KeyError, PictureUnreadableError):
            continue  # it was left out of the dataset
        if correlation >= COPY_CORRELATION and (best is None or correlation > best.correlation):
            best = Copy(crop_id=one.crop_id, correlation=round(correlation, 4))
    return best


def _graded(
    one: _Shown,
    known: _Known,
    expected: Sequence[str],
    verdict: Verdict,
    reason: str,
    found: Sequence[Found] = (),
    nearest: Sequence[Nearest] = (),
    copy_of: Copy | None = None,
) -> Grade:
    names = {each.character for each in found}
    judged = verdict != "not graded"
    return Grade(
        picture_key=one.own_key,
        drawn_by=one.panels.drawn_by,
        prompt=one.prompt,
        expected=tuple(expected),
        found=tuple(found),
        missing=tuple(name for name in expected if judged and name not in names),
        others=tuple(sorted(names - set(expected))),
        nearest=nearest[0] if nearest else None,
        copy_of=copy_of,
        against=known.references.sources,
        verdict=verdict,
        reason=reason,
    )
