"""How a trainer's progress looks: a bar on a terminal, one line per change elsewhere."""

import time
from pathlib import Path
from typing import Protocol, Self

from pydantic import ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from cli.progress import clock
from cli.screen import Screen, printable
from storycast.lora_work import JobProgress

QUIET_SECONDS = 60.0
"""Where lines are printed, one comes at each tenth of the steps, or after this long."""


class TrainerProgress(JobProgress):
    """``progress.json``, with what only whoever follows the job is told."""

    pictures_per_second: float | None = None
    device: str | None = None
    options: str | None = None
    stand_in: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def figures(self) -> str:
        """What is measured, in words."""
        told = [
            f"loss {self.loss:.4f}" if self.loss is not None else "",
            f"held out {self.held_out_loss:.4f}" if self.held_out_loss is not None else "",
            f"{self.pictures_per_second:.2f} pictures/s" if self.pictures_per_second is not None else "",
            f"{clock(self.eta_s)} left" if self.eta_s else "",
        ]
        return ", ".join(filter(None, told))


def read_progress(file: Path) -> TrainerProgress | None:
    """Read what the trainer says of itself; None where it has not said anything yet."""
    try:
        return TrainerProgress.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None


class ProgressShown(Protocol):
    """What shows a trainer's progress."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def update(self, progress: TrainerProgress | None) -> None:
        """Show what is known now."""


def progress_shown(screen: Screen, what: str) -> ProgressShown:
    """Return what shows a trainer's progress on this screen; ``what`` is what it does, such as ``Training``."""
    return _Live(screen, what) if screen.is_live else _Plain(screen, what)


class _News:
    """Says once what is worth a line of its own, however progress is shown."""

    def __init__(self, screen: Screen, what: str) -> None:
        self._screen = screen
        self._what = what
        self._said: set[str] = set()

    def tell(self, progress: TrainerProgress) -> None:
        if progress.device:
            options = f" {progress.options}." if progress.options else ""
            self._once(f"{self._what} on {progress.device}.{options}")
        if progress.stand_in:
            self._once(progress.stand_in, is_warning=True)
        for warning in progress.warnings:
            self._once(warning, is_warning=True)

    def _once(self, text: str, *, is_warning: bool = False) -> None:
        if text not in self._said:
            self._said.add(text)
            (self._screen.warn if is_warning else self._screen.say)(text)


class _Plain(_News):
    """One line per change, for logs."""

    def __init__(self, screen: Screen, what: str) -> None:
        super().__init__(screen, what)
        self._began = time.monotonic()
        self._phase = ""
        self._tenth = -1
        self._held_out: float | None = None
        self._said_at = self._began

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def update(self, progress: TrainerProgress | None) -> None:
        if progress is None:
            return
        self.tell(progress)
        if progress.phase == "done":
            return  # who started it says what came of it
        now = time.monotonic()
        step, step_count = progress.step or 0, progress.step_count or 0
        tenth = step * 10 // step_count if step_count else 0
        is_news = (progress.phase, tenth, progress.held_out_loss) != (self._phase, self._tenth, self._held_out)
        if not is_news and now - self._said_at < QUIET_SECONDS:
            return
        self._phase, self._tenth, self._held_out, self._said_at = (
            progress.phase,
            tenth,
            progress.held_out_loss,
            now,
        )
        of_what = "picture" if progress.phase == "drawing" else "step"
        counted = f"{of_what} {step:,} of {step_count:,}" if step_count else ""
        told = ", ".join(filter(None, [counted, progress.figures]))
        self._screen.say(f"{clock(now - self._began):>7}  {progress.phase}" + (f": {told}" if told else ""))


class _Live(_News):
    """A bar that is redrawn in place."""

    def __init__(self, screen: Screen, what: str) -> None:
        super().__init__(screen, what)
        self._began = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            console=screen.console,
            auto_refresh=False,
        )
        self._task: TaskID = self._bar.add_task("starting", total=None, figures="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def update(self, progress: TrainerProgress | None) -> None:
        spent = clock(time.monotonic() - self._began)
        if progress is None:
            self._bar.update(self._task, figures=spent, refresh=True)
            return
        self.tell(progress)
        self._bar.update(
            self._task,
            description=printable(progress.phase),
            completed=progress.step or 0,
            total=progress.step_count or None,
            figures=", ".join(filter(None, [progress.figures, spent])),
            refresh=True,
        )
