"""The peers of the benchmark of sampling, run by it in an environment of their own (.tools/benchmarks).

    python -m benchmarks.sampling_peers floor FILE        full decode alone, PyAV
    python -m benchmarks.sampling_peers scenes FILE       PySceneDetect over the whole film
    python -m benchmarks.sampling_peers frames FILE DIR   ffmpeg: a JPEG each second
    python -m benchmarks.sampling_peers hashes DIR        imagehash over those
    python -m benchmarks.sampling_peers cuts DIR OUT [SETTING...]   detectors over made videos; without any, all

Nothing of storycast is imported here.
"""

# mypy: disable-error-code="import-not-found"

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from multiprocessing import Pool
from pathlib import Path

import av
import imagehash
import imageio_ffmpeg
from PIL import Image
from scenedetect import FrameTimecode, open_video
from scenedetect.detector import SceneDetector
from scenedetect.detectors import (
    AdaptiveDetector,
    ContentDetector,
    HashDetector,
    HistogramDetector,
    ThresholdDetector,
)
from scenedetect.scene_manager import SceneManager

MIN_SCENE_FRAMES = (8, 15)
"""The detectors' own default is 15."""
DETECTORS: dict[str, tuple[Callable[..., SceneDetector], str, tuple[float, ...]]] = {
    "AdaptiveDetector": (AdaptiveDetector, "adaptive_threshold", (1.5, 2, 2.5, 3, 3.5, 4, 5, 6)),
    "ContentDetector": (ContentDetector, "threshold", (15, 18, 21, 24, 27, 30, 35, 40, 50)),
    "HashDetector": (HashDetector, "threshold", (0.2, 0.25, 0.3, 0.35, 0.395, 0.45)),
    "HistogramDetector": (HistogramDetector, "threshold", (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)),
    "ThresholdDetector": (ThresholdDetector, "threshold", (8, 12, 20)),
}
"""The class, its threshold's name and the thresholds that are tried."""


def settings() -> list[str]:
    """Return all that are tried, as JSON: detector, threshold, shortest scene."""
    return [
        json.dumps([name, threshold, frames])
        for name, (_, _, thresholds) in DETECTORS.items()
        for threshold in thresholds
        for frames in MIN_SCENE_FRAMES
    ]


def floor(video: str) -> None:
    with av.open(video) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        print(sum(1 for _ in container.decode(stream)))


def scenes(video: str) -> None:
    """Print when each scene but the first begins; by the defaults, which scale frames down by themselves."""
    stream = open_video(video, backend="pyav", threading_mode="AUTO")
    manager = SceneManager()
    manager.add_detector(AdaptiveDetector())
    manager.detect_scenes(stream)
    print(json.dumps([round(start.seconds * 1000) for start, _ in manager.get_scene_list()][1:]))


def frames(video: str, folder: str) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", video, "-vf", "fps=1", "-q:v", "2"]
    subprocess.run([*command, "-pix_fmt", "yuvj444p", f"{folder}/%06d.jpg"], check=True)


def hashes(folder: str) -> None:
    print(len({str(imagehash.phash(Image.open(path))) for path in sorted(Path(folder).glob("*.jpg"))}))


def _cuts_of(task: tuple[Path, Sequence[str]]) -> tuple[str, dict[str, list[int]]]:
    path, tried = task
    detectors = {}
    for key in tried:
        name, threshold, scene_frames = json.loads(key)
        make, argument, _ = DETECTORS[name]
        detectors[key] = make(**{argument: threshold, "min_scene_len": scene_frames})
    found: dict[str, list[int]] = {key: [] for key in detectors}
    # Frames are numbered, not timed, so that variable frame rate harms nobody.
    number = -1
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            picture = frame.to_ndarray(format="bgr24")
            for key, detector in detectors.items():
                found[key] += [
                    one.frame_num for one in detector.process_frame(FrameTimecode(number, 24.0), picture)
                ]
    for key, detector in detectors.items():
        found[key] += [one.frame_num for one in detector.post_process(FrameTimecode(number, 24.0))]
    return path.stem, {key: sorted(set(cuts)) for key, cuts in found.items()}


def cuts(folder: str, out: str, *tried: str) -> None:
    tasks = [(path, tried or settings()) for path in sorted(Path(folder).glob("*.mkv"))]
    with Pool(2) as pool:
        found = dict(pool.map(_cuts_of, tasks, chunksize=1))
    Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["floor", video]:
            floor(video)
        case ["scenes", video]:
            scenes(video)
        case ["frames", video, folder]:
            frames(video, folder)
        case ["hashes", folder]:
            hashes(folder)
        case ["cuts", folder, out, *tried]:
            cuts(folder, out, *tried)
