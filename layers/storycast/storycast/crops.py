"""Crops: square pictures round a detection, with their embeddings and measures."""

from typing import Annotated

from pydantic import Field

from storycast.boxes import Box
from storycast.cuts import Cut
from storycast.detections import LabelVote
from storycast.footage import Record
from storycast.votes import Vote


class Crop(Record):
    """One crop of a frame: its box in shares of the frame, its square in pixels, its embedding."""

    crop_id: str
    key: str
    left: float
    top: float
    width: float
    height: float
    left_px: int
    top_px: int
    side_px: Annotated[int, Field(gt=0)]
    confidence: float
    labels: tuple[LabelVote, ...]
    sharpness: float
    """Of what lies in the box, 0..100; see :func:`storycast.images.sharpness`."""
    light: float
    contrast: float
    embedding: str
    """Base64 of little-endian float32, unit length; see :mod:`storycast.embeddings`."""
    colours: str
    """Encoded likewise; see :mod:`storycast.looks`."""
    paid_by: str
    votes: tuple[Vote, ...] = ()
    """What methods that look at the crop itself, such as a face collection, were paid to say of it."""

    @property
    def box(self) -> Box:
        """The detection's box."""
        return Box(self.left, self.top, self.width, self.height)

    @property
    def cut(self) -> Cut:
        """The square that was cut out."""
        return Cut(self.left_px, self.top_px, self.side_px)


class FrameCrops(Record):
    """The crops of one frame; the result object of ``CropCharacters``.

    It is written again after each embedding, so that a retry pays for none of them twice; ``complete`` tells
    that none is missing.
    """

    frame_id: str
    fingerprint: str
    complete: bool
    crops: tuple[Crop, ...]
    refused: tuple[tuple[str, str], ...] = ()
    """Crop ids that gave no picture or embedding, each with the reason."""
