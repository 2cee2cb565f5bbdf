"""The caption lint within the workflow: over what is proposed, what is approved, and what is to be trained on."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from storycast import keys
from storycast.approval import FinalNames
from storycast.caption_lint.findings import Acknowledged, Lint
from storycast.caption_lint.linting import lint
from storycast.caption_lint.of_dataset import BY_PROJECT, Knowledge, captions_of, check_manifest, descriptions_of
from storycast.dataset import DatasetImage
from storycast.manifest import ManifestRecord
from storycast.plan import RunPlan
from storycast.ports import ObjectStore
from storycast.review import Review
from storycast.runs import Run, change_run
from storycast.settings import Settings
from storycast.stages.reading import read_record, write_record
from storycast.stages.training_dataset import approved_pictures

IN_REVIEW = "in the review of a new run, which pays for nothing twice"
"""Where captions of a run are mended."""


def lint_dataset(
    plan: RunPlan,
    images: Sequence[DatasetImage],
    *,
    makers: Collection[str],
    store: ObjectStore,
    names: Mapping[str, str] | None = None,
    acknowledged: Sequence[Acknowledged] = (),
) -> Lint:
    """Lint the captions of a run's dataset, write ``dataset/lint.json``, and count in the run's record.

    Args:
        plan: The run's plan.
        images: The dataset.
        makers: What the run's models are called as makers of captions.
        store: The bucket.
        names: What the review calls the characters that it renamed.
        acknowledged: What the review lets stay.
    """
    settings = plan.settings
    found = lint(
        captions_of(images, makers), descriptions_of(settings.characters, names or {}), settings.captions.words
    )
    by_project = [Acknowledged(rule=rule, who=BY_PROJECT) for rule in settings.captions.acknowledge]
    found = found.model_copy(update={"acknowledged": (*acknowledged, *by_project)})
    write_record(store, keys.run_file(plan.run_id, keys.LINT), found)
    change_run(store, plan.run_id, partial(_counted, found=found))
    return found


def check_captions(
    settings: Settings,
    run_id: str,
    manifest_key: str | None,
    records: Sequence[ManifestRecord],
    store: ObjectStore,
) -> list[str]:
    """Lint what is to be trained on, whoever wrote it and whenever.

    Args:
        settings: The session's.
        run_id: The run.
        manifest_key: The manifest, where it is not the run's approved one.
        records: What it holds.
        store: The bucket.

    Returns:
        In words what is trained on although the lint speaks against it, since somebody has acknowledged it.

    Raises:
        CaptionLintError: The captions would spoil the training.
    """
    final = read_record(store, keys.run_file(run_id, keys.FINAL_NAMES), FinalNames) or FinalNames()
    of_review = read_record(store, keys.run_file(run_id, keys.LINT), Lint) if manifest_key is None else None
    known = Knowledge(
        images={one.file_name: one for one in approved_pictures(store, run_id)},
        makers=_makers(store, run_id),
        names=final.names,
        acknowledged=of_review.acknowledged if of_review else (),
    )
    if manifest_key is None:
        return check_manifest(records, known, settings, mend=IN_REVIEW, command=f"storycast train {run_id}")
    command = f"storycast train {run_id} --manifest {manifest_key}"
    return check_manifest(records, known, settings, mend=f"in {manifest_key}", command=command, has_project=False)


def _makers(store: ObjectStore, run_id: str) -> frozenset[str]:
    """Return what the models of a run are called as makers of captions; nothing where no review can be read."""
    review = read_record(store, keys.review(run_id), Review)
    return frozenset(one.caption_model for one in review.pictures) if review else frozenset()


def _counted(run: Run, *, found: Lint) -> Run:
    return run.with_counts(caption_findings=len(found.findings), caption_findings_that_block=len(found.blocking()))
