"""A child that plays the trainer's part by its files, for tests of the stand-in's states. No model, no torch.

Run as ``scripted_trainer.py -m trainer.tiny FOLDER`` and as ``scripted_trainer.py -m trainer --root ROOT train``.
What it does beside is in the variable ``PLAY`` of the job's environment.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PLAY = json.loads(os.environ.get("PLAY", "{}"))
STEPS, STEP_S = PLAY.get("steps", 5), PLAY.get("step_s", 0.02)


def make_model(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (folder / "STAND-IN.txt").write_text("STAND-IN: nothing.\n")


def progress(root: Path, phase: str, step: int | None) -> None:
    file = root / "checkpoints/progress.json"
    file.with_suffix(".part").write_text(json.dumps({"phase": phase, "step": step, "step_count": STEPS}))
    file.with_suffix(".part").replace(file)


def train(root: Path) -> int:
    work = root / "checkpoints"
    state = work / "state.txt"
    begun = int(state.read_text()) if state.exists() else 0
    here = {name: value for name, value in os.environ.items() if name != "PLAY"}
    files = sorted(str(file.relative_to(root)) for file in root.rglob("*") if file.is_file())
    job = json.loads((root / "input/data/job/job.json").read_text())
    mark = root / "input/data/weights/STAND-IN.txt"
    seen = {
        "begun": begun,
        "environment": here,
        "files": files,
        "job": job,
        "mark": mark.read_text() if mark.exists() else "",
        "machine": json.loads((root / "input/config/resourceconfig.json").read_text()),
        "arguments": sys.argv[1:],
        "cwd": str(Path.cwd()),
    }
    (work / f"seen-{begun}.json").write_text(json.dumps(seen))
    if PLAY.get("grandchild"):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        (work / "grandchild").write_text(str(child.pid))
    (work / "pid").write_text(str(os.getpid()))
    (work / "old-state").write_text("gone soon")
    if PLAY.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    step = begun
    try:
        while step < STEPS:
            step += 1
            if step == begun + 1 or not PLAY.get("seldom"):
                progress(root, "training", step)
            print(f"step={step}/{STEPS} train_loss={1 / step:.6f} pictures_per_second=2.5", flush=True)
            time.sleep(STEP_S)
    finally:
        state.write_text(str(step))
    (work / "old-state").unlink()
    if message := PLAY.get("fail"):
        (root / "output/failure").write_text(message + "x" * PLAY.get("padding", 0))
        return 1
    if PLAY.get("crash"):
        return 3
    (work / "adapter").mkdir(exist_ok=True)
    (work / "adapter/weights.bin").write_bytes(b"w" * 1000)
    (root / "model/README.txt").write_text("All is in the checkpoints.")
    progress(root, "done", step)
    return 0


if __name__ == "__main__":
    assert sys.argv[1] == "-m", sys.argv
    if sys.argv[2] == "trainer.tiny":
        make_model(Path(sys.argv[3]))
    else:
        assert sys.argv[2:4] == ["trainer", "--root"], sys.argv
        sys.exit(train(Path(sys.argv[4])))
