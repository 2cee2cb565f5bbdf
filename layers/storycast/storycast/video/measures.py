"""Measures of one frame, and of one frame against another."""

import cv2
import numpy as np
from numpy.typing import NDArray

from storycast.video.planes import CELLS, Plane, Planes

LUMA_CELLS = CELLS[0] * CELLS[1]
HASH_SIDE = 8


def sharpness(planes: Planes) -> float:
    """Return how sharp the edges of a frame are: about 0.3 where all is blurred, 1 and more where nothing is.

    The ratio of gradient energy in the fine plane to that in the plane of half its size. A blurred edge loses
    most of its energy by the finer plane, a sharp one little, and what is flat counts in neither: so a drawing
    in even colours is not called blurry. Edges before and after they are blurred again, as in Zhuo and Sim,
    "Defocus map estimation from a single image" (2011), and Crete et al., "The blur effect" (2007).
    """
    coarse = _gradient_energy(planes.small)
    return 0.0 if coarse <= 0 else _gradient_energy(planes.fine) / (4 * coarse)


def _gradient_energy(plane: Plane) -> float:
    return cv2.norm(plane[:, 1:], plane[:, :-1], cv2.NORM_L2SQR) + cv2.norm(plane[1:], plane[:-1], cv2.NORM_L2SQR)


def deviation(planes: Planes, least: float) -> float:
    """Return the largest standard deviation among luma and both kinds of chroma, 0..255.

    Once it is at least ``least``, the others are not looked at.
    """
    of_luma = float(cv2.meanStdDev(planes.small)[1][0, 0])
    if of_luma >= least:
        return of_luma
    return max(of_luma, float(planes.cells[LUMA_CELLS:].reshape(2, -1).std(axis=1).max()))


def difference_hash(planes: Planes) -> str:
    """Return the 64 bits of the difference hash of luma (dHash, N. Krawetz, 2013) as 16 hexadecimal digits."""
    cells = cv2.resize(planes.small, (HASH_SIDE + 1, HASH_SIDE), interpolation=cv2.INTER_AREA)
    return np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes().hex()


def change(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    """Return how much two frames' cells differ: mean differences of luma and both kinds of chroma, added."""
    luma = cv2.norm(one[:LUMA_CELLS], other[:LUMA_CELLS], cv2.NORM_L1)
    chroma = cv2.norm(one[LUMA_CELLS:], other[LUMA_CELLS:], cv2.NORM_L1)
    return luma / LUMA_CELLS + 2 * chroma / (len(one) - LUMA_CELLS)


def largest_change(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    """Return how much the cell differs that differs most."""
    return cv2.norm(one, other, cv2.NORM_INF)


def moved_light(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    """Return how much the distributions of two frames' cells differ, wherever in the picture they lie.

    Per plane the distance by which values have to move on average (the first Wasserstein distance), added.
    """
    return change(_sorted(one), _sorted(other))


def _sorted(cells: NDArray[np.int16]) -> NDArray[np.int16]:
    half = (len(cells) + LUMA_CELLS) // 2
    return np.concatenate([np.sort(part) for part in (cells[:LUMA_CELLS], cells[LUMA_CELLS:half], cells[half:])])
