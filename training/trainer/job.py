"""What a job is asked for: ``job.json``, as Storycast writes it (``storycast.lora_job``)."""

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from trainer.errors import JobInvalidError
from trainer.places import Places


def _below(file: str) -> str:
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or not file or "\\" in file:
        raise ValueError("must be a path below the folder of pictures")
    return file


class Record(BaseModel):
    """A part of the job: nothing in it may be unknown, and nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Base(Record):
    """Where the base model's weights come from."""

    source: Literal["hub", "folder"]
    id: Annotated[str, Field(min_length=1)]
    """Id at the model hub; or where the weights in the folder came from, for people to read."""


class Picture(Record):
    """A picture to train on; or to measure the loss on, where it is held out."""

    file: Annotated[str, AfterValidator(_below)]
    caption: str
    characters: tuple[str, ...]
    """Who is in it; empty where nobody knows."""
    shot: str | None
    held_out: bool


class Values(Record):
    """How is trained."""

    step_count: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)]
    rank: Annotated[int, Field(ge=1)]
    resolution: Annotated[int, Field(ge=64, le=2048, multiple_of=64)]
    """Side of a square picture, px; others get about its area."""
    seed: Annotated[int, Field(ge=0)]


class Panel(Record):
    """A prompt to draw, by one model."""

    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-z]+$")]
    """Names the files of the pictures."""
    drawn_by: Literal["trained", "base"]
    prompt: str
    negative_prompt: str
    image_count: Annotated[int, Field(ge=1)]
    width_px: Annotated[int, Field(ge=64)]
    height_px: Annotated[int, Field(ge=64)]
    inference_steps: Annotated[int, Field(ge=1)]
    cfg_scale: float
    seed: Annotated[int, Field(ge=0)]


class Job(Record):
    """One job of the container."""

    format: Literal["storycast-lora-1"]
    name: str
    task: Literal["train", "draw"]
    project: str
    family: str
    base_model: Base
    characters: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    """Of a training."""
    values: Values | None = None
    """Of a training."""
    panels: tuple[Panel, ...] = ()
    """Of a drawing."""

    @model_validator(mode="after")
    def _has_what_its_task_needs(self) -> Self:
        if self.task == "draw":
            if not self.panels:
                raise ValueError("a drawing needs panels")
            return self
        if self.values is None:
            raise ValueError("a training needs values")
        if not any(not picture.held_out for picture in self.pictures):
            raise ValueError("a training needs pictures that are not held out")
        files = [picture.file for picture in self.pictures]
        if len(set(files)) < len(files):
            raise ValueError("a picture is named twice")
        return self

    @property
    def training(self) -> Values:
        """The values of a training."""
        assert self.values is not None, "checked when the job was read"  # noqa: S101 - for the type checker
        return self.values


def read_job(places: Places) -> Job:
    """Read what is to be done.

    Raises:
        JobInvalidError: There is no job, or it is none that this release can do.
    """
    file: Path = places.job_file
    try:
        return Job.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        raise JobInvalidError(f"{file} is missing: it says what to do. Storycast writes it.") from None
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'job'}: {one['msg']}" for one in error.errors())
        raise JobInvalidError(f"{file} is no job for this release of the trainer: {found}.") from None
