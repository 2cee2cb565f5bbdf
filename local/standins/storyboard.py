"""Panels: composed of cut-outs of the training pictures, and marked as such; nothing is generated here."""

from __future__ import annotations

import io
import json
import random
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont, PngImagePlugin
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from local.standins.bedrock_world import CustomModel
from local.standins.errors import ModelledError
from local.standins.pictures import read_pixels
from local.standins.saliency import saliency_map
from local.standins.training_job import names_in

BAND = "LOCAL STAND-IN: composite of training pictures, nothing was generated"
BASE_BAND = "LOCAL STAND-IN: a pattern, nothing was generated"
SOFTWARE = "Storycast local stand-in: composite of training pictures"
BASE_SOFTWARE = "Storycast local stand-in: composite of colours, by the base model's stand-in"
MOST_FIGURES = 3
#: Share of the panel's height that a lone figure takes; several are smaller.
FIGURE_SHARE = 0.72

Text = Annotated[str, Field(min_length=1, max_length=1024)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TextToImage(_Strict):
    """What is to be drawn."""

    text: Text
    negative_text: Annotated[Text | None, Field(alias="negativeText")] = None


class ImageConfig(_Strict):
    """How it is to be drawn; limits of the Amazon Nova User Guide."""

    image_count: Annotated[int, Field(ge=1, le=5, alias="numberOfImages")] = 1
    quality: Literal["standard", "premium"] = "standard"
    width: Annotated[int, Field(ge=320, le=4096, multiple_of=16)] = 1024
    height: Annotated[int, Field(ge=320, le=4096, multiple_of=16)] = 1024
    cfg_scale: Annotated[float, Field(ge=1.1, le=10.0, alias="cfgScale")] = 6.5
    seed: Annotated[int, Field(ge=0, le=858_993_459)] = 12

    @model_validator(mode="after")
    def _size_is_legal(self) -> ImageConfig:
        if not 0.25 <= self.width / self.height <= 4 or self.width * self.height > 4_194_304:
            raise ValueError(f"{self.width} x {self.height} is not a supported size")
        return self


class ImageRequest(_Strict):
    """The body of InvokeModel for TEXT_IMAGE."""

    task_type: Annotated[Literal["TEXT_IMAGE"], Field(alias="taskType")]
    asked: Annotated[TextToImage, Field(alias="textToImageParams")]
    config: Annotated[ImageConfig, Field(alias="imageGenerationConfig")] = ImageConfig()


def read_image_request(body: bytes) -> ImageRequest:
    """Read the body of a request for pictures.

    Raises:
        ModelledError: It is not what Canvas takes.
    """
    try:
        return ImageRequest.model_validate_json(body)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ModelledError("ValidationException", f"Malformed input request: {told}") from None


def draw_panels(request: ImageRequest, model: CustomModel | None, folder: Path) -> list[bytes]:
    """Draw the pictures of a request; the same request gives the same bytes.

    Args:
        request: What is asked for.
        model: Whose training pictures are used; None for the base model, which has none.
        folder: The state folder, in which they lie.

    Returns:
        PNG files with a visible band and a text ``Software`` that say what they are.
    """
    config = request.config
    size = (config.width, config.height)
    pictures = []
    for number in range(config.image_count):
        asked = json.dumps([request.asked.text, config.seed, number])
        chance = random.Random(asked)  # noqa: S311 -- pictures, not secrets
        panel = _pattern(size, chance) if model is None else _composite(request, model, folder, size, chance)
        pictures.append(_signed(panel, BASE_BAND if model is None else BAND, model is not None))
    return pictures


def _composite(
    request: ImageRequest, model: CustomModel, folder: Path, size: tuple[int, int], chance: random.Random
) -> Image.Image:
    figures = _figures(request.asked.text, model, chance)
    background = chance.choice(model.pictures)[0]
    panel = _ground(folder / background, size)
    if not figures:
        return panel
    height = round(size[1] * FIGURE_SHARE * (1.0 if len(figures) == 1 else 0.8))
    for number, file in enumerate(figures):
        cut = _cut_out(str(folder / file))
        scale = min(height / cut.height, size[0] / len(figures) * 1.1 / cut.width)
        cut = cut.resize(
            (max(1, round(cut.width * scale)), max(1, round(cut.height * scale))), Image.Resampling.LANCZOS
        )
        if chance.random() < 0.5:
            cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        middle = size[0] * (number + 0.5) / len(figures) + chance.uniform(-0.06, 0.06) * size[0]
        place = (round(middle - cut.width / 2), round(size[1] * 0.92 - cut.height))
        panel.paste(cut, place, cut)
    return panel


def _figures(text: str, model: CustomModel, chance: random.Random) -> list[str]:
    """For each name of the prompt that captions know, a picture whose caption has it and the fewest others."""
    figures = []
    for name in names_in(text):
        known = [(len(names_in(caption)), file) for file, caption in model.pictures if name in names_in(caption)]
        if known:
            fewest = min(known)[0]
            figures.append(chance.choice([file for count, file in known if count == fewest]))
    return figures[:MOST_FIGURES]


@lru_cache(maxsize=64)
def _cut_out(file: str) -> Image.Image:
    """What stands out in a picture, on nothing, cut to its size."""
    rgb = read_pixels(Path(file).read_bytes())
    height, width = rgb.shape[:2]
    saliency = cv2.resize(saliency_map(rgb), (width, height), interpolation=cv2.INTER_LINEAR)
    alpha: NDArray[np.uint8] = (np.clip((saliency - 0.3) / 0.4, 0.0, 1.0) * 255).astype(np.uint8)
    if not (alpha > 128).any():
        alpha = np.full_like(alpha, 255)  # nothing stands out: the whole picture
    rows, columns = np.where(alpha > 20)
    cut = Image.fromarray(np.dstack([rgb, alpha]), "RGBA")
    return cut.crop((int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1))


@lru_cache(maxsize=16)
def _blurred(file: str) -> Image.Image:
    small = Image.fromarray(read_pixels(Path(file).read_bytes())).resize((96, 96))
    return small.filter(ImageFilter.GaussianBlur(9))


def _ground(file: Path, size: tuple[int, int]) -> Image.Image:
    return _blurred(str(file)).resize(size, Image.Resampling.BICUBIC)


def _pattern(size: tuple[int, int], chance: random.Random) -> Image.Image:
    """A few blurred colours: the base model knows no picture."""
    cells = Image.new("RGB", (5, 4))
    cells.putdata([tuple(chance.randrange(60, 220) for _ in range(3)) for _ in range(20)])
    return cells.resize(size, Image.Resampling.BICUBIC)


def _signed(panel: Image.Image, band: str, is_composite: bool) -> bytes:
    draw = ImageDraw.Draw(panel)
    size_px = max(11, round(panel.width / 44))
    font = ImageFont.load_default(size_px)
    while draw.textlength(band, font) > panel.width * 0.96 and size_px > 8:
        size_px -= 1
        font = ImageFont.load_default(size_px)
    deep = round(size_px * 1.8)
    draw.rectangle((0, panel.height - deep, panel.width, panel.height), fill=(20, 20, 20))
    draw.text((panel.width / 2, panel.height - deep / 2), band, fill=(255, 214, 90), font=font, anchor="mm")
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", SOFTWARE if is_composite else BASE_SOFTWARE)
    out = io.BytesIO()
    panel.save(out, "PNG", pnginfo=text, compress_level=1)
    return out.getvalue()
