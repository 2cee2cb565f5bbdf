"""Sampling: how fast, how large, how well cuts are found; next to decoding alone and to the best glue of peers.

    .venv/bin/python -m benchmarks.sampling --video FILE [--rounds 3] [--cache DIR] [--no-cuts]

Ours, the floor (PyAV decodes every frame, threads AUTO) and the glue (ffmpeg: a JPEG a second; PySceneDetect's
AdaptiveDetector over PyAV with its own downscaling; imagehash over the JPEGs) take turns on the same file and
cores, each in a process of its own. Then cuts are compared on made videos whose cuts are known: thresholds of the
peers are chosen on 40 training seeds, and all are measured on 64 others. The last line is JSON. The peers'
environment: ``make setup-benchmarks``.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".tools/benchmarks/bin/python"
TRAINING_SEEDS, TEST_SEEDS = (1000, 1040), (5000, 5064)
TOLERANCE_FRAMES = 1
"""A cut that is found one frame early or late counts; exact ones are counted by themselves."""
DEFAULTS = {
    "AdaptiveDetector": 3.0,
    "ContentDetector": 27.0,
    "HashDetector": 0.35,
    "HistogramDetector": 0.2,
    "ThresholdDetector": 12,
}
"""PySceneDetect's own thresholds."""
Cuts = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Cost:
    """What a process, or several one after another, took."""

    wall_s: float
    cpu_s: float
    peak_mb: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s, max(self.peak_mb, other.peak_mb))


def measured(*command: str | Path, peers: bool = False) -> tuple[Cost, str]:
    """Run a module of ours and return what it took, with its own children, and what it printed."""
    python = PEERS if peers else Path(sys.executable)
    with tempfile.TemporaryFile("w+") as printed:
        begins = time.perf_counter()
        process = subprocess.Popen([python, "-m", *command], cwd=ROOT, stdout=printed, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - begins
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}")
        printed.seek(0)
        return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), printed.read()


def take_turns(video: Path, folder: Path, rounds: int) -> dict[str, list[Cost]]:
    costs: dict[str, list[Cost]] = {"ours": [], "floor": [], "glue": []}
    for number in range(rounds):
        costs["ours"].append(measured("benchmarks.sampling_ours", "pass", video, folder / "ours")[0])
        costs["floor"].append(measured("benchmarks.sampling_peers", "floor", video, peers=True)[0])
        shutil.rmtree(folder / "glue", ignore_errors=True)
        (folder / "glue").mkdir()
        parts = [
            measured("benchmarks.sampling_peers", *part, peers=True)[0]
            for part in (("frames", video, folder / "glue"), ("scenes", video), ("hashes", folder / "glue"))
        ]
        costs["glue"].append(parts[0] + parts[1] + parts[2])
        told = ", ".join(f"{name} {all_[-1].wall_s:.1f} s" for name, all_ in costs.items())
        print(f"round {number + 1}: {told}", flush=True)
    return costs


def tell_costs(costs: Mapping[str, Sequence[Cost]]) -> dict[str, float]:
    print("\n| | wall s, median (all) | CPU s | peak MB |\n|---|---|---|---|")
    for name, all_ in costs.items():
        walls = ", ".join(f"{one.wall_s:.1f}" for one in all_)
        cpu, peak = median(one.cpu_s for one in all_), max(one.peak_mb for one in all_)
        print(f"| {name} | {median(one.wall_s for one in all_):.1f} ({walls}) | {cpu:.1f} | {peak:.0f} |")

    def ratio(one: str, other: str, what: str) -> float:
        pairs = zip(costs[one], costs[other], strict=True)
        return round(float(median(getattr(first, what) / getattr(second, what) for first, second in pairs)), 2)

    return {
        "ratio_vs_glue": ratio("glue", "ours", "wall_s"),
        "ratio_vs_floor": ratio("ours", "floor", "wall_s"),
        "cpu_ratio_vs_glue": ratio("glue", "ours", "cpu_s"),
        "cpu_ratio_vs_floor": ratio("ours", "floor", "cpu_s"),
        "peak_mb": round(max(one.peak_mb for one in costs["ours"])),
    }


