"""Drawing: the storyboard's panels by the trained model or its base model, each recorded as soon as it is done."""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from numpy.typing import NDArray

from trainer.errors import AdapterMissingError, AdapterUnsuitableError
from trainer.families import find_family
from trainer.families.family import Family
from trainer.job import Job, Panel
from trainer.memory import find_device, pick_for, refuse_unused_gpu
from trainer.picture_files import Origin, write_picture
from trainer.places import ADAPTER_FILE, Places
from trainer.progress import Progress, say, write_json
from trainer.weights import Weights, find_weights, is_stand_in

FORMAT = "storycast-panels-1"
PLAIN_SPREAD = 0.02
"""A picture whose values, 0..1, lie closer together than this shows nothing."""


class PictureRefusedError(Exception):
    """A picture can't be drawn; the message says why. It costs its panel alone."""


@dataclass(frozen=True)
class Artist:
    """What draws: a pipeline with the adapter in it, if there is one."""

    family: Family
    pipeline: DiffusionPipeline
    has_adapter: bool

    def draw(self, panel: Panel, number: int) -> NDArray[np.float32]:
        """Draw picture ``number``, from 0, of a panel.

        Each picture is drawn alone, from a seed of its own: so it is the same in whatever company it is asked for.
        The noise comes from the CPU, which gives the same numbers beside every GPU.

        Returns:
            Height, width and colours, 0..1.

        Raises:
            PictureRefusedError: It can't be drawn, or shows nothing.
        """
        if self.has_adapter:
            (self.pipeline.enable_lora if panel.drawn_by == "trained" else self.pipeline.disable_lora)()
        try:
            pixels = self._call(panel, number)
        except torch.OutOfMemoryError:
            # Once more in pieces, which takes longer; what is drawn after that stays so.
            torch.cuda.empty_cache()
            self.pipeline.enable_attention_slicing()
            self.pipeline.vae.enable_tiling()
            try:
                pixels = self._call(panel, number)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                raise PictureRefusedError(
                    f"The GPU's memory does not hold a picture of {panel.width_px} x {panel.height_px} px. Set a "
                    "smaller storyboard.width and height, or choose a larger instance."
                ) from None
        except ValueError as error:
            raise PictureRefusedError(f"The model refuses it: {error}") from None
        if not np.isfinite(pixels).all():
            raise PictureRefusedError(
                f"Picture {number + 1} came out as no numbers: the model diverged. A lower learning_rate or fewer "
                "steps help where the base model draws the same prompt."
            )
        if float(pixels.max() - pixels.min()) < PLAIN_SPREAD:
            raise PictureRefusedError(f"Picture {number + 1} came out all one colour. Another seed may help.")
        return pixels

    def _call(self, panel: Panel, number: int) -> NDArray[np.float32]:
        drawn = self.pipeline(
            **self.family.prompt_values(self.pipeline, panel.prompt, panel.negative_prompt),
            **self.family.call_values(cfg_scale=panel.cfg_scale),
            width=panel.width_px,
            height=panel.height_px,
            num_inference_steps=panel.inference_steps,
            generator=torch.Generator("cpu").manual_seed(panel.seed + number),
            output_type="np",
        )
        pixels: NDArray[np.float32] = drawn.images[0]
        return pixels


def draw(places: Places, job: Job, progress: Progress) -> None:
    """Draw all panels of a job that are not recorded yet.

    Raises:
        AdapterMissingError: Panels by the trained model are asked for, and there is no adapter.
        AdapterUnsuitableError: The adapter does not fit the base model.
        GpuUnusableError: The machine is paid for its GPU, and PyTorch can't use it.
        WeightsMissingError: The base model is not there; so with ``WeightsRefusedError``.
    """
    open_panels = [panel for panel in _each_once(job.panels) if not is_recorded(places.panels, panel)]
    if not open_panels:
        progress.phase("done")
        return
    device = find_device()
    if not is_stand_in(places.weights):
        refuse_unused_gpu(device, places.resources_file)
    area_px = max(panel.width_px * panel.height_px for panel in open_panels)
    options = pick_for(device, resolution=math.isqrt(area_px), batch_size=1)
    family = find_family(job.family)
    weights = find_weights(job.base_model, family.parts, places)
    progress.describe(device=device.words, options=options.drawing_words, stand_in=weights.stand_in)
    if weights.stand_in:
        # So small a model is not worth sharing out among cores.
        torch.set_num_threads(1)
    if device.kind == "cpu" and not weights.stand_in:
        progress.warn("There is no NVIDIA GPU: on a CPU a picture takes many minutes.")
    needs_adapter = any(panel.drawn_by == "trained" for panel in open_panels)
    adapter = _adapter(places, job) if needs_adapter else None
    pipeline = _load(family, weights, options, torch.device(device.kind), adapter)
    _draw_all(Artist(family, pipeline, needs_adapter), open_panels, job, weights, places, progress)
    progress.phase("done")


