"""What an export is made from, and where everything in it goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from storycast.dataset import DatasetImage
from storycast.settings import UNKNOWN

Format = Literal["bedrock", "walkthrough", "diffusers", "kohya"]
FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True, slots=True)
class ExportPicture:
    """A picture of the dataset that is exported."""

    name: str
    """Of its file in the dataset."""
    uri: str
    """In the run's manifest."""
    caption: str
    held_out: bool
    known: DatasetImage | None
    """None of a picture that the dataset's records do not tell of."""

    @property
    def characters(self) -> tuple[str, ...]:
        """Who is in it, whom it is of first; empty where nobody knows."""
        return tuple(name for name in self.known.image.in_picture if name != UNKNOWN) if self.known else ()


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything of an export goes, by path below its folder, with slashes."""

    pictures: Mapping[str, str]
    """Names of the dataset's pictures by the path of each."""
    texts: Mapping[str, str]
    """Contents of all other files, but for the README."""
    usage: str
    """How a trainer is given the folder, in Markdown."""
    splits: Mapping[str, str]
    """For the card of an image folder: the files of each split, as a pattern; empty in other formats."""


def halves(pictures: Sequence[ExportPicture]) -> tuple[list[ExportPicture], list[ExportPicture]]:
    """Return the pictures that are trained on, and those that are held out."""
    trained_on = [one for one in pictures if not one.held_out]
    return trained_on, [one for one in pictures if one.held_out]
