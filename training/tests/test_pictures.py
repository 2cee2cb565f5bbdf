"""Buckets: every picture is in one, and what becomes of it there is known."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trainer.errors import PicturesUnreadableError
from trainer.job import Picture
from trainer.pictures import MUCH_CROPPED, Size, buckets, check, fit, pixels, say_fits

RESOLUTIONS = st.sampled_from([64, 128, 512, 768, 1024, 1536])


def picture(file: str) -> Picture:
    return Picture(file=file, caption="", characters=(), shot=None, held_out=False)


def write(folder: Path, file: str, size: tuple[int, int], **options: Any) -> None:
    Image.effect_noise(size, 60).convert("RGB").save(folder / file, **options)


@given(resolution=RESOLUTIONS)
def test_buckets_are_of_about_one_area(resolution: int) -> None:
    grid_px = 64 if resolution >= 512 else 32
    assert Size(resolution, resolution) in buckets(resolution)
    for size in buckets(resolution):
        assert size.width % grid_px == size.height % grid_px == 0
        assert 0.6 * resolution**2 < size.width * size.height <= resolution**2
        assert 1 / 4 <= size.width / size.height <= 4
        assert Size(size.height, size.width) in buckets(resolution)


def test_buckets_at_1024_are_those_of_sdxls_paper() -> None:
    sizes = {(size.width, size.height) for size in buckets(1024)}
    # Podell et al. 2023 (arXiv:2307.01952), appendix I: some of each kind.
    assert {
        (512, 2048),
        (512, 1856),
        (576, 1792),
        (832, 1216),
        (896, 1152),
        (1024, 1024),
        (1536, 640),
        (2048, 512),
    } <= sizes
    assert all(size.width * size.height >= 0.9 * 1024**2 for size in buckets(1024))


@given(width=st.integers(1, 5000), height=st.integers(1, 5000), resolution=RESOLUTIONS)
def test_every_picture_covers_a_bucket(width: int, height: int, resolution: int) -> None:
    found = fit(Size(width, height), resolution)
    assert found.bucket in buckets(resolution)
    assert 0 <= found.left <= found.left + found.bucket.width <= found.scaled.width
    assert 0 <= found.top <= found.top + found.bucket.height <= found.scaled.height
    # It touches the bucket on one side at least: no more is lost than has to be.
    assert found.scaled.width == found.bucket.width or found.scaled.height == found.bucket.height


@given(ratio=st.floats(1 / 4, 4), side=st.integers(300, 4000))
def test_little_is_lost_of_what_a_dataset_holds(ratio: float, side: int) -> None:
    assert fit(Size(max(1, round(side * ratio)), side), 1024).lost_share < MUCH_CROPPED


@pytest.mark.parametrize(
    ("size", "bucket"),
    [
        ((512, 2048), (512, 2048)),
        ((4096, 1024), (2048, 512)),
        ((1024, 1024), (1024, 1024)),
        ((300, 300), (1024, 1024)),
        ((1920, 1080), (1344, 768)),
    ],
)
def test_a_picture_goes_where_its_shape_is(size: tuple[int, int], bucket: tuple[int, int]) -> None:
    assert fit(Size(*size), 1024).bucket == Size(*bucket)


def test_conditions_are_the_real_sizes(tmp_path: Path) -> None:
    write(tmp_path, "wide.png", (1000, 500))
    (item,) = check(tmp_path, [picture("wide.png")], 512)
    assert item.fit.bucket == Size(704, 320)
    assert item.fit.scaled == Size(704, 352)
    assert item.fit.sizes == (500, 1000, 16, 0, 320, 704)
    assert pixels(tmp_path, item).shape == (3, 320, 704)


def test_a_picture_is_turned_upright(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    picture_file = Image.new("RGB", (400, 200), "black")
    picture_file.paste("white", (0, 0, 200, 200))
    picture_file.save(tmp_path / "turned.jpg", exif=turned)
    (item,) = check(tmp_path, [picture("turned.jpg")], 512)
    assert item.fit.original == Size(200, 400)
    seen = pixels(tmp_path, item)
    assert seen[:, :200].mean() > 0.95
    assert seen[:, -200:].mean() < -0.95


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    (item,) = check(tmp_path, [picture("clear.png")], 64)
    assert torch.all(pixels(tmp_path, item) == 1)


def test_all_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path, "good.png", (64, 64))
    write(tmp_path, "short.jpg", (640, 640))
    (tmp_path / "short.jpg").write_bytes((tmp_path / "short.jpg").read_bytes()[:5000])
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(PicturesUnreadableError) as caught:
        check(tmp_path, [picture(file) for file in ("good.png", "short.jpg", "text.png", "gone.png")], 64)
    for file in ("short.jpg", "text.png", "gone.png (missing)", "3 of 4"):
        assert file in str(caught.value)
    assert "good.png" not in str(caught.value)


def test_what_fitting_does_is_told(tmp_path: Path) -> None:
    write(tmp_path, "small.png", (100, 100))
    write(tmp_path, "strip.png", (3000, 100))
    write(tmp_path, "good.png", (1024, 1024))
    items = check(tmp_path, [picture(file) for file in ("small.png", "strip.png", "good.png")], 1024)
    enlarged, cropped = say_fits(items, 1024)
    assert enlarged.startswith("2 of 3")
    assert "small.png" in enlarged
    assert cropped.startswith("1 of 3")
    assert "strip.png (3000x100 px)" in cropped
    assert say_fits(items[2:], 1024) == []
