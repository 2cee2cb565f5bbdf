"""The training itself: LoRA on the denoiser, by accelerate."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.optimization import get_scheduler
from safetensors.torch import load_file, save_file
from torch import nn

from trainer.errors import LossNotFiniteError
from trainer.families import Denoiser, Example
from trainer.held_out import HeldOut
from trainer.job import Values
from trainer.memory import Options
from trainer.metrics import Metrics, Row
from trainer.order import Order, draws_and_noise
from trainer.places import ADAPTER_FILE, Places
from trainer.progress import Progress, say
from trainer.states import States
from trainer.stopping import Stopped, StopSignal

MOST_GRADIENT = 1.0
"""Longer gradients are cut to this length, as in diffusers' example."""
MOST_STEPS_UNSAVED = 250


def log_every(step_count: int) -> int:
    """After how many steps a line is written."""
    return max(1, min(25, step_count // 30))


def save_every(step_count: int) -> int:
    """After how many steps a state is saved."""
    return max(1, min(MOST_STEPS_UNSAVED, step_count // 10))


@dataclass
class Position:
    """Where the loop is; saved with each state."""

    step: int = 0
    """Steps done."""
    loss_sum: float = 0.0
    """Of the steps since the last line."""
    loss_count: int = 0
    measured_step: int = -1
    """When the held-out loss was measured last."""
    held_out_before: dict[str, float] = field(default_factory=dict)
    """By shot, before the first step."""
    held_out_after: dict[str, float] = field(default_factory=dict)
    """By shot, the last time that it was measured."""


class Loop:
    """One training, from the first step or from a state to the last step."""

    def __init__(
        self,
        *,
        places: Places,
        values: Values,
        denoiser: Denoiser,
        examples: Sequence[Example],
        order: Order,
        held_out: HeldOut,
        states: States,
        options: Options,
        on_cpu: bool,
        progress: Progress,
        stop: StopSignal,
    ) -> None:
        self._places, self._values = places, values
        self._denoiser, self._examples, self._order, self._held_out = denoiser, examples, order, held_out
        self._states, self._progress, self._stop = states, progress, stop
        self._metrics = Metrics(places.metrics_file)
        self._accelerator = Accelerator(
            mixed_precision="no" if options.precision == "fp32" else options.precision, cpu=on_cpu
        )
        self._trained = denoiser.parameters()
        optimizer = _optimizer(options)(self._trained, lr=values.learning_rate)
        # The rate is constant, so that the same job with more steps goes on where it ended.
        self._network, self._optimizer, self._rates = self._accelerator.prepare(
            denoiser.network, optimizer, get_scheduler("constant", optimizer=optimizer)
        )
        self._accelerator.register_save_state_pre_hook(self._save_adapter_alone)
        self._accelerator.register_load_state_pre_hook(self._load_adapter_alone)
        self._at = Position()

    def run(self) -> Position:
        """Train until the last step.

        Raises:
            LossNotFiniteError: The training diverged.
            Stopped: It was asked to end; the state is saved.
        """
        self._resume()
        at, step_count = self._at, self._values.step_count
        measured_after = self._held_out.steps(step_count, self._values.batch_size)
        saved_step = at.step
        self._progress.phase("training")
        self._network.train()
        pace = _Pace()
        with self._stop.put_off():
            # What is due after a step comes at the top, so that it also comes after resuming, and never twice.
            while not self._stop.requested:
                is_last = at.step == step_count
                if at.step in measured_after and at.measured_step != at.step:
                    with pace.paused():
                        if not self._measure():
                            break
                if at.loss_count and (
                    is_last or at.measured_step == at.step or at.step % log_every(step_count) == 0
                ):
                    self._tell(pace)
                if saved_step != at.step and (is_last or at.step % save_every(step_count) == 0):
                    with pace.paused():
                        self._save()
                    saved_step = at.step
                if is_last:
                    return at
                pace.seen += self._step()
            if saved_step != at.step:
                self._save()
        raise Stopped

    def _step(self) -> int:
        """Do one step; say how many pictures it saw."""
        examples = [self._examples[index] for index in self._order.batch(self._at.step)]
        draws, noise = draws_and_noise(
            self._values.seed, "noise", self._at.step, len(examples), examples[0].moments.shape[1:]
        )
        loss = self._denoiser.losses(self._network, examples, draws, noise).mean()
        value = float(loss.item())
        if not math.isfinite(value):
            raise LossNotFiniteError(
                f"The loss of step {self._at.step + 1} is {value}: the training has diverged. Lower "
                f"training.learning_rate (now {self._values.learning_rate:g}) and start it again."
            )
        self._accelerator.backward(loss)
        self._accelerator.clip_grad_norm_(self._trained, MOST_GRADIENT)
        self._optimizer.step()
        self._rates.step()
        self._optimizer.zero_grad()
        self._at.step += 1
        self._at.loss_sum += value
        self._at.loss_count += 1
        return len(examples)

    def _measure(self) -> bool:
        """Measure the held-out loss; False where the training was asked to end before that was done."""
        self._network.eval()
        found = self._held_out.measure(self._network, lambda: self._stop.requested)
        self._network.train()
        if found is None:
            return False
        at = self._at
        at.measured_step, at.held_out_after = at.step, found
        if at.step:
            self._held_out.write(self._places.held_out_file, at.held_out_before, at.held_out_after)
        else:
            at.held_out_before = found
            self._progress.step(0, self._values.step_count, held_out_loss=self._held_out.overall(found))
        return True

    def _tell(self, pace: "_Pace") -> None:
        at, step_count = self._at, self._values.step_count
        row = Row(
            step_number=at.step,
            epoch_number=self._order.epoch(at.step - 1) + 1,
            training_loss=at.loss_sum / at.loss_count,
            held_out_loss=self._held_out.overall(at.held_out_after) if at.measured_step == at.step else None,
            learning_rate=float(self._rates.get_last_lr()[0]),
            pictures_per_second=pace.pictures_per_second(),
        )
        at.loss_sum, at.loss_count = 0.0, 0
        self._metrics.add(row, step_count)
        # A step sees the whole batch, but for the last of a bucket: so this errs on the long side.
        left = (step_count - at.step) * self._values.batch_size
        self._progress.remaining(left / row.pictures_per_second if row.pictures_per_second else None)
        self._progress.step(
            at.step,
            step_count,
            loss=round(row.training_loss, 6),
            held_out_loss=row.held_out_loss and round(row.held_out_loss, 6),
            pictures_per_second=round(row.pictures_per_second, 3),
        )

    def _resume(self) -> None:
        found = self._states.newest(self._values.step_count, self._progress.warn)
        if found is not None:
            folder, loop = found
            self._accelerator.load_state(str(folder))
            self._at = Position(**{name: loop[name] for name in Position.__dataclass_fields__})
            say(f"Going on from {folder.name}.")
        self._metrics.begin(self._at.step)
        if not self._at.held_out_after:
            # Whoever reads it finds none instead of another job's.
            self._held_out.write(self._places.held_out_file, {}, {})

    def _save(self) -> None:
        def write(folder: Path) -> None:
            self._accelerator.save_state(str(folder))

        self._states.save(self._at.step, dict(vars(self._at)), write)

    def _save_adapter_alone(self, models: list[nn.Module], weights: list[Any], folder: str) -> None:
        """Save LoRA's weights in place of the whole network's."""
        weights.clear()
        if models:
            save_file(self._denoiser.adapter_state(), Path(folder) / ADAPTER_FILE)

    def _load_adapter_alone(self, models: list[nn.Module], folder: str) -> None:
        """Load what :meth:`_save_adapter_alone` saved."""
        models.clear()
        self._denoiser.load_adapter_state(load_file(Path(folder) / ADAPTER_FILE))


class _Pace:
    """Pictures a second of training alone, since the last time it was asked."""

    def __init__(self) -> None:
        self.seen = 0
        self._since = time.monotonic()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within this, time does not count."""
        began = time.monotonic()
        yield
        self._since += time.monotonic() - began

    def pictures_per_second(self) -> float:
        """Say how fast it was, and begin anew; 0 where it saw none."""
        now = time.monotonic()
        per_second = self.seen / max(now - self._since, 1e-9)
        self.seen, self._since = 0, now
        return per_second


def _optimizer(options: Options) -> Any:
    if options.eight_bit_optimizer:
        import bitsandbytes  # noqa: PLC0415 - it is there on Linux alone, and loads CUDA

        return bitsandbytes.optim.AdamW8bit
    return torch.optim.AdamW
