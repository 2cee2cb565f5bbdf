"""Burnt-in text: what is taken for letters, and what is not."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from storycast import burnt_in_text, keys
from storycast.boxes import Box, share_inside
from storycast.burnt_in_text import find_text
from storycast.footage import FootageSource, Segment
from storycast.frames import number_shots, read_segment_list
from storycast.stages.sample_frames import sample_frames
from storycast.video.text_ways import OPENCV_WAYS
from tests.fakes.film import film
from tests.fakes.store import MemoryStore

WIDTH_PX, HEIGHT_PX = 640, 360
Plane = NDArray[np.uint8]


def meadow(seed: int) -> Plane:
    """Return blades of grass: thin bright strokes that stand close, lean and end anywhere."""
    random = np.random.default_rng(seed)
    picture = Image.new("L", (WIDTH_PX, HEIGHT_PX), 90)
    draw = ImageDraw.Draw(picture)
    for _ in range(2500):
        x, y = int(random.integers(0, WIDTH_PX)), int(random.integers(0, HEIGHT_PX))
        lean, length = int(random.integers(-6, 7)), int(random.integers(6, 30))
        draw.line(
            (x, y, x + lean, y - length), fill=int(random.integers(60, 220)), width=int(random.integers(1, 4))
        )
    return np.asarray(picture, dtype=np.uint8)


def scene(seed: int) -> Plane:
    """Return large soft shapes with some noise of coding."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(40, 190, (6, 10), dtype=np.uint8))
    plane = np.asarray(small.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BICUBIC), dtype=np.float32)
    return np.clip(plane + random.normal(0, 3, plane.shape), 0, 255).astype(np.uint8)


def with_text(
    plane: Plane, text: str, *, top: int, size: int, fill: int = 235, outline: int = 0
) -> tuple[Plane, Box]:
    """Return a plane with a line of text in its middle, and where that is."""
    picture = Image.fromarray(plane)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    at = (WIDTH_PX - draw.textlength(text, font)) / 2, top
    draw.text(at, text, fill=fill, font=font, stroke_width=outline, stroke_fill=10)
    left, upper, right, lower = draw.textbbox(at, text, font=font)
    box = Box(left / WIDTH_PX, upper / HEIGHT_PX, (right - left) / WIDTH_PX, (lower - upper) / HEIGHT_PX)
    return np.asarray(picture, dtype=np.uint8), box


def found_share(texts: Sequence[Box], box: Box) -> float:
    """Return the share of a box's width and height that the found rows in it span."""
    inside = [one for one in texts if share_inside(one, box) > 0.6]
    return sum(one.width for one in inside) / box.width if inside else 0.0


@pytest.mark.parametrize("size", [12, 16, 24, 40, 64])
@pytest.mark.parametrize(("fill", "outline"), [(235, 0), (235, 2), (15, 0)])
def test_a_line_of_text_is_found_where_it_is(size: int, fill: int, outline: int) -> None:
    plane = np.clip(scene(7).astype(int) + (60 if fill < 100 else -40), 0, 255).astype(np.uint8)
    words = "Nobody saw the rabbit leave" if size <= 40 else "The rabbit left"
    plane, box = with_text(plane, words, top=280, size=size, fill=fill, outline=outline)
    assert found_share(find_text(plane), box) > 0.5


@pytest.mark.parametrize("seed", range(12))
def test_grass_and_soft_shapes_hold_no_text(seed: int) -> None:
    assert find_text(meadow(seed)) == ()
    assert find_text(scene(seed)) == ()


def test_bars_of_a_fence_hold_no_text() -> None:
    plane = np.full((HEIGHT_PX, WIDTH_PX), 60, np.uint8)
    plane[100:220, ::12] = plane[100:220, 1::12] = plane[100:220, 2::12] = 200
    plane[130:136] = plane[190:196] = 200
    assert find_text(plane) == ()


def test_a_meadow_with_a_subtitle_holds_its_subtitle_alone() -> None:
    plane, box = with_text(meadow(3) // 2, "Where has everybody gone?", top=300, size=22, outline=2)
    texts = find_text(plane)
    assert found_share(texts, box) > 0.5
    assert all(one.top > 0.7 for one in texts)


def planes_of_many_kinds() -> list[Plane]:
    """Return grass, soft shapes and noise, with long and short lines of text in them."""
    random = np.random.default_rng(11)
    planes = [random.integers(0, 256, (97, 131), dtype=np.uint8)]
    for seed in range(6):
        for ground in (meadow(seed), meadow(seed) // 2, scene(seed)):
            size, top = int(random.integers(8, 60)), int(random.integers(0, 340))
            words = ("Directed by Mara Lind", "THE END", "billing")[seed % 3]
            planes.append(with_text(ground, words, top=top, size=size, outline=seed // 2)[0])
    return planes


def test_opencv_finds_the_rows_that_numpy_finds() -> None:
    found = [find_text(plane, OPENCV_WAYS) for plane in planes_of_many_kinds()]
    assert found == [find_text(plane) for plane in planes_of_many_kinds()]
    assert any(found)


def test_no_row_lies_outside_of_the_lines_that_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [find_text(plane, OPENCV_WAYS) for plane in planes_of_many_kinds()]
    monkeypatch.setattr(burnt_in_text, "_crowded", lambda begun, _strokes: [(0, len(begun))])
    assert found == [find_text(plane, OPENCV_WAYS) for plane in planes_of_many_kinds()]


@pytest.mark.parametrize("shape", [(1, 1), (23, 640), (24, 24), (360, 20), (100, 37)])
def test_planes_of_any_shape_are_looked_at(shape: tuple[int, int]) -> None:
    assert find_text(np.zeros(shape, np.uint8)) == ()
    assert find_text(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)) is not None


def test_boxes_lie_in_the_frame_and_none_holds_another() -> None:
    plane, _ = with_text(scene(1), "An opening title", top=100, size=48, outline=3)
    texts = find_text(plane)
    assert texts
    for box in texts:
        assert 0 <= box.left <= box.right <= 1
        assert 0 <= box.top <= box.bottom <= 1
        assert all(share_inside(box, other) < 0.9 for other in texts if other is not box and other.area > box.area)


def test_text_is_found_while_a_film_is_sampled_and_goes_on_with_its_frame() -> None:
    plane, box = with_text(scene(5) // 2, "Nobody saw the rabbit leave", top=300, size=22)
    titled, plain = (np.repeat(one[:, :, None], 3, axis=2) for one in (plane, scene(5) // 2))
    store = MemoryStore()
    store.put("incoming/a/film.mp4", film([titled] * 12 + [plain] * 12), "video/mp4")
    (stored,) = store.list("incoming/a/film.mp4")
    source = FootageSource(
        footage_id="abc", name="film.mp4", key=stored.key, size_bytes=stored.size_bytes, etag=stored.etag
    )
    segment = Segment(
        source=source, segment=0, start_ms=0, end_ms=2000, interval_ms=1000, pick="fixed", fingerprint="fp"
    )
    sample_frames(segment, store=store)
    _, frames = read_segment_list(store.get(keys.segment_list("abc", "fp", 0)))
    first, second = number_shots(frames, [], "abc")
    assert found_share([Box(*text) for text in first.texts], box) > 0.5
    assert second.texts == ()
