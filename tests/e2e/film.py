"""Films made in the tests: shapes that no other film has, moving over backgrounds that change with the shot."""

import math
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH_PX, HEIGHT_PX, RATE = 640, 360, 12

Picture = NDArray[np.uint8]


def write_film(
    path: Path,
    *,
    shots: int = 6,
    seconds_per_shot: float = 2.0,
    seed: int = 1,
    sound: bool = False,
    grain: int = 0,
) -> Path:
    """Write a film whose shots show one of two figures, in turn: a red star with eyes and a blue barrel.

    ``grain``, 0..255, is how far each value is off at random, in each frame anew: it makes the file large.
    """
    noise = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE), options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.gop_size = RATE
        speech = container.add_stream("aac", rate=8000) if sound else None
        for shot in range(shots):
            background = _background(noise, shot)
            for number in range(int(seconds_per_shot * RATE)):
                picture = background.copy()
                _figure(picture, shot % 2, number / (seconds_per_shot * RATE), shot)
                if grain:
                    off = noise.integers(-grain, grain + 1, picture.shape)
                    picture = np.clip(picture + off, 0, 255).astype(np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
        if speech is not None:
            _write_silence(container, speech, shots * seconds_per_shot)
    return path


def write_sound_only(path: Path) -> Path:
    """Write a file that has sound and no picture."""
    with av.open(str(path), "w") as container:
        _write_silence(container, container.add_stream("aac", rate=8000), 2.0)
    return path


def write_empty_scenes(path: Path, seconds: float = 4.0) -> Path:
    """Write a film in which there is nobody: a slow gradient."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE), options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for number in range(int(seconds * RATE)):
            ramp = np.linspace(20 + number % 5, 220, WIDTH_PX, dtype=np.float32)
            picture = np.repeat(np.tile(ramp, (HEIGHT_PX, 1))[:, :, None], 3, axis=2).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path


def _background(noise: np.random.Generator, shot: int) -> Picture:
    ground = np.array([(90, 140, 60), (150, 170, 190), (60, 110, 150), (190, 160, 120)][shot % 4])
    sky = np.array([(220, 180, 130), (235, 225, 215), (160, 200, 240), (120, 90, 160)][shot % 4])
    weight = np.linspace(0, 1, HEIGHT_PX)[:, None, None]
    picture = (1 - weight) * sky + weight * ground + noise.normal(0, 3, (HEIGHT_PX, WIDTH_PX, 1))
    return np.clip(picture, 0, 255).astype(np.uint8)


def _figure(picture: Picture, kind: int, progress: float, shot: int) -> None:
    x = round((150, 420, 300)[shot // 2 % 3] + 120 * (progress - 0.5))
    y = round(190 + 20 * math.sin(6 * progress + shot))
    draw_figure(picture, kind, (x, y), (70, 125, 100)[shot // 2 % 3], 2 * progress + shot)


def draw_figure(picture: Picture, kind: int, centre: tuple[int, int], size: int, turn: float) -> None:
    """Draw one of the two figures: 0 is the star, turned by so many radians, 1 the barrel."""
    x, y = centre
    if kind == 0:
        points = [
            (
                x + size * (1.0 if spike % 2 == 0 else 0.45) * math.sin(math.pi * spike / 5 + turn),
                y - size * (1.0 if spike % 2 == 0 else 0.45) * math.cos(math.pi * spike / 5 + turn),
            )
            for spike in range(10)
        ]
        cv2.fillPoly(picture, [np.array(points, np.int32)], (40, 40, 210), cv2.LINE_AA)
        for side in (-1, 1):
            cv2.circle(picture, (x + side * size // 5, y - size // 8), size // 8, (250, 250, 250), -1, cv2.LINE_AA)
            cv2.circle(picture, (x + side * size // 5, y - size // 8), size // 18, (20, 20, 20), -1, cv2.LINE_AA)
    else:
        cv2.ellipse(picture, (x, y), (size * 2 // 3, size), 0, 0, 360, (190, 80, 30), -1, cv2.LINE_AA)
        for stripe in (-1, 0, 1):
            cv2.line(
                picture,
                (x - size // 2, y + stripe * size // 2),
                (x + size // 2, y + stripe * size // 2),
                (60, 200, 230),
                9,
            )


def _write_silence(container: "av.container.OutputContainer", stream: "av.AudioStream", seconds: float) -> None:
    for _ in range(int(seconds * 8000 / 1024)):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
