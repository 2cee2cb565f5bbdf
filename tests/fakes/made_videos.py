"""Videos with known cuts: shots drawn from a seed, joined by cuts, dissolves and fades, encoded with PyAV.

What is made to look like a cut and is none: flashes, fast pans, something large that passes close to the camera,
dissolves, fades. What is made to hide one: grain, dark scenes, cuts between similar shots, a shot that returns,
drawings held on twos, variable frame rate, encoders that put no keyframe at a cut.
"""

import io
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH_PX, HEIGHT_PX = 320, 180
PHOTOGRAPHS = sorted((Path(__file__).parent.parent / "pictures").glob("*.jpg"))
Picture = NDArray[np.uint8]
Draw = Callable[[int], Picture]
"""A shot: its picture (BGR) at a drawing's number, which counts from 0."""

ENCODINGS = (
    {"preset": "medium", "crf": "22"},
    {"preset": "veryfast", "crf": "24"},
    {"preset": "medium", "crf": "26", "x264-params": "scenecut=0:keyint=60"},
    {"preset": "medium", "crf": "22", "x264-params": "bframes=0"},
    {"preset": "medium", "crf": "24", "x264-params": "bframes=5:b-pyramid=none"},
)


@dataclass
class MadeVideo:
    """An encoded video and what is true of it. Frames count from 0 in order of presentation."""

    content: bytes = b""
    rate: int = 24
    cuts: list[int] = field(default_factory=list)
    """Frames that begin a shot with a hard cut."""
    times_ms: list[float] = field(default_factory=list)
    transitions: list[tuple[str, int, int]] = field(default_factory=list)
    """Dissolves, fades and flashes: kind, first frame, first frame after."""
    traits: dict[str, float] = field(default_factory=dict)

    @property
    def cuts_ms(self) -> list[int]:
        """Times of the frames that begin a shot."""
        return [round(self.times_ms[cut]) for cut in self.cuts]


@dataclass
class _Made:
    picture: Picture
    cut: bool = False
    transition: tuple[str, int] | None = None


def made_video(seed: int) -> MadeVideo:
    """Return the video of a seed: 7 to 9 shots, about 15 seconds, 320 x 180."""
    rng = random.Random(seed)
    traits = {
        "grain": rng.choice([0, 0, 0, 3, 6, 10]),
        "hold": rng.choice([1, 1, 1, 2, 2, 3]),
        "dark": rng.choice([1.0, 1.0, 1.0, 0.35, 0.2]),
        "variable": rng.random() < 0.2,
        "encoding": rng.randrange(len(ENCODINGS)),
    }
    video = MadeVideo(rate=rng.choice([24, 25, 30]), traits=traits)
    noise = np.random.default_rng(seed)
    kept: list[Picture] = []
    for number, made in enumerate(_frames(rng, int(traits["hold"]))):
        # A cut's own frame stays, so that what is true of it stays simple.
        if traits["variable"] and not made.cut and number and rng.random() < 0.3:
            continue
        index = len(kept)
        if made.cut:
            video.cuts.append(index)
        if made.transition:
            kind, step = made.transition
            if step == 0 or not video.transitions:
                video.transitions.append((kind, index, index + 1))
            else:
                last_kind, first, _ = video.transitions[-1]
                video.transitions[-1] = (last_kind, first, index + 1)
        video.times_ms.append(number * 1000 / video.rate)
        kept.append(_finished(made.picture, traits["dark"], traits["grain"], noise))
    video.content = encoded(kept, video.times_ms, video.rate, ENCODINGS[int(traits["encoding"])])
    return video


