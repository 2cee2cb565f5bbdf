"""What a container job is asked for, as ``job.json`` tells it; ``training/trainer/job.py`` reads it."""

from typing import Final, Literal

from storycast.footage import Record
from storycast.storyboard import DrawnBy

FORMAT: Final = "storycast-lora-1"

Task = Literal["train", "draw"]


class BaseModel(Record):
    """Where the weights come from."""

    source: Literal["hub", "folder"]
    """``folder``: they lie in the job's input."""
    id: str
    """Id at the model hub, or the S3 prefix or folder that the weights were copied from."""


class JobPicture(Record):
    """A picture to train on, or to measure the loss on where it is held out."""

    file: str
    """Path below the folder of pictures."""
    caption: str
    characters: tuple[str, ...]
    """Who is in it; empty where nobody knows."""
    shot: str | None
    """Footage and shot, as ``<footage_id>:<number>``; None where nobody knows."""
    held_out: bool


class JobValues(Record):
    """How is trained."""

    step_count: int
    batch_size: int
    learning_rate: float
    rank: int
    resolution: int
    seed: int


class JobPanel(Record):
    """A prompt to draw, by one model."""

    fingerprint: str
    drawn_by: DrawnBy
    prompt: str
    negative_prompt: str
    image_count: int
    width_px: int
    height_px: int
    inference_steps: int
    cfg_scale: float
    seed: int


class LoraJob(Record):
    """``job.json``: one container job."""

    format: Literal["storycast-lora-1"] = FORMAT
    name: str
    task: Task
    project: str
    family: Literal["sdxl"] = "sdxl"
    base_model: BaseModel
    characters: tuple[str, ...] = ()
    pictures: tuple[JobPicture, ...] = ()
    """Of a training."""
    values: JobValues | None = None
    """Of a training."""
    panels: tuple[JobPanel, ...] = ()
    """Of a drawing."""
