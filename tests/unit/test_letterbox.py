"""Letterbox bars: found where every frame has them, in no other film, and on no kept picture."""

import io
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from storycast.video import NO_BARS, Bars, Sample, find_bars, sample
from storycast.video.intervals import Pick
from tests.fakes.film import Picture, film, turned

WIDTH, HEIGHT = 320, 240


@dataclass(frozen=True)
class Plan:
    start_ms: int
    end_ms: int
    interval_ms: float = 1000.0
    pick: Pick = "sharpest"


def scene(number: int, *, top: int = 0, bottom: int = 0, left: int = 0, right: int = 0) -> Picture:
    """Return a busy picture within black bars."""
    rng = np.random.default_rng(number)
    blocks = rng.integers(30, 230, (HEIGHT // 20, WIDTH // 20, 3), dtype=np.uint8)
    picture = np.repeat(np.repeat(blocks, 20, axis=0), 20, axis=1)
    picture[:top] = 0
    picture[HEIGHT - bottom :] = 0
    picture[:, :left] = 0
    picture[:, WIDTH - right :] = 0
    return picture


def bars_of(pictures: list[Picture]) -> Bars:
    content = film(pictures, keyframe_every=4)
    return find_bars(io.BytesIO(content), "film.mp4", round(len(pictures) * 1000 / 12))


def test_bars_that_all_frames_have_are_found() -> None:
    assert bars_of([scene(number, top=30, bottom=30) for number in range(48)]) == Bars(30, 30, 0, 0)
    assert bars_of([scene(number, left=40, right=40) for number in range(48)]) == Bars(0, 0, 40, 40)


def test_a_film_that_fills_its_frame_has_none() -> None:
    assert bars_of([scene(number) for number in range(48)]) == NO_BARS


def test_a_shot_that_fills_the_frame_takes_the_bars_of_all_others_back() -> None:
    pictures = [scene(number, top=30, bottom=30) for number in range(48)]
    pictures[12:24] = [scene(number) for number in range(12)]
    assert bars_of(pictures) == NO_BARS


def test_dark_frames_say_nothing_of_bars() -> None:
    pictures = [scene(number, top=30, bottom=30) for number in range(48)]
    black = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 48
    assert bars_of(pictures + black) == Bars(30, 30, 0, 0)
    assert bars_of(black) == NO_BARS


def test_a_dark_sky_is_no_bar() -> None:
    assert bars_of([scene(number, top=60) for number in range(48)]) == NO_BARS
    assert bars_of([scene(number, top=60, bottom=20) for number in range(48)]) == NO_BARS


@pytest.mark.parametrize(("degrees", "size"), [(0, (320, 180)), (90, (180, 320)), (180, (320, 180))])
def test_kept_frames_have_no_bars_however_they_are_turned(degrees: int, size: tuple[int, int]) -> None:
    content = film([scene(number, top=20, bottom=40) for number in range(12)])
    content = turned(content, degrees) if degrees else content
    bars = Bars(top_px=20, bottom_px=40)
    frame = next(sample(io.BytesIO(content), "film.mp4", Plan(0, 1000), Sample(), bars=bars))
    assert (frame.width_px, frame.height_px) == size
    assert frame.jpeg is not None
    grey = np.asarray(Image.open(io.BytesIO(frame.jpeg)).convert("L"))
    assert (grey.shape[1], grey.shape[0]) == size
    assert grey.min() > 5
    assert min(edge.mean() for edge in (grey[0], grey[-1], grey[:, 0], grey[:, -1])) > 60


def test_bars_say_what_is_done_with_them() -> None:
    assert Bars(90, 90).words == (
        "black bars throughout (90 px at the top, 90 px at the bottom): they are cut off kept frames"
    )
