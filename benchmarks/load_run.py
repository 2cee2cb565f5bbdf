"""A made-up run of any number of frames: who is in which, and the records that its stages begin with."""

import base64
import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.dedup_film import DIMENSIONS, make_film
from benchmarks.load_film import HUES
from storycast import keys, names
from storycast.cast import Cast, CastMember, Reference
from storycast.embeddings import encode
from storycast.footage import FootageSource, Probe, plan_segments
from storycast.frames import Frame, SegmentReport, to_json_lines, write_segment_list
from storycast.looks import CHROMA_BINS, LIGHT_BINS
from storycast.plan import make_plan, write_plan
from storycast.ports import ObjectStore
from storycast.runs import ModelUsed, Run, create_run
from storycast.settings import Settings

RUN_ID, PROJECT, FOOTAGE = "load", "load", "0123456789ab"
WIDTH_PX, HEIGHT_PX = 1280, 720
CROPS_A_FRAME = 2.0
"""In the mean, as up to three are in a shot at once."""


@dataclass(frozen=True)
class MadeRun:
    """Which frames there are, in which shot each is, and which crops each has: rows of the embeddings."""

    folder: Path
    shots: NDArray[np.int64]
    first_rows: NDArray[np.int64]
    """Where in ``rows`` the crops of each frame begin; one more at the end."""
    rows: NDArray[np.int64]

    @classmethod
    def read(cls, folder: Path) -> "MadeRun":
        """Read what :func:`write_run` wrote."""
        with np.load(folder / "run.npz") as told:
            return cls(folder, told["shots"], told["first_rows"], told["rows"])

    @cached_property
    def _embeddings(self) -> int:
        return os.open(self.folder / "embeddings.f4", os.O_RDONLY)

    def rows_of(self, frame_id: str) -> list[int]:
        """Return the rows of a frame's crops."""
        number = int(frame_id.rpartition("-")[2]) // 1000
        first, end = self.first_rows[number : number + 2]
        rows: list[int] = self.rows[first:end].tolist()
        return rows

    def embedding(self, row: int) -> NDArray[np.float32]:
        """Return one embedding, read from the disk: they are not in memory."""
        return np.frombuffer(os.pread(self._embeddings, DIMENSIONS * 4, row * DIMENSIONS * 4), np.float32)


def make_run(folder: Path, frames: int) -> MadeRun:
    """Make up the frames and crops of a run, and keep them in a new folder."""
    folder.mkdir(parents=True)
    film = make_film(round(frames * CROPS_A_FRAME * 1.1))
    film.vectors.tofile(folder / "embeddings.f4")
    shots, first_rows, rows = [], [0], []
    for shot in np.unique(film.shots):
        # Rows of one shot follow each other.
        of_shot = np.arange(*np.searchsorted(film.shots, (shot, shot + 1)))
        places = _places(film.tracks[of_shot])
        for place in range(int(places.max()) + 1):
            rows.extend(of_shot[places == place].tolist())
            first_rows.append(len(rows))
            shots.append(int(shot))
        if len(shots) >= frames:
            break
    made = MadeRun(folder, np.array(shots[:frames]), np.array(first_rows[: frames + 1]), np.array(rows))
    np.savez(folder / "run.npz", shots=made.shots, first_rows=made.first_rows, rows=made.rows)
    return made


