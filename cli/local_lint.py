"""The caption lint of a dataset on this machine."""

import shlex
from pathlib import Path

from pydantic import BaseModel, ValidationError

from cli.local_dataset import LocalDataset
from storycast import keys
from storycast.approval import FinalNames
from storycast.caption_lint.findings import Lint
from storycast.caption_lint.of_dataset import Knowledge, check_manifest
from storycast.manifest import ManifestRecord
from storycast.review import Review
from storycast.settings import Settings


def check_local_captions(dataset: LocalDataset, settings: Settings, asked: str) -> list[str]:
    """Lint a dataset before it is trained on, as the workflow does.

    Args:
        dataset: The dataset.
        settings: The session's.
        asked: What the user named: a run's id or a folder.

    Returns:
        In words what is trained on although the lint speaks against it, and what could not be looked at.

    Raises:
        CaptionLintError: The captions would spoil the training.
    """
    folder = dataset.folder
    review = _read(folder / keys.REVIEW, Review)
    names = _read(folder / keys.FINAL_NAMES, FinalNames)
    of_review = _read(folder / keys.LINT, Lint)
    known = Knowledge(
        images={one.path.name: one.known for one in dataset.pictures if one.known},
        makers=frozenset(one.caption_model for one in review.pictures) if review else frozenset(),
        names=names.names if names else {},
        acknowledged=of_review.acknowledged if of_review else (),
    )
    records = [ManifestRecord(image_uri=one.path.name, caption=one.caption) for one in dataset.pictures]
    return check_manifest(
        records,
        known,
        settings,
        mend=f"in the review of a new run, or in {folder / keys.APPROVED_MANIFEST}",
        command=f"storycast train {shlex.quote(asked)} --local",
        has_project=(folder / "settings.json").is_file(),
    )


def _read[R: BaseModel](file: Path, kind: type[R]) -> R | None:
    try:
        return kind.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None
