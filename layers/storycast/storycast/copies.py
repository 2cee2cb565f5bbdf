"""Copies: whether one picture is another one, or a cut from it. Needs the imaging layer (NumPy, Pillow).

An embedding tells what is in a picture, so another frame of the same scene is as like it as a copy is. Whether it
*is* that picture is told by its pixels: normalised cross-correlation over places and sizes (J. P. Lewis, "Fast
Normalized Cross-Correlation", 1995, here by FFT), which knows no light, no contrast and no model.
"""

import numpy as np
from numpy.typing import NDArray

from storycast.images import Picture, pixels

COPY_CORRELATION = 0.9
"""From which a panel is a copy; measured, see docs/grading.md."""
SIDE_PX = 96
"""Longer side at which pictures are compared: what is left is what one sees from across a room."""
SHRINK = 0.94
"""From one size to the next; half a step off costs a few hundredths of correlation."""
SIZES = 12
"""The smallest cut that is looked for has about half the other picture's side."""
SOURCE_PX = 2 * SIDE_PX


def copy_correlation(one: Picture, other: Picture) -> float:
    """Return how surely one of two pictures is the other one or a cut from it: correlation, -1..1.

    Cuts are found down to about half of the other's side; turned, mirrored or stretched copies are not.
    """
    one, other = _source(one), _source(other)
    return max(_best_place(one, other), _best_place(other, one))


def _source(picture: Picture) -> Picture:
    scale = SOURCE_PX / max(picture.size)
    return picture.resize((max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)))


def _best_place(cut: Picture, whole: Picture) -> float:
    """Return the best correlation of ``cut`` with a place of ``whole``, over :data:`SIZES` sizes of it."""
    scale = SIDE_PX / max(whole.size)
    width, height = max(round(whole.width * scale), 1), max(round(whole.height * scale), 1)
    image = pixels(whole, width, height)
    spectrum = np.fft.rfft2(image, axes=(0, 1))
    sums = _summed(image)
    squares = _summed((image**2).sum(axis=2))
    fit = min(width / cut.width, height / cut.height)
    best = -1.0
    for number in range(SIZES):
        size = fit * SHRINK**number
        cut_width, cut_height = (
            min(max(round(side * size), 1), most) for side, most in ((cut.width, width), (cut.height, height))
        )
        template = pixels(cut, cut_width, cut_height)
        template -= template.mean(axis=(0, 1))
        energy = float((template**2).sum())
        count = cut_width * cut_height
        shifted = np.conj(np.fft.rfft2(template, s=(height, width), axes=(0, 1)))
        products = np.fft.irfft2((spectrum * shifted).sum(axis=2), s=(height, width))
        products = products[: height - cut_height + 1, : width - cut_width + 1]
        means = _windows(sums, cut_width, cut_height)
        variances = _windows(squares, cut_width, cut_height) - (means**2).sum(axis=2) / count
        # A plain wall correlates with nothing; without the least values it would with everything.
        scale_of = np.sqrt(np.maximum(variances, 1e-3 * count) * max(energy, 1e-3 * count))
        best = max(best, float((products / scale_of).max()))
    return min(best, 1.0)


def _summed(plane: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the summed-area table of a plane, with a row and a column of zeros before it."""
    table = plane.astype(np.float64).cumsum(axis=0).cumsum(axis=1)
    return np.pad(table, [(1, 0), (1, 0), *[(0, 0)] * (plane.ndim - 2)])


def _windows(table: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Return the sum over each window of this size, by its upper left corner."""
    return table[height:, width:] - table[:-height, width:] - table[height:, :-width] + table[:-height, :-width]
