"""What InvokeModel is asked for by TEXT_IMAGE, within the limits of the Amazon Nova User Guide."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from local.standins.bodies import Body

MAX_PIXELS = 4_194_304
MAX_ASPECT = 4

Text = Annotated[str, Field(min_length=1, max_length=1024)]
Side = Annotated[int, Field(ge=320, le=4096, multiple_of=16)]


class TextToImage(Body):
    """What is to be drawn."""

    text: Text
    negative_text: Annotated[Text | None, Field(alias="negativeText")] = None


class ImageConfig(Body):
    """How it is to be drawn."""

    image_count: Annotated[int, Field(ge=1, le=5, alias="numberOfImages")] = 1
    quality: Literal["standard", "premium"] = "standard"
    width: Side = 1024
    height: Side = 1024
    cfg_scale: Annotated[float, Field(ge=1.1, le=10.0, alias="cfgScale")] = 6.5
    seed: Annotated[int, Field(ge=0, le=858_993_459)] = 12

    @model_validator(mode="after")
    def _size_is_supported(self) -> ImageConfig:
        long, short = max(self.width, self.height), min(self.width, self.height)
        if long > MAX_ASPECT * short or long * short > MAX_PIXELS:
            raise ValueError(f"{self.width} x {self.height} is not a supported size")
        return self


class ImageRequest(Body):
    """The body of InvokeModel for TEXT_IMAGE."""

    task_type: Annotated[Literal["TEXT_IMAGE"], Field(alias="taskType")]
    asked: Annotated[TextToImage, Field(alias="textToImageParams")]
    config: Annotated[ImageConfig, Field(alias="imageGenerationConfig")] = ImageConfig()
