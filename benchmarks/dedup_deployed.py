"""CurateDataset as deployed: a made-up film's crops through the function on the embedded AWS."""

import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.dedup_film import MadeFilm, make_film
from benchmarks.load_processes import ProcessWatch
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
        began = time.perf_counter()
        with ProcessWatch(Path(folder)) as watch:
            answer = aws.client("lambda").invoke(
                FunctionName=physical, Payload=json.dumps({"run_id": RUN_ID}).encode()
            )
            seconds = time.perf_counter() - began
        peak_mb = watch.functions[physical].peak_mb
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise SystemExit(f"{FUNCTION} failed: {payload}")
        curation = json.loads(store.get(keys.run_file(RUN_ID, "curation.json")))
        print(
            f"{FUNCTION} on {crops:,} crops: {seconds:.1f} s, peak {peak_mb:.0f} MB, load {os.getloadavg()[0]:.1f}"
        )
        print(f"threshold {curation['threshold']}: {curation['threshold_source']}")
        print(f"outcomes: {curation['outcomes']}")
        print(json.dumps({"benchmark": "dedup_deployed", "seconds": round(seconds, 2), "peak_mb": round(peak_mb)}))


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
