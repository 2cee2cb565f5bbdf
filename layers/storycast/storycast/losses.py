"""Losses: how a training went, step by step, as the service that trains writes them."""

import csv
import io
import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Loss:
    """A line of the metrics that a training job writes."""

    step: int
    epoch: int
    loss: float
    held_out: float | None = None
    """On the pictures that are not trained on; None where it was not measured at that step."""


def read_losses(content: bytes) -> list[Loss]:
    """Read the metrics of a training job: ``step_number``, ``epoch_number``, ``training_loss``.

    An adapter's training tells ``held_out_loss`` beside them, at some steps. Lines that hold no numbers are passed
    over.

    Raises:
        ValueError: It is no text.
    """
    losses = []
    for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"))):
        try:
            step, loss = int(float(row["step_number"])), float(row["training_loss"])
            epoch = int(float(row.get("epoch_number") or 0))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(loss):
            losses.append(Loss(step, epoch, loss, _number(row.get("held_out_loss"))))
    return sorted(losses, key=lambda one: one.step)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
