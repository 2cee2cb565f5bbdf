"""The task ``train``: from a job to an adapter."""

import gc

import torch

from trainer.balance import balance
from trainer.captions import find_triggers, say_triggers
from trainer.card import Told, write_card
from trainer.dataset import encode, fingerprint
from trainer.families import find_family
from trainer.held_out import HeldOut
from trainer.job import Job
from trainer.loop import Loop
from trainer.memory import as_memory_error, find_device, needed_gb, pick_for, refuse_unused_gpu, usable_gb
from trainer.order import Order
from trainer.pictures import check, say_fits
from trainer.places import Places
from trainer.progress import Progress, say
from trainer.states import States
from trainer.stopping import StopSignal
from trainer.weights import Weights, find_weights, is_stand_in


def train(places: Places, job: Job, progress: Progress, stop: StopSignal) -> None:
    """Train an adapter, from the newest state if there is one.

    Raises:
        GpuMemoryError: The GPU's memory does not hold it.
        GpuUnusableError: The machine is paid for its GPU, and PyTorch can't use it.
        LossNotFiniteError: The training diverged.
        PicturesUnreadableError: Pictures are missing, or can't be read.
        Stopped: It was asked to end; the state is saved.
        WeightsMissingError: The base model is not there; so with ``WeightsRefusedError``.
    """
    try:
        _train(places, job, progress, stop)
    except torch.OutOfMemoryError as error:
        raise as_memory_error(error, find_device(), job.training) from error


def _train(places: Places, job: Job, progress: Progress, stop: StopSignal) -> None:
    values = job.training
    device = find_device()
    if not is_stand_in(places.weights):
        refuse_unused_gpu(device, places.resources_file)
    items = check(places.pictures, job.pictures, values.resolution)
    learned = [item for item in items if not item.picture.held_out]
    kept_back = [item for item in items if item.picture.held_out]
    family = find_family(job.family)
    weights = find_weights(job.base_model, family.parts, places)
    _show_licence(weights)
    if weights.stand_in:
        # So small a model is not worth sharing out among cores.
        torch.set_num_threads(1)

    options = pick_for(device, resolution=values.resolution, batch_size=values.batch_size)
    progress.describe(device=device.words, options=options.training_words, stand_in=weights.stand_in)
    say(f"On {device.words}: {options.training_words}.")
    if device.kind == "cpu" and not weights.stand_in:
        progress.warn("There is no NVIDIA GPU: on a CPU this takes days or weeks.")
    needed = needed_gb(options, values.resolution, values.batch_size)
    if device.kind == "cuda" and needed > usable_gb(device):
        progress.warn(
            f"This may not fit: about {needed:.0f} GB are needed of the GPU's {device.memory_gb:.0f} GB."
        )

    triggers = find_triggers(job.characters, [item.picture for item in learned])
    balanced = balance([item.picture.characters for item in learned])
    for warning in (*say_fits(items, values.resolution), *say_triggers(triggers), *balanced.warnings()):
        progress.warn(warning)
    say(balanced.words())

    progress.phase("encoding")
    torch_device = torch.device(device.kind)
    encoders = family.load_encoders(weights, options, torch_device)
    examples = encode(places.pictures, learned, encoders)
    held_out_examples = encode(places.pictures, kept_back, encoders)
    # The GPU's memory is for the denoiser now.
    del encoders
    gc.collect()
    if device.kind == "cuda":
        torch.cuda.empty_cache()

    progress.phase("loading")
    denoiser = family.load_denoiser(weights, options, torch_device, rank=values.rank, seed=values.seed)
    loop = Loop(
        places=places,
        values=values,
        denoiser=denoiser,
        examples=examples,
        order=Order([item.fit.bucket for item in learned], balanced.repeats, values.batch_size, values.seed),
        held_out=HeldOut(denoiser, held_out_examples, [item.picture.shot for item in kept_back], values.seed),
        states=States(places.work, fingerprint(job, items, options)),
        options=options,
        on_cpu=device.kind == "cpu",
        progress=progress,
        stop=stop,
    )
    ended = loop.run()

    progress.phase("saving")
    denoiser.save_adapter(places.adapter)
    write_card(
        places.adapter,
        Told(
            job=job,
            weights=weights,
            device=device.words,
            options=options.training_words,
            triggers=triggers,
            balance=balanced,
            items=items,
            held_out_before=ended.held_out_before,
            held_out_after=ended.held_out_after,
            warnings=progress.warnings,
        ),
    )
    progress.phase("done")
    say(f"Done: {places.adapter}")


def _show_licence(weights: Weights) -> None:
    licence = weights.licence
    say(f"Base model: {weights.name}")
    say(f"Its licence: {licence.name}{f', {licence.link}' if licence.link else ''}")
    if licence.text is not None:
        say(f"--- {licence.text.name}")
        say(licence.text.read_text(encoding="utf-8").rstrip())
        say("---")
