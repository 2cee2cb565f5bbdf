"""CurateDataset as deployed: a made-up film's crops through the function on the embedded AWS."""

import json
import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.dedup_film import MadeFilm, make_film
from local.embedded_aws import EmbeddedAws
from storycast import keys
from storycast.adapters.s3 import S3Store
from storycast.footage import FootageSource
from storycast.frames import KeptFrame, to_json_lines
from storycast.plan import make_plan
from storycast.runs import Run, create_run
from storycast.settings import Settings
from storycast.sightings import Sighting
from storycast.stages.vectors import write_vectors

RUN_ID = "dedup-benchmark"
FUNCTION = "CurateDataset"
NAMES = ("Bunny", "Frank", "Gamera", "Rinky")


def measure_deployed(crops: int) -> None:
    """Deploy the stack on an embedded AWS of its own, invoke the function, and print time and peak memory."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedAws(Path(folder)) as aws:
        store = S3Store(aws.outputs["MediaBucketName"], aws.client("s3"))
        put_run(store, make_film(crops))
        stack = aws.client("cloudformation")
        name = stack.describe_stack_resource(StackName="storycast", LogicalResourceId=f"{FUNCTION}Function")
        physical = name["StackResourceDetail"]["PhysicalResourceId"]
        peak = PeakMemory(Path(folder))
        began = time.perf_counter()
        with peak:
            answer = aws.client("lambda").invoke(
                FunctionName=physical, Payload=json.dumps({"run_id": RUN_ID}).encode()
            )
        seconds = time.perf_counter() - began
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise SystemExit(f"{FUNCTION} failed: {payload}")
        curation = json.loads(store.get(keys.run_file(RUN_ID, "curation.json")))
        print(
            f"{FUNCTION} on {crops:,} crops: {seconds:.1f} s, peak {peak.megabytes:.0f} MB, "
            f"load {os.getloadavg()[0]:.1f}"
        )
        print(f"threshold {curation['threshold']}: {curation['threshold_source']}")
        print(f"outcomes: {curation['outcomes']}")
        print(
            json.dumps(
                {"benchmark": "dedup_deployed", "seconds": round(seconds, 2), "peak_mb": round(peak.megabytes)}
            )
        )


def put_run(store: S3Store, film: MadeFilm) -> None:
    """Write what CurateDataset reads of a run: its plan, its record, frames, sightings and embeddings."""
    source = FootageSource(
        footage_id="0123456789ab", name="film.mp4", key="incoming/film.mp4", size_bytes=1, etag="0"
    )
    plan = make_plan(RUN_ID, "benchmark", Settings(), [source])
    run = Run(
        run_id=RUN_ID, project="benchmark", status="running", execution_arn="", started_at="2026-01-02T03:04:05Z"
    )
    store.put(keys.run_file(RUN_ID, "settings.json"), plan.model_dump_json().encode(), "application/json")
    create_run(store, run)
    rng = np.random.default_rng(0)
    sightings = [_sighting(film, index, rng) for index in range(len(film.vectors))]
    frames = {one.frame_id: _frame(one) for one in sightings}
    store.put(keys.run_file(RUN_ID, "frames.jsonl"), to_json_lines(frames.values()), "application/jsonl")
    store.put(keys.run_file(RUN_ID, "sightings.jsonl"), to_json_lines(sightings), "application/jsonl")
    write_vectors(store, keys.run_file(RUN_ID, "embeddings.npy"), film.vectors)


def _sighting(film: MadeFilm, index: int, rng: np.random.Generator) -> Sighting:
    track, shot = int(film.tracks[index]), int(film.shots[index])
    time_ms = index * 1000
    frame_id = f"0123456789ab-{time_ms:09d}"
    size = float(rng.uniform(0.2, 0.8))
    return Sighting(
        crop_id=f"{frame_id}-00",
        key=f"footage/0123456789ab/crops/{frame_id}-00.jpg",
        frame_id=frame_id,
        frame_key=f"footage/0123456789ab/frames/{frame_id}.jpg",
        footage_id="0123456789ab",
        time_ms=time_ms,
        shot=shot,
        width_px=1920,
        height_px=1080,
        left=0.1,
        top=0.1,
        width=size * 0.5,
        height=size,
        left_px=0,
        top_px=0,
        side_px=1080,
        confidence=90.0,
        labels=(("Person", 90.0),),
        sharpness=float(rng.uniform(20, 400)),
        light=float(rng.uniform(0.2, 0.8)),
        contrast=0.5,
        track=track,
        framing=("close", "medium", "full")[index % 3],
        cast_in_square=1,
        character=NAMES[track % len(NAMES)],
        score=0.9,
        outcome="named",
        reason="references: 0.9",
    )


def _frame(one: Sighting) -> KeptFrame:
    return KeptFrame(
        frame_id=one.frame_id,
        footage_id=one.footage_id,
        key=one.frame_key,
        time_ms=one.time_ms,
        shot=one.shot,
        width_px=one.width_px,
        height_px=one.height_px,
        sharpness=one.sharpness,
    )


class PeakMemory:
    """The most that any process of a function held, as Linux counts it while the block runs."""

    def __init__(self, folder: Path) -> None:
        self.megabytes = 0.0
        self._folder, self._ended = str(folder).encode(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if FUNCTION.encode() in (process / "environ").read_bytes() and self._is_ours(process):
                        told = (process / "status").read_text(encoding="ascii").partition("VmHWM:")[2]
                        self.megabytes = max(self.megabytes, int(told.split()[0]) / 1024)
                except (OSError, IndexError):
                    continue

    def _is_ours(self, process: Path) -> bool:
        return self._folder in (process / "environ").read_bytes()
