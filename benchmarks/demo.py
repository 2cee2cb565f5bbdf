"""How long the demo takes on this machine, cold and again, and what the second run pays.

    .venv/bin/python -m benchmarks.demo

Needs `make setup`. It works in a folder of its own and leaves nothing behind. Cold means that nothing was deployed
and nothing paid; again means the same upload to the same bucket, the embedded AWS having been down in between.
"""

import json
import os
import platform
import resource
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "examples" / "demo"


@dataclass(frozen=True)
class Measured:
    """One run of the demo."""

    wall_s: float
    paid_calls: int
    pictures: dict[str, int]


def measure(state: Path, out: Path) -> Measured:
    """Run the demo once, in the state folder given, and measure it.

    Raises:
        SystemExit: The demo failed; with what it printed.
    """
    paid_before = _paid_calls(state)
    command: list[str | Path] = [
        ROOT / ".venv/bin/storycast",
        "upload",
        DEMO / "clip.mp4",
        "--project",
        DEMO / "project.yaml",
    ]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--follow", "--out", out, "--state", state], capture_output=True, text=True, check=False
    )
    wall_s = time.monotonic() - began
    if done.returncode:
        raise SystemExit(f"{done.stdout}\n{done.stderr}")
    (run,) = out.iterdir()
    curated = [json.loads(line) for line in (run / "curated.jsonl").read_text().splitlines()]
    pictures = Counter(image["character"] for image in curated)
    return Measured(wall_s, _paid_calls(state) - paid_before, dict(sorted(pictures.items())))


def main() -> None:
    """Run the demo twice and print what was measured."""
    (ROOT / ".storycast").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".storycast", prefix="benchmark-") as folder:
        cold, again = (measure(Path(folder) / "state", Path(folder) / f"out-{number}") for number in range(2))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end, local stand-ins"
    )
    for name, measured in (("cold", cold), ("again", again)):
        print(
            f"{name:6} {measured.wall_s:6.1f} s  {measured.paid_calls:4} paid calls  pictures {measured.pictures}"
        )
    # The largest single process: the kernel keeps no sum over processes that live side by side.
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    figures = {
        "cold_s": round(cold.wall_s, 1),
        "again_s": round(again.wall_s, 1),
        "paid_calls_cold": cold.paid_calls,
        "paid_calls_again": again.paid_calls,
        "pictures": sum(cold.pictures.values()),
        "characters": len(cold.pictures),
        "peak_mb_largest_process": round(peak_mb),
        "models": "local stand-ins",
    }
    print(json.dumps(figures))


def _paid_calls(state: Path) -> int:
    log = state / "calls.jsonl"
    return sum(json.loads(line)["paid"] for line in log.read_text().splitlines()) if log.exists() else 0


if __name__ == "__main__":
    main()
