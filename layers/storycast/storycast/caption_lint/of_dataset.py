"""The lint of a dataset: which of its captions are people's, and what its characters look like by now."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from storycast.caption_lint.findings import Acknowledged, Lint, LintedCaption
from storycast.caption_lint.linting import lint, refuse_bad_captions
from storycast.dataset import DatasetImage
from storycast.manifest import ManifestRecord
from storycast.settings import Settings

BY_PROJECT = "captions.acknowledge"
"""Who it is that lets findings stay where the project's file does, or a session's request."""


class Described(Protocol):
    """A character with its description, in a project or a review."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def description(self) -> str:
        """What is said of its looks; empty where nothing is."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of a manifest besides its captions: nothing of one that somebody brings."""

    images: Mapping[str, DatasetImage] = field(default_factory=dict)
    """The run's pictures by file name."""
    makers: Collection[str] = frozenset()
    """What models are called as makers of captions; whoever else made one is a person."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What the review calls the characters that it renamed."""
    acknowledged: Sequence[Acknowledged] = ()
    """What the review lets stay."""


def check_manifest(
    records: Iterable[ManifestRecord],
    known: Knowledge,
    settings: Settings,
    *,
    mend: str,
    command: str,
    has_project: bool = True,
) -> list[str]:
    """Lint what is to be trained on, whoever wrote it and whenever.

    Args:
        records: The manifest.
        known: What is known of it.
        settings: Of the training.
        mend: As :func:`~storycast.caption_lint.linting.refuse_bad_captions` has it, and so the next two.
        command: What trains on it.
        has_project: Whether there is a project file.

    Returns:
        In words what is trained on although the lint speaks against it, since somebody has acknowledged it; and
        what could not be looked at.

    Raises:
        CaptionLintError: The captions would spoil the training.
    """
    captions = captions_of_manifest(records, known.images, known.makers)
    is_ours = all(one.in_picture is not None for one in captions)
    words = settings.captions.words if is_ours else None
    found = lint(captions, descriptions_of(settings.characters, known.names), words)
    found = found.model_copy(update={"acknowledged": tuple(known.acknowledged)})
    allowed = settings.captions.acknowledge
    refuse_bad_captions(found, captions, allowed, mend=mend, command=command, has_project=has_project)
    # Of a run's own dataset its report says so; of another manifest nothing else does.
    blind = [] if is_ours else [f"Caption lint, not looked at: {one}." for one in found.left_out]
    return [*_let_stay(found, allowed), *blind]


def _let_stay(found: Lint, allowed: Collection[str]) -> list[str]:
    who = {one.rule: one.who for one in found.acknowledged} | dict.fromkeys(allowed, BY_PROJECT)
    return [
        f"Caption lint, acknowledged by {who[one.rule]}: {one.message}"
        for one in found.findings
        if one.severity == "blocks" and one.rule in who
    ]


def captions_of(images: Sequence[DatasetImage], makers: Collection[str]) -> list[LintedCaption]:
    """Return the captions of pictures for the lint.

    Args:
        images: The pictures.
        makers: What models are called as makers of captions; whoever else made one is a person.
    """
    return [_known(one, one.caption, makers) for one in images]


def captions_of_manifest(
    records: Iterable[ManifestRecord], known: Mapping[str, DatasetImage], makers: Collection[str]
) -> list[LintedCaption]:
    """Return the captions of a manifest for the lint.

    Args:
        records: The manifest.
        known: What a run knows of pictures, by file name; of others nobody knows who is in them.
        makers: As :func:`captions_of` has it.
    """
    captions: dict[str, LintedCaption] = {}
    for number, record in enumerate(records, 1):
        image = known.get(record.image_uri.rpartition("/")[2])
        one = (
            _known(image, record.caption, makers)
            if image
            else LintedCaption(id=record.image_uri, caption=record.caption)
        )
        # A picture that stands there twice is trained on with both captions.
        key = one.id if one.id not in captions else f"{one.id}, record {number}"
        captions[key] = replace(one, id=key)
    return list(captions.values())


def descriptions_of(characters: Iterable[Described], names: Mapping[str, str]) -> dict[str, str]:
    """Return what a project says of its characters' looks.

    Args:
        characters: The project's, or a review's.
        names: What a review calls those that it renamed or merged; merged ones have the looks of each.
    """
    descriptions: dict[str, str] = {}
    for one in characters:
        name = names.get(one.name, one.name)
        descriptions[name] = "; ".join(filter(None, (descriptions.get(name, ""), one.description)))
    return descriptions


def _known(image: DatasetImage, caption: str, makers: Collection[str]) -> LintedCaption:
    return LintedCaption(
        id=image.image.crop_id,
        caption=caption,
        character=image.image.character,
        in_picture=image.image.in_picture,
        # Who changed the manifest by hand has written it, too.
        by_person=image.caption_by not in makers or caption != image.caption,
    )
