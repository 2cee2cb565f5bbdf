"""A film made in the tests."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH_PX, HEIGHT_PX, RATE = 320, 240, 12
SECONDS_PER_SHOT = 2


def write_film(path: Path) -> Path:
    """Write a film of two shots: a square that wanders over one texture, then over another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(5)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE), options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.gop_size = RATE
        for shot in range(2):
            blocks = random.integers(20 + 110 * shot, 110 + 110 * shot, (HEIGHT_PX // 20, WIDTH_PX // 20, 3))
            ground = np.kron(blocks, np.ones((20, 20, 1))).astype(np.uint8)
            for number in range(SECONDS_PER_SHOT * RATE):
                picture = ground.copy()
                picture[80:160, 4 * number : 4 * number + 80] = (200, 30, 60)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path
