"""The dataset: its pictures and their records."""

from collections.abc import Sequence

from storycast.captions import Caption
from storycast.curation import CuratedImage
from storycast.footage import Record
from storycast.held_out import held_out_crops
from storycast.names import slug
from storycast.runs import Run


class DatasetImage(Record):
    """A picture of the dataset with its caption."""

    file_name: str
    caption: str
    image: CuratedImage
    caption_by: str
    """The model's id; the name of the person where one wrote it."""
    flags: tuple[str, ...]
    held_out: bool = False
    """Whether trainings do not see it, so that their panels can be graded against it."""


def file_name(image: CuratedImage) -> str:
    """Return a picture's file name: who it is of, and the crop that it comes from."""
    return f"{slug(image.character, fallback='character')}-{image.crop_id}.png"


def dataset_image(image: CuratedImage, caption: Caption) -> DatasetImage:
    """Return a curated picture with its caption."""
    return DatasetImage(
        file_name=file_name(image),
        caption=caption.caption,
        image=image,
        caption_by=caption.model_id,
        flags=caption.flags,
    )


def with_split(images: Sequence[DatasetImage], share: float) -> list[DatasetImage]:
    """Return the pictures of a dataset with what trainings hold out of them marked.

    Args:
        images: All pictures of the dataset.
        share: ``training.hold_out_share``.
    """
    held_out = held_out_crops((one.image for one in images), share)
    return [one.model_copy(update={"held_out": one.image.crop_id in held_out}) for one in images]


def made_by(run: Run) -> list[str]:
    """Return in a line each who stands behind the run's models; stand-ins say so in their provider's name."""
    models = [f"{model.model_id}: {model.name} ({model.provider})" for model in run.models]
    return [*(f"Rekognition labels: model {name}" for name in run.chosen.get("label_models", ())), *models]