def tell_agreement(video: Path, folder: Path) -> dict[str, float]:
    """Compare with the same pass over every frame, look at the ledger and at the JPEGs."""
    measured("benchmarks.sampling_ours", "pass", video, folder / "whole", "whole")
    ours, whole = (json.loads((folder / name / "pass.json").read_text()) for name in ("ours", "whole"))
    outcomes = Counter(frame["outcome"] for frame in ours["frames"])
    numbers = [frame["time_ms"] // 1000 for frame in ours["frames"]]
    intervals = -(-ours["duration_ms"] // 1000)
    if numbers != list(range(intervals)):
        raise SystemExit(f"of {intervals} intervals {len(set(numbers))} are told of")
    print(f"\n{intervals} intervals, all told of: {dict(outcomes)}; {ours['passed_over']} frames not decoded")
    same_cuts = len(set(ours["cuts_ms"]) & set(whole["cuts_ms"])) / len(
        set(ours["cuts_ms"]) | set(whole["cuts_ms"])
    )
    pairs = [
        (one, other)
        for one, other in zip(ours["frames"], whole["frames"], strict=True)
        if one["outcome"] == other["outcome"] == "kept"
    ]
    same_frames = sum(one["time_ms"] == other["time_ms"] for one, other in pairs) / len(pairs)
    sharper = sum(one["sharpness"] / other["sharpness"] for one, other in pairs) / len(pairs)
    print(
        f"next to decoding every frame: {same_cuts:.1%} of cuts equal ({len(ours['cuts_ms'])} and "
        f"{len(whole['cuts_ms'])}), {same_frames:.1%} of kept frames the same, {sharper:.3f} times as sharp"
    )
    measured("benchmarks.sampling_ours", "proof", video, folder / "ours", folder / "proof.json")
    proof = json.loads((folder / "proof.json").read_text())
    print(f"JPEGs: PSNR {proof['median']:.1f} dB (median of {proof['count']}), {proof['least']:.1f} dB at least")
    return {
        "same_cuts": round(same_cuts, 3),
        "same_frames": round(same_frames, 3),
        "sharpness_ratio": round(sharper, 3),
        "psnr_db": round(proof["median"], 1),
    }


def f1(found: Cuts, truth: Mapping[str, Any], tolerance: int) -> tuple[float, int, int, int]:
    """Return F1, hits, false and missed cuts; cuts are frames' numbers."""
    hits = false = missed = 0
    for name, said in truth.items():
        left = list(said["cuts"])
        for cut in found[name]:
            near = [one for one in left if abs(one - cut) <= tolerance]
            if near:
                left.remove(min(near, key=lambda one: abs(one - cut)))
                hits += 1
            else:
                false += 1
        missed += len(left)
    return 2 * hits / (2 * hits + false + missed), hits, false, missed


def made(folder: Path, seeds: tuple[int, int]) -> dict[str, Any]:
    """Return what is true of made videos, which are kept in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if len(list(folder.glob("*.mkv"))) < seeds[1] - seeds[0]:
        measured("benchmarks.sampling_ours", "make", folder, str(seeds[0]), str(seeds[1]))
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("[0-9]*.json")}


def best_settings(folder: Path) -> dict[str, str]:
    """Return each peer's setting that is best on the training seeds; kept in the folder."""
    kept = folder / "best.json"
    if not kept.exists():
        truth = made(folder, TRAINING_SEEDS)
        measured("benchmarks.sampling_peers", "cuts", folder, folder / "peers.json", peers=True)
        peers = json.loads((folder / "peers.json").read_text())
        best: dict[str, tuple[float, str]] = {}
        for key in next(iter(peers.values())):
            score = f1({name: found[key] for name, found in peers.items()}, truth, TOLERANCE_FRAMES)[0]
            detector = json.loads(key)[0]
            best[detector] = max(best.get(detector, (0.0, "")), (score, key))
        kept.write_text(json.dumps({detector: key for detector, (_, key) in best.items()}))
    chosen: dict[str, str] = json.loads(kept.read_text())
    return chosen


def tell_cuts(folder: Path) -> dict[str, float]:
    """Print F1 of all on test seeds; each peer at its default and at what was best on the training seeds."""
    tried = {f"{name}, default": json.dumps([name, threshold, 15]) for name, threshold in DEFAULTS.items()}
    for key in best_settings(folder / "training").values():
        name, threshold, frames = json.loads(key)
        tried[f"{name}, {threshold}, scenes from {frames} frames"] = key
    test = folder / "test"
    truth = made(test, TEST_SEEDS)
    measured("benchmarks.sampling_ours", "cuts", test, test / "ours.json")
    measured("benchmarks.sampling_peers", "cuts", test, test / "peers.json", *set(tried.values()), peers=True)
    ours, peers = (json.loads((test / name).read_text()) for name in ("ours.json", "peers.json"))
    total = sum(len(said["cuts"]) for said in truth.values())
    print(f"\ncuts: {total} in {len(truth)} made videos, {TOLERANCE_FRAMES} frame early or late allowed")
    print("\n| | F1 | found | false | missed | F1, exact frame |\n|---|---|---|---|---|---|")
    rows: dict[str, Cuts] = {
        key: {name: _numbers(found[key], truth[name]["times_ms"]) for name, found in ours.items()}
        for key in next(iter(ours.values()))
    }
    rows |= {label: {name: found[key] for name, found in peers.items()} for label, key in tried.items()}
    scores = {}
    for name, found in rows.items():
        score, hits, false, missed = f1(found, truth, TOLERANCE_FRAMES)
        scores[name] = score
        print(f"| {name} | {score:.3f} | {hits} | {false} | {missed} | {f1(found, truth, 0)[0]:.3f} |")
    peer = max(score for name, score in scores.items() if not name.startswith("ours"))
    return {"f1": round(scores["ours"], 3), "f1_best_peer": round(peer, 3)}


def _numbers(cuts_ms: Sequence[int], times_ms: Sequence[float]) -> list[int]:
    return [min(range(len(times_ms)), key=lambda one: abs(times_ms[one] - cut)) for cut in cuts_ms]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--video", type=Path, required=True)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--cache", type=Path, default=ROOT / ".storycast/benchmarks/sampling")
    arguments.add_argument("--no-cuts", action="store_true")
    given = arguments.parse_args()
    if not PEERS.exists():
        raise SystemExit("the peers are not installed: make setup-benchmarks")
    given.cache.mkdir(parents=True, exist_ok=True)
    print(f"{given.video.name} on {os.cpu_count()} cores of {platform.machine()}, load {os.getloadavg()[0]:.1f}")
    said: dict[str, float] = {}
    if not given.no_cuts:
        said |= tell_cuts(given.cache)
    if given.rounds:
        said |= tell_costs(take_turns(given.video.resolve(), given.cache, given.rounds))
        said |= tell_agreement(given.video.resolve(), given.cache)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
