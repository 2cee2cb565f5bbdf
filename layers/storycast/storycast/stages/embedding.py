"""What is kept of a picture to be compared, made in one way wherever it is: else likenesses mean nothing."""

import numpy as np
from numpy.typing import NDArray

from storycast.embeddings import MAX_PICTURE_SIDE_PX, encode, unit
from storycast.images import MAX_PIXELS, Picture, fitted, padded_square, pixels, to_jpeg
from storycast.looks import COLOURS_SIDE_PX, colours
from storycast.ports import Embedder


def embed_picture(picture: Picture, embedder: Embedder) -> NDArray[np.float32]:
    """Embed a whole picture, of any shape and size.

    Raises:
        FrameRefusedError: The service can't use this picture.
        ValueError: What it answered has no direction.
    """
    if max(picture.size) ** 2 > MAX_PIXELS:
        # A line of 100,000 px, on a square, would take 30 GB.
        picture = fitted(picture, MAX_PICTURE_SIDE_PX)
    return unit(embedder.embed(to_jpeg(fitted(padded_square(picture), MAX_PICTURE_SIDE_PX))))


def encoded_colours(picture: Picture) -> str:
    """Return a picture's colours, see :mod:`storycast.looks`, as records keep them."""
    return encode(colours(pixels(picture, COLOURS_SIDE_PX, COLOURS_SIDE_PX)))
