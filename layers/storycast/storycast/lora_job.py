"""What a container job is asked for, as ``job.json`` tells it; ``training/trainer/job.py`` reads it."""

from collections.abc import Mapping
from typing import Final, Literal

from storycast.footage import Record
from storycast.settings import Training
from storycast.storyboard import DrawnBy, PanelOrder
from storycast.training import LORA_SEED

FORMAT: Final = "storycast-lora-1"

INFERENCE_STEPS: Final[Mapping[str, int]] = {"standard": 25, "premium": 40}
"""Denoising steps by ``storyboard.quality``. 40 are those of diffusers' guide to Stable Diffusion XL; 25 are
quicker and chosen here, not measured."""

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


def base_model(training: Training) -> BaseModel:
    """Return where a training's base model comes from: the model hub, or weights in S3 that come as an input."""
    is_copied = training.model_id.startswith("s3://")
    return BaseModel(source="folder" if is_copied else "hub", id=training.model_id)


def job_values(training: Training) -> JobValues:
    """Return how is trained, with the target's own defaults filled in."""
    values, lora = training.values, training.lora
    return JobValues(
        step_count=values.step_count,
        batch_size=values.batch_size,
        learning_rate=values.learning_rate,
        rank=lora.rank,
        resolution=lora.resolution,
        seed=LORA_SEED,
    )


def job_panel(order: PanelOrder) -> JobPanel:
    """Return what a drawing job is told of one request."""
    request = order.request
    return JobPanel(
        fingerprint=order.fingerprint,
        drawn_by=order.drawn_by,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        image_count=request.image_count,
        width_px=request.width_px,
        height_px=request.height_px,
        inference_steps=INFERENCE_STEPS[request.quality],
        cfg_scale=request.cfg_scale,
        seed=request.seed,
    )
