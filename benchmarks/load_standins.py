"""LOAD STAND-INS, for `benchmarks.load` alone: the stand-ins with their models taken out.

They speak the same wire protocol, check the same requests and read the same pictures. But what they answer costs
next to nothing, so that the load is on the workflow: characters are found by their colour, embeddings are a few
measures of a picture, and captions say what is drawn from a hash of it. They know the figures of
`benchmarks.load_film` and nothing else, and they say so in every answer that has room for it.
"""

from __future__ import annotations

import hashlib
import random
import sys
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.load_film import HUES
from local.standins import __main__ as standins
from local.standins import conversation, embeddings, rekognition, server
from local.standins.bedrock import Bedrock
from local.standins.boxes import Box
from local.standins.facts import PictureFacts
from local.standins.service import Call, Params

NOTE = "load stand-in: no model, made for benchmarks.load"
_HUE_REACH, _LEAST_SATURATION, _LEAST_PX = 8, 110, 60
_SHRINK = 4
_SIDE_PX, _CELLS = 32, 8


class LoadBedrock(Bedrock):
    """Says who plays the models."""

    def get_foundation_model(self, params: Params, call: Call) -> Params:
        """Tell of a model, under the load stand-in's name."""
        answer = super().get_foundation_model(params, call)
        answer["modelDetails"]["modelName"] = f"{params['modelIdentifier']}, played by a {NOTE}"
        return answer


def find_figures(rgb: NDArray[np.uint8]) -> list[Box]:
    """Find the figures of the load's film by their colours."""
    height, width = rgb.shape[:2]
    small = cv2.resize(rgb, (width // _SHRINK, height // _SHRINK), interpolation=cv2.INTER_AREA)
    hue, saturation, _ = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2HSV))
    strong, found = saturation >= _LEAST_SATURATION, []
    for wanted in HUES.values():
        distance = np.abs(hue.astype(np.int16) - wanted)
        seen = strong & (np.minimum(distance, 180 - distance) <= _HUE_REACH)
        if np.count_nonzero(seen) >= _LEAST_PX:
            rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
            left, right = columns[0] / seen.shape[1], (columns[-1] + 1) / seen.shape[1]
            top, bottom = rows[0] / seen.shape[0], (rows[-1] + 1) / seen.shape[0]
            found.append(Box(float(left), float(top), float(right), float(bottom), 0.95, "person"))
    return found


def embed_cheaply(rgb: NDArray[np.uint8], length: int) -> list[float]:
    """Return a unit vector of a picture's colours and coarse form, by a fixed random projection."""
    small = cv2.resize(rgb, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    hue, saturation, _ = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2HSV))
    weight = np.where(saturation >= _LEAST_SATURATION, 1.0, 0.05)
    colours = np.sqrt(np.bincount((hue.reshape(-1) // 6).astype(np.intp), weight.reshape(-1), 30))
    form = cv2.resize(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    form = form.astype(np.float64).reshape(-1)
    form -= form.mean()
    features = np.concatenate([_unit(colours), 0.7 * _unit(form)])
    return [float(value) for value in _unit(features @ _projection(len(features), length)).astype(np.float32)]


def facts_of(rgb: NDArray[np.uint8]) -> PictureFacts:
    """Return what a caption can say, drawn from a hash of the picture."""
    # Words are picked by it, nothing is guarded.
    choice = random.Random(hashlib.sha256(rgb.tobytes()).digest())
    colours = ("grey", "white", "brown", "green", "blue", "beige", "black")
    return PictureFacts(
        shot=choice.choice(("close-up", "medium shot", "full figure")),
        share_percent=choice.randint(5, 80),
        position=choice.choice(("left", "centre", "right")),
        figures=choice.randint(1, 3),
        light=choice.choice(("dim", "even", "bright")),
        contrast=choice.choice(("soft", "moderate", "strong")),
        warmth=choice.choice(("warm", "neutral", "cool")),
        background=tuple(choice.sample(colours, 2)),
        backdrop=choice.choice(("plain", "busy")),
        focus=choice.choice(("sharp", "soft")),
    )


@cache
def _projection(width: int, length: int) -> NDArray[np.float64]:
    directions = np.random.default_rng(width + length).standard_normal((width, length))
    return np.asarray(directions / np.sqrt(length), np.float64)


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / (float(np.linalg.norm(vector)) or 1.0)


def _take_models_out() -> None:
    replaced: list[tuple[Any, str, Any]] = [
        (rekognition, "find_objects", find_figures),
        (rekognition, "saliency_map", lambda _rgb: None),
        (rekognition, "salient_boxes", lambda _saliency: []),
        (rekognition, "parted_boxes", lambda _saliency: []),
        (rekognition, "LABEL_MODEL_VERSION", NOTE),
        (embeddings, "embed_picture", embed_cheaply),
        (conversation, "measure", facts_of),
        (conversation, "COMPOSED", NOTE),
        (server, "SERVICES", tuple(LoadBedrock if one is Bedrock else one for one in server.SERVICES)),
    ]
    for module, name, value in replaced:
        getattr(module, name)  # Whoever renames it there hears of it here.
        setattr(module, name, value)


if __name__ == "__main__":
    _take_models_out()
    sys.exit(standins.main())
