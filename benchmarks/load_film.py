"""Films for the load: hours of footage, cheap to make and to decode, in which eight characters come and go.

A character is a figure of one strong colour on pale ground. Its pose, size, place and pattern change with the shot
and within it, so that its pictures differ as those of a film do: neighbours nearly alike, others not.
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH_PX, HEIGHT_PX = 640, 360
RATE = 4
"""Frames a second of the film; one a second is sampled, so there are some to choose from."""
SECONDS_A_SHOT = 5.0
MOST_AT_ONCE = 3
STILL_SHARE = 0.1
"""Of the shots nothing moves in so many, as in a film's conversations."""
REFERENCES = 3
HUES = {"Bunny": 0, "Frank": 22, "Gamera": 44, "Rinky": 66, "Odo": 88, "Pim": 110, "Tula": 132, "Wren": 154}
"""Hue of each character, of OpenCV's 180."""

type Picture = NDArray[np.uint8]


def write_load_film(path: Path, seconds: int, seed: int = 1) -> None:
    """Write a film of so many seconds; the same seconds and seed give the same pictures."""
    draft = path.with_suffix(".part.mp4")
    with av.open(str(draft), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE), options={"preset": "ultrafast", "crf": "27"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        # An entry every two seconds, as films for the web have it.
        stream.gop_size = 2 * RATE
        for picture in _pictures(seconds, np.random.default_rng(seed)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    draft.rename(path)


def references() -> Iterator[tuple[str, bytes]]:
    """Yield pictures of each character alone: its name, and a JPEG."""
    rng = np.random.default_rng(0)
    for name in HUES:
        for _ in range(REFERENCES):
            picture = _ground(rng)
            _Figure(name, rng, left=0.5, size=0.8).draw(picture, 0.0)
            yield name, cv2.imencode(".jpg", picture)[1].tobytes()


def _pictures(seconds: int, rng: np.random.Generator) -> Iterator[Picture]:
    left = seconds * RATE
    while left > 0:
        count = min(left, max(2 * RATE, round(rng.exponential(SECONDS_A_SHOT) * RATE)))
        left -= count
        ground, names = _ground(rng), rng.permutation(list(HUES))[: rng.integers(1, MOST_AT_ONCE + 1)]
        places = (np.arange(len(names)) + 0.5) / len(names)
        figures = [
            _Figure(str(name), rng, left=float(place), size=float(rng.uniform(0.45, 0.9)))
            for name, place in zip(names, places, strict=True)
        ]
        moves = rng.random() >= STILL_SHARE
        for step in range(count):
            picture = ground.copy()
            for figure in figures:
                figure.draw(picture, step / RATE if moves else 0.0)
            yield picture


def _ground(rng: np.random.Generator) -> Picture:
    """Draw a pale scene: some grey shapes before a ramp."""
    ramp = np.linspace(rng.uniform(90, 140), rng.uniform(150, 225), HEIGHT_PX)[:, None, None]
    picture = np.clip(ramp + rng.normal(0, 4, (HEIGHT_PX, WIDTH_PX, 1)), 0, 255).astype(np.uint8)
    picture = np.repeat(picture, 3, axis=2)
    for _ in range(rng.integers(4, 10)):
        middle = (int(rng.integers(0, WIDTH_PX)), int(rng.integers(0, HEIGHT_PX)))
        size = (int(rng.integers(20, 140)), int(rng.integers(20, 90)))
        grey = int(rng.integers(70, 230))
        cv2.ellipse(picture, middle, size, float(rng.uniform(0, 180)), 0, 360, (grey,) * 3, -1, cv2.LINE_AA)
    return picture


class _Figure:
    """A character in one shot."""

    def __init__(self, name: str, rng: np.random.Generator, *, left: float, size: float) -> None:
        hue = HUES[name]
        self._strong = _bgr(hue, 235, int(rng.integers(150, 240)))
        self._pale = _bgr(hue, 190, 250)
        self._left, self._size = left, size
        self._stripes = int(rng.integers(1, 7))
        self._speed, self._phase = float(rng.uniform(0.2, 1.6)), float(rng.uniform(0, 6))
        self._drift = float(rng.normal(0, 0.02))

    def draw(self, picture: Picture, time_s: float) -> None:
        """Draw it as it stands after so many seconds of the shot."""
        turn = self._phase + self._speed * time_s
        height = self._size * HEIGHT_PX
        x = round((self._left + self._drift * math.sin(time_s)) * WIDTH_PX + 12 * math.sin(turn))
        y = round(HEIGHT_PX * 0.52 + 8 * math.cos(2 * turn))
        body = (round(height * 0.17), round(height * 0.27))
        for side in (-1, 1):
            hand = (
                x + side * round(height * (0.2 + 0.08 * math.sin(turn))),
                y + round(60 * math.cos(turn + side)),
            )
            foot = (x + side * round(height * 0.12), min(HEIGHT_PX - 2, y + round(height * 0.46)))
            cv2.line(picture, (x, y), hand, self._strong, max(4, round(height * 0.05)), cv2.LINE_AA)
            cv2.line(picture, (x, y), foot, self._strong, max(4, round(height * 0.06)), cv2.LINE_AA)
        cv2.ellipse(picture, (x, y), body, 10 * math.sin(turn), 0, 360, self._strong, -1, cv2.LINE_AA)
        for stripe in range(self._stripes):
            row = y - body[1] // 2 + body[1] * stripe // self._stripes
            cv2.line(picture, (x - body[0] // 2, row), (x + body[0] // 2, row), self._pale, 4, cv2.LINE_AA)
        head = (x + round(8 * math.sin(turn * 2)), y - round(height * 0.36))
        cv2.circle(picture, head, round(height * 0.13), self._strong, -1, cv2.LINE_AA)
        for side in (-1, 1):
            eye = (head[0] + side * round(height * 0.05), head[1])
            cv2.circle(picture, eye, max(2, round(height * 0.025)), (250, 250, 250), -1, cv2.LINE_AA)


def _bgr(hue: int, saturation: int, value: int) -> tuple[int, int, int]:
    colour = np.array([[[hue, saturation, value]]], np.uint8)
    blue, green, red = cv2.cvtColor(colour, cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red
