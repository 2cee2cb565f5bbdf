"""The losses step by step: ``metrics.csv``, and lines on stdout that CloudWatch's metrics are cut from."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from trainer.progress import say, write_whole

HEADER = (
    "step_number",
    "epoch_number",
    "training_loss",
    "held_out_loss",
    "learning_rate",
    "pictures_per_second",
)


@dataclass(frozen=True)
class Row:
    """What is known after a step."""

    step_number: int
    epoch_number: int
    """From 1."""
    training_loss: float
    """Mean since the row before."""
    held_out_loss: float | None
    learning_rate: float
    pictures_per_second: float


class Metrics:
    """The file of losses."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def begin(self, after_step: int) -> None:
        """Keep what an earlier part of the training wrote up to a step, and nothing else."""
        kept: list[list[str]] = []
        if after_step and self._file.is_file():
            with self._file.open(newline="", encoding="utf-8") as opened:
                rows = [row for row in csv.reader(opened) if len(row) == len(HEADER) and row[0].isdigit()]
            kept = [row for row in rows if int(row[0]) <= after_step]
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\n").writerows([HEADER, *kept])
        write_whole(self._file, out.getvalue().encode())

    def add(self, row: Row, step_count: int) -> None:
        """Add a row, and say it."""
        held_out = "" if row.held_out_loss is None else f"{row.held_out_loss:.6f}"
        with self._file.open("a", newline="", encoding="utf-8") as opened:
            csv.writer(opened, lineterminator="\n").writerow(
                (
                    row.step_number,
                    row.epoch_number,
                    f"{row.training_loss:.6f}",
                    held_out,
                    f"{row.learning_rate:.3g}",
                    f"{row.pictures_per_second:.3f}",
                )
            )
        say(
            f"step={row.step_number}/{step_count} train_loss={row.training_loss:.6f} "
            f"{f'held_out_loss={held_out} ' if held_out else ''}pictures_per_second={row.pictures_per_second:.2f}"
        )
