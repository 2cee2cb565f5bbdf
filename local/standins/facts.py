"""What can be measured of a picture and said in a caption, without knowing what it shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from local.standins.boxes import Box
from local.standins.colours import named_shares, to_lab
from local.standins.image_properties import picture_sharpness
from local.standins.saliency import saliency_map, salient_boxes

SIDE_PX = 96
SALIENCY_SIDE_PX = 160
_SALIENT = 0.5
_BACKGROUND = 0.2
#: A background colour is named from this share of the background on.
_COLOUR_SHARE = 0.12


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """Measured facts; the words are those that captions use."""

    #: ``close-up`` (the salient part covers 45 % of the picture or more), ``medium shot`` (20 %) or
    #: ``full figure``; one that the lower edge cuts off is a medium shot at least.
    shot: str
    #: The share of the picture that is salient, in whole per cent.
    share_percent: int
    #: ``left``, ``centre`` or ``right``: the salient part's centre, by thirds.
    position: str
    #: How many separate regions stand out, 0 or more.
    figures: int
    #: ``dim``, ``even`` or ``bright``, by the mean luma.
    light: str
    #: ``soft``, ``moderate`` or ``strong``, by the deviation of the luma.
    contrast: str
    #: ``warm``, ``neutral`` or ``cool``, by the mean of b*.
    warmth: str
    #: One or two plain colour names, the commoner first; empty if nothing but the figure is in the picture.
    background: tuple[str, ...]
    #: ``plain`` or ``busy``, by the edges outside the salient part.
    backdrop: str
    #: ``sharp`` or ``soft``, by the Laplacian.
    focus: str


def measure(rgb: NDArray[np.uint8]) -> PictureFacts:
    """Measure a picture, ``(height, width, 3)``, 8 bits RGB."""
    saliency = saliency_map(rgb, SALIENCY_SIDE_PX)
    boxes = salient_boxes(saliency)
    small = np.asarray(cv2.resize(rgb, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    reduced = cv2.resize(saliency, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    front, back = reduced >= _SALIENT, reduced < _BACKGROUND
    share = float(front.mean())
    across = float(np.nonzero(front)[1].mean() / SIDE_PX) if front.any() else 0.5
    luma = small @ np.array([0.299, 0.587, 0.114])
    colours = [name for name, part in named_shares(small[back]) if part >= _COLOUR_SHARE][:2]
    edges = cv2.Canny(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), 60, 140)[back]
    return PictureFacts(
        shot=_shot(share, boxes),
        share_percent=round(share * 100),
        position=_step(across, (0.4, "left"), (0.6, "centre"), last="right"),
        figures=len(boxes),
        light=_step(float(luma.mean()), (80, "dim"), (150, "even"), last="bright"),
        contrast=_step(float(luma.std()), (28, "soft"), (55, "moderate"), last="strong"),
        warmth=_step(float(to_lab(small)[..., 2].mean()), (-2, "cool"), (10, "neutral"), last="warm"),
        background=tuple(colours),
        backdrop="busy" if len(edges) and float((edges > 0).mean()) > 0.10 else "plain",
        focus="sharp" if picture_sharpness(rgb) >= 45 else "soft",
    )


def _shot(share: float, boxes: list[Box]) -> str:
    largest = max(boxes, key=lambda box: box.area, default=None)
    cut_off = largest is not None and largest.bottom > 0.99 and largest.bottom - largest.top > 0.5
    whole = "medium shot" if cut_off else "full figure"
    return _step(share, (0.20, whole), (0.45, "medium shot"), last="close-up")


def _step(value: float, *steps: tuple[float, str], last: str) -> str:
    """The word of the first step that the value lies below."""
    return next((word for limit, word in steps if value < limit), last)
