"""What the benchmark of sampling runs of ours, each in a process of its own.

python -m benchmarks.sampling_ours pass FILE OUT [whole]   sample a film; ``whole`` decodes every frame
python -m benchmarks.sampling_ours proof FILE PASS OUT     PSNR of kept JPEGs against the decoded frames
python -m benchmarks.sampling_ours make DIR FIRST LAST     made videos of seeds, with what is true of them
python -m benchmarks.sampling_ours cuts DIR OUT            cuts of those, every frame decoded and not
"""

import json
import sys
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import cv2
import numpy as np

from storycast.video import Sample, read_header, sample
from storycast.video.intervals import Pick
from storycast.video.opening import opened
from storycast.video.picture import kept_picture
from storycast.video.reading import Damage, frames_from
from tests.fakes.made_videos import made_video

PROOFS = 20
"""Of so many kept frames one is compared with what was decoded."""


@dataclass(frozen=True)
class Plan:
    start_ms: int
    end_ms: int
    interval_ms: float = 1000.0
    pick: Pick = "sharpest"


def whole_film(video: Path, out: Path, *, skim: bool) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with video.open("rb") as file:
        duration_ms = read_header(file, video.name).duration_ms
        report = Sample()
        listed = []
        for one in sample(file, video.name, Plan(0, duration_ms), report, skim=skim):
            if one.jpeg:
                (out / f"{one.time_ms:09d}.jpg").write_bytes(one.jpeg)
            listed.append({"time_ms": one.time_ms, "outcome": one.outcome, "sharpness": one.sharpness})
    said = {
        "duration_ms": duration_ms,
        "frames": listed,
        "cuts_ms": report.cuts_ms,
        "passed_over": report.passed_over,
    }
    (out / "pass.json").write_text(json.dumps(said))


def proof(video: Path, kept: Path, out: Path) -> None:
    times = sorted(int(path.stem) for path in kept.glob("*.jpg"))[::PROOFS]
    values = []
    for time_ms in times:
        with video.open("rb") as file, opened(file, video.name) as (container, stream):
            for frame, at_ms in frames_from(container, stream, time_ms, Damage()):
                if at_ms >= time_ms:
                    jpeg = cv2.imread(str(kept / f"{time_ms:09d}.jpg"))
                    assert jpeg is not None
                    values.append(float(cv2.PSNR(jpeg, kept_picture(frame))))
                    break
    out.write_text(json.dumps({"count": len(values), "least": min(values), "median": float(np.median(values))}))


def _made(task: tuple[int, str]) -> None:
    seed, folder = task
    video = made_video(seed)
    truth = {"cuts": video.cuts, "times_ms": video.times_ms, "transitions": video.transitions}
    (Path(folder) / f"{seed}.mkv").write_bytes(video.content)
    (Path(folder) / f"{seed}.json").write_text(json.dumps(truth))


def _cuts_of(path: Path) -> tuple[str, dict[str, list[int]]]:
    ends_ms = round(json.loads(path.with_suffix(".json").read_text())["times_ms"][-1]) + 50
    found = {}
    for key, skim in (("ours", True), ("ours, every frame decoded", False)):
        report = Sample()
        with path.open("rb") as file:
            for _ in sample(file, path.name, Plan(0, ends_ms), report, skim=skim):
                pass
        found[key] = report.cuts_ms
    return path.stem, found


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["pass", video, out, *rest]:
            whole_film(Path(video), Path(out), skim=not rest)
        case ["proof", video, kept, out]:
            proof(Path(video), Path(kept), Path(out))
        case ["make", folder, first, last]:
            with Pool(2) as pool:
                pool.map(_made, [(seed, folder) for seed in range(int(first), int(last))], chunksize=1)
        case ["cuts", folder, out]:
            with Pool(2) as pool:
                Path(out).write_text(json.dumps(dict(pool.map(_cuts_of, sorted(Path(folder).glob("*.mkv"))))))
