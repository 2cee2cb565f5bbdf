"""Panels: composed of cut-outs of the training pictures, and marked as such; nothing is generated here."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont, PngImagePlugin

from local.standins.caption_names import CaptionNames, words_of
from local.standins.cutouts import cut_out
from local.standins.image_request import ImageRequest
from local.standins.pictures import read_pixels

BAND = "LOCAL STAND-IN: composite of training pictures, nothing was generated"
BASE_BAND = "LOCAL STAND-IN: a pattern of colours, nothing was generated"
#: What the PNG text ``Software`` says; of the base model's patterns it is the second.
SOFTWARE = "Storycast local stand-in: composite of training pictures"
BASE_SOFTWARE = "Storycast local stand-in: composite of colours, by the base model's stand-in"
MOST_FIGURES = 3
#: Share of the panel's height that a lone figure takes; several are smaller.
FIGURE_SHARE, SHARED_PART = 0.72, 0.8
#: Where figures stand, as a share of the panel's height; the band lies below.
GROUND_SHARE = 0.94
#: How far a figure may stand from its place, as a share of the panel's width.
SHIFT_SHARE = 0.06
BLURRED_SIDE_PX = 96


@dataclass(frozen=True, slots=True)
class TrainingPictures:
    """What a trained model draws with."""

    folder: Path
    #: File names in the folder, and captions.
    captions: tuple[tuple[str, str], ...]


def draw_panels(request: ImageRequest, known: TrainingPictures | None) -> list[bytes]:
    """Draw the pictures of a request; the same request gives the same bytes.

    Only the prompt, the seed, the size and the count matter.

    Args:
        request: What is asked for.
        known: The training pictures; None for the base model, which has none.

    Returns:
        PNG files with a visible band and a text ``Software`` that say what they are.
    """
    config = request.config
    size = (config.width, config.height)
    drawn = []
    for number in range(config.image_count):
        chance = random.Random(json.dumps([request.asked.text, config.seed, number]))  # noqa: S311 -- pictures, not secrets
        if known is None:
            drawn.append(_signed(_pattern(size, chance), BASE_BAND, BASE_SOFTWARE))
        else:
            drawn.append(_signed(_composite(request.asked.text, known, size, chance), BAND, SOFTWARE))
    return drawn


def _composite(text: str, known: TrainingPictures, size: tuple[int, int], chance: random.Random) -> Image.Image:
    width, height = size
    figures = _figures(text, known.captions, chance)
    panel = _ground(known.folder / chance.choice(_settings(text, known.captions)), size)
    tallest = height * FIGURE_SHARE * (1.0 if len(figures) == 1 else SHARED_PART)
    for number, file in enumerate(figures):
        cut = cut_out(known.folder, file)
        scale = min(tallest / cut.height, width / len(figures) * 1.1 / cut.width)
        cut = cut.resize((max(1, round(cut.width * scale)), max(1, round(cut.height * scale))))
        if chance.random() < 0.5:
            cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        middle = width * ((number + 0.5) / len(figures) + chance.uniform(-SHIFT_SHARE, SHIFT_SHARE))
        panel.paste(cut, (round(middle - cut.width / 2), round(height * GROUND_SHARE - cut.height)), cut)
    return panel


def _figures(text: str, captions: Sequence[tuple[str, str]], chance: random.Random) -> list[str]:
    """For each name of the prompt that captions know, a picture whose caption has it and the fewest others."""
    names = CaptionNames(caption for _, caption in captions)
    figures = []
    for name in names.of(text):
        having = [(len(found), file) for file, caption in captions if name in (found := names.of(caption))]
        if having:
            fewest = min(having)[0]
            figures.append(chance.choice([file for count, file in having if count == fewest]))
    return figures[:MOST_FIGURES]


def _settings(text: str, captions: Sequence[tuple[str, str]]) -> list[str]:
    """The pictures whose captions share the prompt's rarest words best; all of them where none shares any."""
    having = [({word.lower() for word in words_of(caption)}, file) for file, caption in captions]
    asked = {word.lower() for word in words_of(text)}
    counts = {word: sum(word in words for words, _ in having) for word in asked}
    shared = [(sum(1.0 / counts[word] for word in sorted(asked & words)), file) for words, file in having]
    best = max(shared)[0]
    return [file for score, file in shared if score == best]


def _ground(file: Path, size: tuple[int, int]) -> Image.Image:
    """A picture blurred until only its light and its colours are left."""
    small = Image.fromarray(read_pixels(file.read_bytes())).resize((BLURRED_SIDE_PX, BLURRED_SIDE_PX))
    return small.filter(ImageFilter.GaussianBlur(9)).resize(size, Image.Resampling.BICUBIC)


def _pattern(size: tuple[int, int], chance: random.Random) -> Image.Image:
    """A few blurred colours: the base model knows no picture."""
    colours = bytes(chance.randrange(60, 220) for _ in range(5 * 4 * 3))
    return Image.frombytes("RGB", (5, 4), colours).resize(size, Image.Resampling.BICUBIC)


def _signed(panel: Image.Image, band: str, software: str) -> bytes:
    """Put the band over the lower edge, as large as the width lets it be, and write the file."""
    draw = ImageDraw.Draw(panel)
    size_px = max(14, panel.width // 32)
    while draw.textlength(band, font := ImageFont.load_default(size_px)) > panel.width * 0.96 and size_px > 8:
        size_px -= 1
    deep = round(size_px * 1.8)
    draw.rectangle((0, panel.height - deep, panel.width, panel.height), fill=(20, 20, 20))
    draw.text((panel.width / 2, panel.height - deep / 2), band, fill=(255, 214, 90), font=font, anchor="mm")
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", software)
    out = io.BytesIO()
    panel.save(out, "PNG", pnginfo=text, compress_level=1)
    return out.getvalue()
