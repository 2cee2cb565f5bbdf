"""The lint of a dataset: which of its captions are people's, and what its characters look like by now."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from storycast.caption_lint.findings import LintedCaption
from storycast.dataset import DatasetImage
from storycast.manifest import ManifestRecord
from storycast.settings import Character


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
    captions = {}
    for record in records:
        image = known.get(record.image_uri.rpartition("/")[2])
        one = (
            _known(image, record.caption, makers)
            if image
            else LintedCaption(id=record.image_uri, caption=record.caption)
        )
        captions[one.id] = one
    return list(captions.values())


def descriptions_of(characters: Sequence[Character], names: Mapping[str, str]) -> dict[str, str]:
    """Return what the project says of its characters' looks.

    Args:
        characters: The project's.
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