def is_recorded(folder: Path, panel: Panel) -> bool:
    """Tell whether a panel is drawn, or refused, and all of it is there."""
    try:
        record = json.loads((folder / f"{panel.fingerprint}.json").read_bytes())
        pictures = record["pictures"]
        return record["fingerprint"] == panel.fingerprint and all((folder / name).is_file() for name in pictures)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _each_once(panels: tuple[Panel, ...]) -> list[Panel]:
    return list({panel.fingerprint: panel for panel in panels}.values())


def _adapter(places: Places, job: Job) -> Path:
    """Return the adapter's folder once it is there and for this family."""
    folder = places.trained_adapter
    if not (folder / ADAPTER_FILE).is_file():
        raise AdapterMissingError(
            f"{folder / ADAPTER_FILE} is missing: it is what a training leaves in adapter/. Train first, or "
            "name the right training."
        )
    try:
        known = json.loads((folder / "adapter.json").read_bytes())
    except (OSError, ValueError):
        return folder  # from elsewhere; whether it fits shows when it is loaded
    if isinstance(known, dict) and known.get("family", job.family) != job.family:
        raise AdapterUnsuitableError(
            f"The adapter in {folder} is for models of the family {known['family']}; the job draws with "
            f"{job.family}."
        )
    return folder


def _load(
    family: Family, weights: Weights, options: Any, device: torch.device, adapter: Path | None
) -> DiffusionPipeline:
    try:
        pipeline = family.load_pipeline(weights, options, device, adapter)
    # What diffusers and peft raise of an adapter that does not fit; without one it is the weights' own fault.
    except (RuntimeError, ValueError, KeyError) as error:
        if adapter is None or isinstance(error, torch.OutOfMemoryError):
            raise
        reason = " ".join(str(error).split())[:300]
        raise AdapterUnsuitableError(
            f"The adapter in {adapter} does not fit {weights.name}: {reason}. Draw with the base model that "
            "it was trained on."
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _draw_all(
    artist: Artist, panels: list[Panel], job: Job, weights: Weights, places: Places, progress: Progress
) -> None:
    places.panels.mkdir(parents=True, exist_ok=True)
    picture_count = sum(panel.image_count for panel in panels)
    began, done, drawn = time.monotonic(), 0, 0
    progress.phase("drawing")
    for panel in panels:
        names: list[str] = []
        refused = ""
        panel_began = time.monotonic()
        for number in range(panel.image_count):
            try:
                pixels = artist.draw(panel, number)
            except PictureRefusedError as error:
                refused = refused or str(error)
                progress.warn(f"{panel.prompt[:80]!r}, {panel.drawn_by} model: {error}")
            else:
                name = f"{panel.fingerprint}-{number}.png"
                write_picture(places.panels / name, pixels, origin(panel, number, job, weights))
                names.append(name)
                drawn += 1
            done += 1
            per_second = drawn / (time.monotonic() - began)
            progress.remaining((picture_count - done) / per_second if per_second else None)
            progress.step(done, picture_count, pictures_per_second=round(per_second, 4) if drawn else None)
            say(f"picture={done}/{picture_count} pictures_per_second={per_second:.4f}")
        # The record comes last: what has none is drawn again after an interruption.
        write_json(
            places.panels / f"{panel.fingerprint}.json",
            {
                "format": FORMAT,
                "fingerprint": panel.fingerprint,
                "pictures": names,
                "refused": refused,
                "seconds": round(time.monotonic() - panel_began, 2),
                "stand_in": weights.stand_in,
            },
        )


def origin(panel: Panel, number: int, job: Job, weights: Weights) -> Origin:
    """Return what a picture's file says of itself."""
    by = f"an adapter (LoRA) of {weights.name}, {job.name}" if panel.drawn_by == "trained" else weights.name
    return Origin(
        prompt=panel.prompt,
        negative_prompt=panel.negative_prompt,
        seed=panel.seed + number,
        model=by,
        licence=f"{weights.licence.name} {weights.licence.link}".strip(),
        is_stand_in=bool(weights.stand_in),
    )