def _places(tracks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each row in its track: its frame, counted from the shot's beginning."""
    starts = np.r_[0, np.flatnonzero(np.diff(tracks)) + 1]
    places: NDArray[np.int64] = np.arange(len(tracks)) - np.repeat(starts, np.diff(np.r_[starts, len(tracks)]))
    return places


def write_run(store: ObjectStore, made: MadeRun, pictures_per_character: int) -> None:
    """Write what the run's stages need besides their children's results."""
    source = FootageSource(footage_id=FOOTAGE, name="film.mp4", key="incoming/film.mp4", size_bytes=1, etag="0")
    characters = [{"name": name, "references": ["cast/*.jpg"]} for name in HUES]
    settings = Settings.model_validate(
        {
            "characters": characters,
            "selection": {"images_per_character": pictures_per_character, "per_shot": 1000},
            "review": {"mode": "auto", "minimum_per_character": 0},
            "detection": {"economy": False},
        }
    )
    plan = make_plan(RUN_ID, PROJECT, settings, [source])
    write_plan(store, plan)
    models = [
        ModelUsed(model_id=one, name=f"{one}, made up", provider="nobody")
        for one in (settings.captions.model, settings.duplicates.embedding)
    ]
    create_run(
        store,
        Run(
            run_id=RUN_ID,
            project=PROJECT,
            status="running",
            execution_arn="arn",
            started_at="2026-01-02T03:04:05+00:00",
            footage=(source,),
            models=tuple(models),
        ),
    )
    probe = Probe(
        footage_id=FOOTAGE,
        container="mp4",
        codec="h264",
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        duration_ms=len(made.shots) * 1000,
        frames_per_second=24.0,
        fingerprint="p",
        keyframes_ms=tuple(range(0, len(made.shots) * 1000, 2000)),
    )
    store.put(keys.probe(FOOTAGE), probe.model_dump_json().encode(), "application/json")
    planned = plan_segments(
        source, probe, frames_per_second=1.0, pick="sharpest", fingerprint=plan.footage[0].frames
    )
    store.put(keys.run_file(RUN_ID, "segments.jsonl"), to_json_lines(planned), "application/jsonl")
    cuts = np.flatnonzero(np.diff(made.shots)) + 1
    for segment in planned:
        first, end = segment.start_ms // 1000, segment.end_ms // 1000
        report = SegmentReport(
            segment=segment.segment,
            fingerprint=segment.fingerprint,
            cuts_ms=tuple(int(cut) * 1000 for cut in cuts if first <= cut < end),
            complete=True,
        )
        listed = [_frame(segment.fingerprint, segment.segment, number) for number in range(first, end)]
        key = keys.segment_list(FOOTAGE, segment.fingerprint, segment.segment)
        store.put(key, write_segment_list(report, listed), "application/jsonl")
    store.put(keys.run_file(RUN_ID, "cast.json"), _cast(made, plan.settings).model_dump_json().encode(), "json")


def _frame(fingerprint: str, segment: int, number: int) -> Frame:
    time_ms = number * 1000
    return Frame(
        frame_id=names.frame_id(FOOTAGE, time_ms),
        time_ms=time_ms,
        outcome="kept",
        reason="sharpest of its interval",
        key=keys.frame(FOOTAGE, fingerprint, segment, time_ms),
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        sharpness=40.0 + number % 31,
        thumbnail=base64.b64encode(hashlib.sha256(str(number).encode()).digest() * 4).decode(),
        hash=f"{number:016x}",
    )


def _cast(made: MadeRun, settings: Settings) -> Cast:
    """Return a cast that looks as some crops do, so that many are named."""
    references = np.linspace(0, len(made.rows) - 1, 3 * len(HUES)).astype(int)
    members = [
        CastMember(
            name=name,
            description="",
            labels=(),
            references=tuple(
                Reference(
                    key=f"cast/{row}.jpg",
                    content=str(row),
                    embedding=encode(made.embedding(int(made.rows[row]))),
                    colours=colours_of(int(made.rows[row])),
                )
                for row in references[place * 3 : place * 3 + 3]
            ),
        )
        for place, name in enumerate(HUES)
    ]
    return Cast(embedding_model=settings.duplicates.embedding, members=tuple(members))


def colours_of(row: int) -> str:
    """Return the colours of a crop, alike for some that follow each other."""
    drawn = np.random.default_rng(row // 4).random(LIGHT_BINS * CHROMA_BINS * CHROMA_BINS).astype(np.float32)
    return encode(drawn / np.float32(np.linalg.norm(drawn)))
