"""DetectLabels' ImageProperties: brightness, contrast, sharpness and dominant colours, measured."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from local.standins.colours import css_name, dominant_colours, plain_name
from local.standins.inference import Floats

#: Colours are measured on a picture of this size.
SIDE_PX = 96
_SALIENT = 0.5


def image_properties(rgb: NDArray[np.uint8], saliency: Floats, colours: int) -> dict[str, Any]:
    """Measure a picture, its foreground (where the saliency is 0.5 or more) and its background.

    The numbers are 0..100 like Rekognition's, but their scales are our own: brightness is the mean luma,
    contrast twice its deviation, sharpness follows the variance of the Laplacian.

    Args:
        rgb: The picture, ``(height, width, 3)``, 8 bits.
        saliency: Its map, 0..1, of any size.
        colours: How many dominant colours to name at most.
    """
    small = np.asarray(cv2.resize(rgb, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    front = cv2.resize(saliency, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) >= _SALIENT
    sharpness = picture_sharpness(rgb)
    whole = np.ones_like(front)
    properties = _part(small, whole, sharpness, colours)
    for name, mask in (("Foreground", front), ("Background", ~front)):
        if mask.any():
            properties[name] = _part(small, mask, sharpness, colours)
    return properties


def picture_sharpness(rgb: NDArray[np.uint8]) -> float:
    """How sharp a picture is, 0..100: the variance of the Laplacian at 320 px, on a logarithmic scale."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    scale = 320 / max(grey.shape)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    variance = float(cv2.Laplacian(grey, cv2.CV_64F).var())
    return float(np.clip(100 * np.log1p(variance) / np.log1p(5000), 0, 100))


def _part(small: NDArray[np.uint8], mask: NDArray[np.bool_], sharpness: float, colours: int) -> dict[str, Any]:
    pixels = small[mask]
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    return {
        "Quality": {
            "Brightness": float(luma.mean() / 2.55),
            "Contrast": float(min(100.0, 2 * luma.std() / 2.55)),
            "Sharpness": sharpness,
        },
        "DominantColors": [
            {
                "Red": rgb[0],
                "Green": rgb[1],
                "Blue": rgb[2],
                "HexCode": "#{:02x}{:02x}{:02x}".format(*rgb),
                "CSSColor": css_name(rgb),
                "SimplifiedColor": plain_name(rgb),
                "PixelPercent": share * 100,
            }
            for rgb, share in dominant_colours(pixels, colours)
        ],
    }