def encoded(
    pictures: list[Picture],
    times_ms: list[float],
    rate: int,
    options: Mapping[str, str],
    *,
    codec: str = "libx264",
    container: str = "matroska",
) -> bytes:
    """Return BGR pictures as a video in which each has its own time."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as muxer:
        stream = muxer.add_stream(codec, rate=Fraction(rate))
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = dict(options)
        stream.codec_context.time_base = Fraction(1, rate)
        for picture, time_ms in zip(pictures, times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = round(time_ms * rate / 1000), Fraction(1, rate)
            muxer.mux(stream.encode(frame))
        muxer.mux(stream.encode())
    return out.getvalue()


# ---- how shots are joined --------------------------------------------------------------------------


def _frames(rng: random.Random, hold: int) -> Iterator[_Made]:
    shots: list[Draw] = []
    cut = False
    opening: list[Picture] = []
    for _ in range(rng.randint(7, 9)):
        shot = _next_shot(rng, shots)
        shots.append(shot)
        length = rng.randint(26, 80) // hold * hold + hold
        pictures = [shot(step // hold) for step in range(length)]
        yield from _joined(opening, pictures)
        marks = _disturbed(rng, pictures, len(opening))
        for step in range(len(opening), length):
            yield _Made(pictures[step], cut and step == 0, marks.get(step))
        last = pictures[-1]
        transition = rng.choices(["cut", "dissolve", "fade"], [0.7, 0.15, 0.15])[0]
        cut, opening = transition == "cut", []
        if transition == "fade":
            even = _even(rng.choice([0, 0, 0, 255]))
            yield from _faded(rng, last, even)
            opening = [even] * rng.randint(6, 20)
        elif transition == "dissolve":
            opening = [last] * rng.randint(6, 24)


def _joined(opening: list[Picture], pictures: list[Picture]) -> Iterator[_Made]:
    count = len(opening)
    for step in range(min(count, len(pictures))):
        share = (step + 1) / (count + 1)
        mixed = cv2.addWeighted(opening[step], 1 - share, pictures[step], share, 0)
        yield _Made(np.asarray(mixed, np.uint8), transition=("gradual", step))


def _faded(rng: random.Random, last: Picture, even: Picture) -> Iterator[_Made]:
    count = rng.randint(6, 20)
    for step in range(count):
        share = (step + 1) / count
        mixed = cv2.addWeighted(last, 1 - share, even, share, 0)
        yield _Made(np.asarray(mixed, np.uint8), transition=("gradual", step))


def _disturbed(rng: random.Random, pictures: list[Picture], first: int) -> dict[int, tuple[str, int]]:
    """Put a flash or something that passes into a shot, well away from its ends."""
    kind = rng.choices(["none", "flash", "passing"], [0.6, 0.25, 0.15])[0]
    count = rng.randint(1, 4) if kind == "flash" else rng.randint(6, 10)
    if kind == "none" or len(pictures) < first + count + 24:
        return {}
    start = rng.randint(first + 10, len(pictures) - count - 10)
    strength, colour = rng.uniform(0.5, 1.0), [rng.randint(0, 255) for _ in range(3)]
    for step in range(count):
        at = start + step
        if kind == "flash":
            white = cv2.addWeighted(pictures[at], 1 - strength, _even(255), strength, 0)
            pictures[at] = np.asarray(white, np.uint8)
            strength *= 0.85
        else:
            picture = pictures[at].copy()
            left = round((step / (count - 1) * 2 - 1) * WIDTH_PX)
            cv2.rectangle(picture, (left, 0), (left + WIDTH_PX * 2 // 3, HEIGHT_PX), colour, -1)
            pictures[at] = picture
    return {start + step: (kind, step) for step in range(count)}


# ---- shots -----------------------------------------------------------------------------------------


def _next_shot(rng: random.Random, shots: list[Draw]) -> Draw:
    if len(shots) > 1 and rng.random() < 0.15:
        return shots[-2]
    kind = rng.choice([_flat_shot, _flat_shot, _texture_shot, _photograph_shot])
    return kind(rng)


def _flat_shot(rng: random.Random) -> Draw:
    """Return an animated film's shot: even colours, outlines, a few shapes that move."""
    # Few backgrounds, so that neighbours often share one.
    ground = [(150, 190, 90), (200, 160, 120), (90, 120, 190), (70, 90, 60)][rng.randrange(4)]
    speed = rng.choice([0.0, 0.5, 2.0, 5.0])
    shapes = [
        (
            rng.uniform(0, WIDTH_PX),
            rng.uniform(0, HEIGHT_PX),
            rng.uniform(-speed, speed),
            rng.uniform(-speed, speed) / 2,
            rng.uniform(8, 60),
            rng.uniform(8, 60),
            tuple(rng.randint(0, 255) for _ in range(3)),
        )
        for _ in range(rng.randint(3, 9))
    ]

    def draw(step: int) -> Picture:
        picture = np.full((HEIGHT_PX, WIDTH_PX, 3), ground, np.uint8)
        floor = [value // 2 for value in ground]
        cv2.rectangle(picture, (0, HEIGHT_PX * 2 // 3), (WIDTH_PX, HEIGHT_PX), floor, -1)
        for x, y, right, down, wide, high, colour in shapes:
            middle = (round(x + right * step), round(y + down * step))
            size = (round(wide), round(high + 2 * math.sin(step / 3)))
            cv2.ellipse(picture, middle, size, 0, 0, 360, colour, -1, cv2.LINE_AA)
            cv2.ellipse(picture, middle, size, 0, 0, 360, (20, 20, 20), 2, cv2.LINE_AA)
        return picture

    return draw


def _texture_shot(rng: random.Random) -> Draw:
    return _moving(rng, _texture(rng.randrange(6)))


def _photograph_shot(rng: random.Random) -> Draw:
    return _moving(rng, _photograph(rng.randrange(len(PHOTOGRAPHS))))


def _moving(rng: random.Random, scene: Picture) -> Draw:
    """Return a camera's way over a large picture: still, slow or fast, with some shake."""
    height, width = scene.shape[:2]
    zoom = rng.uniform(0.5, 1.0)
    speed = rng.choice([0.0, 0.0, 1.0, 4.0, 16.0])
    angle = rng.uniform(0, 2 * math.pi)
    right, down, closer = speed * math.cos(angle), speed * math.sin(angle), rng.choice([0, 0, 0.004])
    shake = rng.choice([0.0, 0.0, 1.0])
    left, top = rng.uniform(0, width - WIDTH_PX * zoom), rng.uniform(0, height - HEIGHT_PX * zoom)
    wobble = [(rng.gauss(0, shake), rng.gauss(0, shake)) for _ in range(200)]

    def draw(step: int) -> Picture:
        scale = zoom * (1 - closer * step)
        x = _bounced(left + right * step + wobble[step % 200][0], width - WIDTH_PX * scale)
        y = _bounced(top + down * step + wobble[step % 200][1], height - HEIGHT_PX * scale)
        matrix = np.array([[scale, 0, x], [0, scale, y]], np.float64)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(scene, matrix, (WIDTH_PX, HEIGHT_PX), flags=flags), np.uint8)

    return draw


def _bounced(value: float, most: float) -> float:
    value %= 2 * most
    return value if value <= most else 2 * most - value


@cache
def _texture(number: int) -> Picture:
    noise = np.random.default_rng(number)
    scene = np.zeros((500, 900, 3), np.float32)
    for octave in range(2, 7):
        coarse = noise.normal(0, 1, (500 >> octave, 900 >> octave, 3)).astype(np.float32)
        scene += cv2.resize(coarse, (900, 500), interpolation=cv2.INTER_CUBIC) * 2.0 ** (octave - 2)
    return np.clip(scene * 5 + noise.uniform(60, 180, 3), 0, 255).astype(np.uint8)


@cache
def _photograph(number: int) -> Picture:
    picture = cv2.imread(str(PHOTOGRAPHS[number]))
    assert picture is not None
    scale = max(900 / picture.shape[1], 500 / picture.shape[0])
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _even(value: int) -> Picture:
    return np.full((HEIGHT_PX, WIDTH_PX, 3), value, np.uint8)


def _finished(picture: Picture, dark: float, grain: float, noise: np.random.Generator) -> Picture:
    if dark == 1.0 and not grain:
        return picture
    shown = picture.astype(np.float32) * dark
    if grain:
        shown += noise.standard_normal((HEIGHT_PX, WIDTH_PX, 1), np.float32) * np.float32(grain)
    return np.asarray(np.clip(shown, 0, 255), np.uint8)
