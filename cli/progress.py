"""How progress looks: a table that is redrawn on a terminal, one line per change elsewhere."""

from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.following import Counts, Shown, Snapshot, StageProgress, flattened
from cli.screen import Screen, printable

QUIET_SECONDS = 10.0
"""A map's count is a line of its own at every tenth of its items, or after this long."""
LONG_QUIET_SECONDS = 60.0
"""The same of a job that works for hours."""

_MARKS = {"pending": "·", "running": "▸", "done": "✓", "skipped": "-", "stopped": "✗"}
_STYLES = {"pending": "dim", "running": "bold", "done": "green", "skipped": "dim", "stopped": "red"}


def progress_on(screen: Screen) -> Shown:
    """Return what shows progress on this screen."""
    return LiveProgress(screen) if screen.is_live else PlainProgress(screen)


def clock(seconds: float) -> str:
    """Return a duration as people write it, such as ``0:07`` or ``1:02:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def counted(counts: Counts | None) -> str:
    """Return a map's counts in words; empty where there are none."""
    if counts is None:
        return ""
    failed = f", {counts.failed} failed" if counts.failed else ""
    what = f" {counts.what}" if counts.what else ""
    return f"{counts.done + counts.failed} of {counts.total}{what}{failed}"


def told(one: StageProgress) -> str:
    """Return what is known of a stage beside its state: its counts, what is measured, what its loop saw last."""
    return ", ".join(filter(None, [counted(one.counts), one.figures, one.note]))


class PlainProgress:
    """One line per change, for logs."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._states: dict[str, str] = {}
        self._counts: dict[str, tuple[Counts, float]] = {}
        self._notes: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def update(self, snapshot: Snapshot) -> None:
        """Print what changed since the snapshot before."""
        for depth, name, one in flattened(snapshot.stages):
            before = self._states.get(name, "pending")
            self._states[name] = one.state
            label = f"{'  ' * depth}{one.stage.label}"
            if one.state == before:
                if one.state == "running" and self._is_news(name, one, snapshot.seconds):
                    self._line(snapshot, label, told(one))
                continue
            if one.state == "running":
                self._line(snapshot, label, told(one) or "begins")
                self._is_news(name, one, snapshot.seconds)
            elif one.state == "done":
                self._line(snapshot, label, ", ".join(filter(None, [counted(one.counts), _took(one)])))
            elif one.state == "stopped":
                self._line(snapshot, label, "stopped")

    def _is_news(self, name: str, one: StageProgress, seconds: float) -> bool:
        is_noted = one.note != self._notes.get(name, "")
        self._notes[name] = one.note
        said, said_at = self._counts.get(name, (None, 0.0))
        if one.counts is None or said == one.counts:
            return is_noted
        quiet_seconds = LONG_QUIET_SECONDS if one.figures else QUIET_SECONDS
        if not is_noted and said and seconds - said_at < quiet_seconds:
            step = max(one.counts.total // 10, 1)
            if said.total == one.counts.total and (
                (one.counts.done + one.counts.failed) // step == (said.done + said.failed) // step
            ):
                return False
        self._counts[name] = (one.counts, seconds)
        return True

    def _line(self, snapshot: Snapshot, label: str, what: str) -> None:
        self._screen.say(f"{clock(snapshot.seconds):>7}  {label}: {what}")


def _took(one: StageProgress) -> str:
    return f"done in {one.seconds:.1f} s" if one.seconds < 60 else f"done in {clock(one.seconds)}"


class LiveProgress:
    """A table of stages, redrawn in place."""

    def __init__(self, screen: Screen) -> None:
        self._live = Live(console=screen.console, auto_refresh=False, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def update(self, snapshot: Snapshot) -> None:
        """Redraw."""
        self._live.update(drawn(snapshot), refresh=True)


def drawn(snapshot: Snapshot) -> RenderableType:
    """Return a snapshot as a table, with what the run waits for below it."""
    table = Table.grid(padding=(0, 2))
    for depth, _, one in flattened(snapshot.stages):
        if one.state == "skipped":
            continue
        style = _STYLES[one.state]
        entered = one.state != "pending"
        table.add_row(
            Text(_MARKS[one.state], style),
            Text(f"{'  ' * depth}{one.stage.label}", style),
            Text(printable(told(one)), style),
            Text(clock(one.seconds) if entered else "", "dim"),
        )
    parts: list[RenderableType] = [table]
    parts += [Text(f"  {waits_for(one)}", "dim") for one in snapshot.running]
    parts.append(Text(f"{snapshot.status.lower()}, {clock(snapshot.seconds)}", "dim"))
    return Group(*parts)


def waits_for(one: StageProgress) -> str:
    """Return what a running stage is about, in the words of the deployed definition."""
    return printable(one.stage.comment or one.stage.label)
