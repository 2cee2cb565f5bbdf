"""Near-duplicates of made-up films beside faiss and usearch: time, peak memory, and whether the result is exact.

    make setup-benchmarks
    .venv/bin/python -m benchmarks.dedup [--sizes 5000,20000,100000] [--runs 3] [--threshold auto]
    .venv/bin/python -m benchmarks.dedup --deployed     # the function on the embedded AWS, 20,000 crops

Every way gets the same vectors of 1,024 components, the same order of quality and the same threshold, and has to
return the same list: what is dropped, for which kept one. Each runs in a process of its own, all ways one after
the other, as often as asked. `-all` finds all pairs that reach the threshold (faiss by range search) and chooses
then; `-kept` asks only for the nearest of what was kept, which is how we would use them. Storycast runs on one
thread, as its function does, and on two; peers on two, faiss-kept on one as well, since threads that wait for each
other lose on a busy machine. A way that takes longer than --limit-s is stopped, and the table says so. The last
line is JSON: `ratio_vs_fastest_peer` is the fastest peer's least time over ours, the smallest over the sizes;
`cpu_ratio` is the same of processor time, which other work on the machine disturbs less.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.dedup_deployed import measure_deployed
from benchmarks.dedup_film import DIMENSIONS, make_film
from storycast.embeddings import calibrate

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".tools" / "benchmarks" / "bin" / "python"
CACHE = ROOT / ".storycast" / "benchmarks" / "dedup"
MODEL = "amazon.titan-embed-image-v1"
OURS = "storycast-1"
WAYS = (OURS, "storycast-2", "faiss-kept-1", "faiss-kept-2", "faiss-all-2", "usearch-kept-2", "usearch-all-2")
"""Each a way of benchmarks.dedup_ways and its threads."""
TIE = 1e-6
"""Float32 can't tell such cosines apart: another twin is the same result where it is as near as that."""


@dataclass
class Measured:
    """What a way took over its runs."""

    seconds: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    peaks_mb: list[float] = field(default_factory=list)
    is_identical: bool = True
    note: str = ""


def main() -> None:
    """Make the films, run the ways, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="5000,20000,100000")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threshold", default="auto", help="a cosine, or auto: as a run does")
    parser.add_argument("--limit-s", type=float, default=900)
    parser.add_argument(
        "--deployed", type=int, nargs="?", const=20_000, metavar="CROPS", help="the function on the embedded AWS"
    )
    asked = parser.parse_args()
    if asked.deployed:
        measure_deployed(asked.deployed)
        return
    if not PEERS.exists():
        sys.exit(f"{PEERS} is not there: make setup-benchmarks")
    ratios: list[tuple[float, float]] = []
    peaks: dict[str, int] = {}
    for count in [int(size) for size in asked.sizes.split(",")]:
        folder, threshold, source = _film(count, asked.threshold)
        print(f"\n{count:,} embeddings of {DIMENSIONS}; threshold {threshold}: {source}; {_machine()}", flush=True)
        expected = _brute_force(folder, threshold, asked.limit_s)
        measured = _measure(folder, threshold, expected, asked.runs, asked.limit_s)
        ratios.append(_print_table(count, measured, expected))
        peaks[str(count)] = round(max(measured[OURS].peaks_mb))
    print(
        json.dumps(
            {
                "benchmark": "dedup",
                "ratio_vs_fastest_peer": round(min(time for time, _ in ratios), 2),
                "cpu_ratio": round(min(cpu for _, cpu in ratios), 2),
                "peak_mb": peaks,
                "ratios": [round(time, 2) for time, _ in ratios],
                "threshold": asked.threshold,
            }
        )
    )


def _film(count: int, asked: str) -> tuple[Path, float, str]:
    """Write a film's vectors and order, and return where they are, the threshold and where it comes from."""
    folder = CACHE / str(count)
    folder.mkdir(parents=True, exist_ok=True)
    film = make_film(count)
    np.save(folder / "vectors.npy", film.vectors)
    np.save(folder / "order.npy", film.order)
    if asked != "auto":
        return folder, float(asked), "asked for"
    chosen = calibrate(film.neighbours().tolist(), film.strangers().tolist(), MODEL)
    return folder, chosen.threshold, chosen.source


def _run(way: str, folder: Path, threshold: float, result: Path, limit_s: float) -> dict[str, float]:
    name, _, threads = way.rpartition("-")
    python = sys.executable if name in {"storycast", "brute-force"} else str(PEERS)
    command = [python, "-m", "benchmarks.dedup_ways", name, str(folder), str(threshold), str(result)]
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=limit_s, check=False
    )
    if done.returncode:
        sys.exit(f"{way}: {done.stderr.strip()}")
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _brute_force(folder: Path, threshold: float, limit_s: float) -> NDArray[np.float64]:
    """Return what comparing all gives; made anew each time, since the film may have changed."""
    result = folder / "brute-force.npy"
    _run("brute-force-1", folder, threshold, result, 10 * limit_s)
    found: NDArray[np.float64] = np.load(result)
    return found


def _measure(
    folder: Path, threshold: float, expected: NDArray[np.float64], runs: int, limit_s: float
) -> dict[str, Measured]:
    measured = {way: Measured() for way in WAYS}
    for _ in range(runs):
        for way, one in measured.items():
            if one.note:
                continue
            result = folder / f"{way}.npy"
            try:
                told = _run(way, folder, threshold, result, limit_s)
            except subprocess.TimeoutExpired:
                one.note = f"stopped after {limit_s:.0f} s"
                continue
            one.seconds.append(told["seconds"])
            one.cpu_s.append(told["cpu_s"])
            one.peaks_mb.append(told["peak_mb"])
            one.is_identical &= _is_same(np.load(result), expected)
    return measured


def _is_same(found: NDArray[np.float64], expected: NDArray[np.float64]) -> bool:
    """Tell whether the same are dropped for the same; ours rounds cosines to four places."""
    if found.shape != expected.shape or (found[:, 0] != expected[:, 0]).any():
        return False
    other = found[:, 1] != expected[:, 1]
    return bool((np.abs(found[:, 2] - expected[:, 2]) <= np.where(other, TIE, 0.51e-4)).all())


def _print_table(count: int, measured: dict[str, Measured], expected: NDArray[np.float64]) -> tuple[float, float]:
    """Print what each way took; return how many times ours the fastest peer took, by clock and by CPU."""
    ours = measured[OURS]
    print(f"{len(expected):,} of {count:,} are dropped\n")
    print("| way-threads | s, least | s, median | as long as ours | CPU s, least | peak MB | as brute force |")
    print("|---|---|---|---|---|---|---|")
    for way, one in measured.items():
        if not one.seconds:
            print(f"| {way} | {one.note} | | | | | |")
            continue
        least, median = min(one.seconds), float(np.median(one.seconds))
        same = "yes" if one.is_identical else "no"
        print(
            f"| {way} | {least:.2f} | {median:.2f} | {least / min(ours.seconds):.1f} | {min(one.cpu_s):.2f} | "
            f"{max(one.peaks_mb):.0f} | {same} |"
        )
    peers = [one for way, one in measured.items() if not way.startswith("storycast") and one.seconds]
    by_clock = min(min(one.seconds) for one in peers) / min(ours.seconds)
    by_cpu = min(min(one.cpu_s) for one in peers) / min(ours.cpu_s)
    print(f"\nthe fastest peer took {by_clock:.2f} times as long, and {by_cpu:.2f} times the CPU", flush=True)
    return by_clock, by_cpu


def _machine() -> str:
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
