"""ONNX sessions of the vendored models, opened once and shared by all requests."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

MODELS_DIR = Path(__file__).resolve().parent.parent / "models"

type Floats = NDArray[np.float32]

_CPU_COUNT = os.cpu_count() or 1
#: At most one inference per core at a time; further requests wait here, not on the event loop.
_SLOTS = threading.BoundedSemaphore(_CPU_COUNT)


class Network:
    """One vendored ONNX file, opened on its first use and safe under concurrent calls."""

    def __init__(self, file_name: str, outputs: tuple[str, ...]) -> None:
        """Name a file of ``local/models/`` and the outputs that ``run`` gives back, in that order."""
        self._path = MODELS_DIR / file_name
        self._outputs = list(outputs)
        self._session: onnxruntime.InferenceSession | None = None
        self._opening = threading.Lock()

    def run(self, tensor: Floats) -> list[Floats]:
        """Run the network on one input.

        Args:
            tensor: The float32 input, shaped ``(1, 3, height, width)``, already normalised.

        Returns:
            The outputs named at construction, in that order, as float32 arrays.
        """
        session = self._open()
        with _SLOTS:
            answers = session.run(self._outputs, {session.get_inputs()[0].name: tensor})
        return [np.asarray(answer, dtype=np.float32) for answer in answers]

    def _open(self) -> onnxruntime.InferenceSession:
        with self._opening:
            if self._session is None:
                options = onnxruntime.SessionOptions()
                # Requests, not layers, share the cores: a thread that spins for a second one starves the
                # functions beside it. Measured on two busy cores: half the time per picture.
                options.intra_op_num_threads = 1
                options.inter_op_num_threads = 1
                options.add_session_config_entry("session.intra_op.allow_spinning", "0")
                self._session = onnxruntime.InferenceSession(
                    self._path, sess_options=options, providers=["CPUExecutionProvider"]
                )
            return self._session


def normalised(pixels: NDArray[np.uint8], mean: tuple[float, ...], deviation: tuple[float, ...]) -> Floats:
    """Turn an 8-bit picture ``(height, width, 3)`` into the float32 tensor ``(1, 3, height, width)``.

    Args:
        pixels: The picture, in the channel order that the network was trained on.
        mean: What is taken from each channel, in the units of ``pixels`` (0..255).
        deviation: What each channel is then divided by, in the same units.
    """
    scaled = (pixels.astype(np.float32) - _channels(mean)) / _channels(deviation)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[np.newaxis])


def _channels(values: tuple[float, ...]) -> Floats:
    return np.array(values, dtype=np.float32)
