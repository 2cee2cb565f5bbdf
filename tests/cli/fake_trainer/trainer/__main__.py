"""Plays one job: progress, success, failure, a crash, or an end that somebody asks for, as FAKE_TRAINER says."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

BEHAVIOUR = os.environ.get("FAKE_TRAINER", "")
STEPS = 10
root = Path(sys.argv[sys.argv.index("--root") + 1])
work = root / "checkpoints"
data = root / "input/data"
job = json.loads((data / "job/job.json").read_text())


def progress(phase: str, **known: Any) -> None:
    told = {"format": "storycast-progress-1", "task": job["task"], "phase": phase, "stand_in": "", "warnings": []}
    told |= {"device": "a fake of a GPU, 22 GB", "options": "bf16", "eta_s": 90, **known}
    (work / "part").write_text(json.dumps(told))
    (work / "part").replace(work / "progress.json")


def save(_signal: int, _frame: object) -> None:
    (work / "state.json").write_text(json.dumps(done))
    sys.exit(143)


def train() -> None:
    for file in [data / "pictures" / one["file"] for one in job["pictures"]]:
        file.read_bytes()
    if (work / "state.json").exists():
        done.update(json.loads((work / "state.json").read_text()))
        print(f"resumed at {done['step']}", flush=True)
    while done["step"] < STEPS:
        done["step"] += 1
        step = done["step"]
        progress("training", step=step, step_count=STEPS, loss=1 / step, warnings=["one caption is long"])
        time.sleep(0.02)
        while BEHAVIOUR == "hang" and step == 3:
            time.sleep(0.02)
    progress("training", step=STEPS, step_count=STEPS, loss=0.1, held_out_loss=0.2, pictures_per_second=1.5)
    time.sleep(0.1)
    (work / "metrics.csv").write_text("step_number,epoch_number,training_loss\n10,1,0.1\n")
    (work / "held_out.json").write_text('{"shots": []}')
    (work / "adapter").mkdir()
    (work / "adapter/adapter.json").write_text(
        json.dumps({"format": "storycast-adapter-1", "stand_in": "random weights"})
    )
    (work / "adapter/job.json").write_text(json.dumps(job))
    (work / "adapter/offline").write_text(os.environ.get("HF_HUB_OFFLINE", ""))


def draw() -> None:
    (data / "adapter/adapter.json").read_bytes()
    (work / "panels").mkdir(exist_ok=True)
    for one in job["panels"]:
        record = work / "panels" / f"{one['fingerprint']}.json"
        if record.exists():
            continue
        is_refused = "nobody" in one["prompt"]
        names = (
            [] if is_refused else [f"{one['fingerprint']}-{number}.png" for number in range(one["image_count"])]
        )
        for name in names:
            (work / "panels" / name).write_bytes(b"png of " + name.encode())
        why = "the picture came out black" if is_refused else ""
        told = {"fingerprint": one["fingerprint"], "pictures": names, "refused": why, "seconds": 1.0}
        record.write_text(json.dumps(told))


done = {"step": 0}
signal.signal(signal.SIGTERM, save)
print(f"fake trainer: {job['task']}, pid {os.getpid()}", flush=True)
if BEHAVIOUR == "fail":
    (root / "output/failure").write_text(
        "GpuMemoryError: The GPU holds 8 GB. Set training.lora.resolution to 768."
    )
    sys.exit(1)
if BEHAVIOUR == "crash":
    os.kill(os.getpid(), signal.SIGKILL)
if BEHAVIOUR == "nothing":
    sys.exit(0)
{"train": train, "draw": draw}[job["task"]]()
progress("done", step=STEPS, step_count=STEPS, loss=0.1, held_out_loss=0.2)
