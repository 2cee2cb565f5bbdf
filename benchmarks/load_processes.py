"""What the processes of an embedded AWS take while something runs: peak memory and processor time, by kind."""

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_SERVERS = {"local.gateway": "gateway", "ministack": "emulator", "standins": "stand-ins"}
"""By a word of the command; the gateway's names the others' ports, too."""


@dataclass
class Used:
    """What all processes of one kind took."""

    peaks_mb: dict[int, float] = field(default_factory=dict)
    """Peak resident memory of each, by its process number; Linux keeps it (VmHWM)."""
    cpu_s: dict[int, float] = field(default_factory=dict)

    @property
    def peak_mb(self) -> float:
        """The most that one process held."""
        return max(self.peaks_mb.values(), default=0.0)

    @property
    def mean_mb(self) -> float:
        """Mean of the processes' peaks."""
        return sum(self.peaks_mb.values()) / max(len(self.peaks_mb), 1)

    @property
    def total_cpu_s(self) -> float:
        """Processor seconds of all."""
        return sum(self.cpu_s.values())


class ProcessWatch:
    """Looks at an embedded AWS's processes every second while the block runs.

    Args:
        state_dir: The instance's folder; other instances' processes are passed over.
    """

    def __init__(self, state_dir: Path) -> None:
        self.functions: dict[str, Used] = {}
        """By the function's name on the embedded AWS."""
        self.servers: dict[str, Used] = {}
        self._state_dir = os.fsencode(state_dir.resolve())
        self._kinds: dict[int, tuple[dict[str, Used], str] | None] = {}
        self._begun: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "ProcessWatch":
        self._look()
        self._begun = {pid: cpu for used in self._all() for pid, cpu in used.cpu_s.items()}
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _all(self) -> list[Used]:
        return [*self.functions.values(), *self.servers.values()]

    def _watch(self) -> None:
        while not self._ended.wait(1.0):
            self._look()

    def _look(self) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            pid = int(process.name)
            try:
                if pid not in self._kinds:
                    self._kinds[pid] = self._kind(process)
                kind = self._kinds[pid]
                if kind is None:
                    continue
                table, name = kind
                status = (process / "status").read_text(encoding="ascii", errors="replace")
                # Behind the command's name, which may hold spaces: fields 14 and 15 of proc(5).
                times = (process / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            except (OSError, ValueError):
                continue
            used = table.setdefault(name, Used())
            told = status.partition("VmHWM:")[2].split()
            if told:
                used.peaks_mb[pid] = max(used.peaks_mb.get(pid, 0.0), int(told[0]) / 1024)
            used.cpu_s[pid] = (int(times[11]) + int(times[12])) / _TICKS - self._begun.get(pid, 0.0)

    def _kind(self, process: Path) -> tuple[dict[str, Used], str] | None:
        environment = (process / "environ").read_bytes().split(b"\0")
        if b"HOME=" + self._state_dir not in environment:
            return None
        for one in environment:
            if one.startswith(b"AWS_LAMBDA_FUNCTION_NAME="):
                return self.functions, one.partition(b"=")[2].decode()
        command = (process / "cmdline").read_bytes().decode(errors="replace")
        return next(((self.servers, name) for word, name in _SERVERS.items() if word in command), None)
