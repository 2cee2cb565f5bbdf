"""A film of photographs in the public domain: two people, one after the other and together."""

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageEnhance

FOLDER = Path(__file__).parents[1] / "pictures"
COLLINS, HOPPER = "eileen_collins", "grace_hopper"
WIDTH_PX, HEIGHT_PX, RATE = 960, 540, 12
SHOTS: tuple[tuple[str, ...], ...] = (
    (COLLINS,),
    (HOPPER,),
    (COLLINS, HOPPER),
    (HOPPER,),
    (COLLINS,),
    (HOPPER, COLLINS),
)


def write_people(
    path: Path, shots: Sequence[Sequence[str]] = SHOTS, seconds_per_shot: float = 2.0, *, tint: int = 0
) -> Path:
    """Write a film whose shots show the people named, each in a light of its own, slowly panned over.

    Films of another ``tint``, 0..100, have no frame in common.
    """
    count = int(seconds_per_shot * RATE)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE), options={"preset": "veryfast", "crf": "18"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.gop_size = RATE
        for number, names in enumerate(shots):
            for step in range(count):
                picture = _frame(names, number, step / count, tint)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def reference(name: str, number: int) -> bytes:
    """Return a photograph as a reference: head and shoulders, each in another cut and light."""
    picture = _photograph(name)
    side = round(picture.width * (0.62 + 0.08 * number))
    left = (picture.width - side) // 2 - 10 * number
    cut = picture.crop((max(left, 0), 5 * number, max(left, 0) + side, 5 * number + side))
    out = io.BytesIO()
    ImageEnhance.Brightness(cut).enhance(0.9 + 0.1 * number).save(out, "JPEG", quality=90)
    return out.getvalue()


def _photograph(name: str) -> Image.Image:
    return Image.open(FOLDER / f"{name}.jpg").convert("RGB")


def _frame(names: Sequence[str], shot: int, progress: float, tint: int) -> np.ndarray:
    frame = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), (70 + 15 * (shot % 4), 80 + tint, 95))
    width = WIDTH_PX // len(names)
    for place, name in enumerate(names):
        picture = ImageEnhance.Brightness(_photograph(name)).enhance(0.85 + 0.1 * (shot % 3))
        height = round(HEIGHT_PX * (0.8 + 0.12 * (shot % 3) + 0.05 * progress))
        picture = picture.resize((round(picture.width * height / picture.height), height))
        left = place * width + (width - picture.width) // 2 + round(30 * (progress - 0.5))
        frame.paste(picture, (left, (HEIGHT_PX - height) // 2))
    return np.asarray(frame)
