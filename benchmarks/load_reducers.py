"""What the functions take that see a whole run at once: processor time and peak memory by the number of frames.

    .venv/bin/python -m benchmarks.load_reducers --frames 1000 10000 50000

Needs `make setup` and Linux; no emulator. Each stage runs in a process of its own over a made-up run, in order, on
what the stage before it has left. Children's results (detections, crops with embeddings, captions, frames) are
made as they are read: they and the bucket are not in the memory that is measured; making them is in the processor
time. That is hardly disturbed by what else the machine does. Requests are counted, since here they cost nothing.
The last line is JSON.
"""

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.load_run import RUN_ID, MadeRun, make_run, write_run
from benchmarks.load_store import RunStore
from storycast.adapters.clients import client  # noqa: F401 -- part of what a function has in memory
from storycast.plan import RunPlan, read_plan
from storycast.stages.apply_review import apply_review
from storycast.stages.curate_dataset import curate_dataset
from storycast.stages.list_frames import list_frames
from storycast.stages.name_characters import name_characters
from storycast.stages.prepare_review import prepare_review
from storycast.stages.report_run import report_run
from storycast.stages.write_dataset import write_dataset
from tests.fakes.aws_training import Clock, MemoryBook
from tests.fakes.reviews import MemoryReviewLog
from tests.fakes.services import HeardNotifier

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
type Stage = Callable[[RunPlan, RunStore], dict[str, Any]]

STAGES: dict[str, Stage] = {
    "ListFrames": lambda plan, store: list_frames(plan, store=store, now=NOW),
    "NameCharacters": lambda plan, store: name_characters(plan, store=store),
    "CurateDataset": lambda plan, store: curate_dataset(plan, store=store, now=NOW),
    "WriteDataset": lambda plan, store: write_dataset(plan, store=store),
    "PrepareReview": lambda plan, store: prepare_review(plan, store=store, log=MemoryReviewLog(), now=NOW),
    "ApplyReview": lambda plan, store: apply_review(
        plan, store=store, log=MemoryReviewLog(), notifier=HeardNotifier(), now=NOW
    ),
    "ReportRun": lambda plan, store: report_run(
        plan.run_id, store=store, book=MemoryBook(Clock(NOW)), notifier=HeardNotifier(), now=NOW
    ),
}


def main() -> None:
    """Measure each size and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load_reducers")
    parser.add_argument("--frames", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--pictures", type=int, default=1000, help="selection.images_per_character")
    parser.add_argument("--only", nargs="+", choices=list(STAGES), default=list(STAGES), help="stages to measure")
    parser.add_argument("--stage", choices=[*STAGES, "make"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where the made-up runs lie; a folder that goes by default")
    asked = parser.parse_args()
    if asked.stage:
        print(json.dumps(_in_this_process(asked.stage, asked.folder, asked.frames[0], asked.pictures)))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; made-up run, no model")
    sizes = []
    with tempfile.TemporaryDirectory() as temporary:
        for frames in sorted(asked.frames):
            folder = (asked.folder or Path(temporary)) / str(frames)
            if not folder.exists():
                _measured("make", folder, frames, asked.pictures)
            measured = {stage: _measured(stage, folder, frames, asked.pictures) for stage in asked.only}
            sizes.append({"frames": frames, "stages": measured})
            _print_size(frames, measured, sizes)
    print(json.dumps({"benchmark": "load_reducers", "pictures_per_character": asked.pictures, "sizes": sizes}))


def _print_size(frames: int, measured: dict[str, Any], sizes: Sequence[dict[str, Any]]) -> None:
    before = sizes[-2] if len(sizes) > 1 else None
    columns = {"cpu_s": "CPU s", "wall_s": "wall s", "before_mb": "before MB", "peak_mb": "peak MB"}
    columns |= {"requests": "requests", "answer_bytes": "answer B"}
    print(f"\n{f'{frames:,} frames':18}" + "".join(f"{title:>11}" for title in columns.values()) + "  growth")
    for stage, one in measured.items():
        grown = ""
        if before and stage in before["stages"]:
            times = math.log(frames / before["frames"])
            grown = f"CPU^{math.log(one['cpu_s'] / before['stages'][stage]['cpu_s']) / times:.2f}"
        print(f"{stage:18}" + "".join(f"{one[name]:>11}" for name in columns) + f"  {grown}", flush=True)


def _measured(stage: str, folder: Path, frames: int, pictures: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.load_reducers", "--stage", stage, "--folder", str(folder)]
    command += ["--frames", str(frames), "--pictures", str(pictures)]
    # As in the template: more threads would count twice, and help little.
    variables = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    if done.returncode:
        raise SystemExit(f"{stage} on {frames} frames failed:\n{done.stderr}")
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _in_this_process(stage: str, folder: Path, frames: int, pictures: int) -> dict[str, Any]:
    if stage == "make":
        made = make_run(folder, frames)
        write_run(RunStore(folder, made), made, pictures)
        return {}
    store = RunStore(folder, MadeRun.read(folder))
    plan = read_plan(store, RUN_ID)
    before_mb = _peak_mb()
    began, cpu = time.perf_counter(), time.process_time()
    answer = STAGES[stage](plan, store)
    return {
        "cpu_s": round(time.process_time() - cpu, 2),
        "wall_s": round(time.perf_counter() - began, 2),
        "before_mb": round(before_mb),
        "peak_mb": round(_peak_mb()),
        "requests": store.requests,
        "answer_bytes": len(json.dumps(answer).encode()),
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
