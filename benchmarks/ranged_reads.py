"""How many requests to S3 and how many bytes a film in segments needs, each segment a function with no memory.

    .venv/bin/python -m benchmarks.ranged_reads
    .venv/bin/python -m benchmarks.ranged_reads --hours 2 --gigabytes 4 --segments 12

Makes films of two hours and 4 GB, one an MP4 with its index at its end, on disk mostly holes; answers as S3 does,
in memory; probes them, plans their segments, and samples some of these, spread over the film. ``--all`` adds films
without an index. Beside it: the same with blocks of 4 MiB, of which four are kept, as the reader had them before.
No network, so no times: they would be made up.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from storycast.adapters import ranged_reader
from storycast.adapters.ranged_reader import open_ranged
from storycast.footage import FootageSource, Probe, Segment, plan_segments
from storycast.stages.probe_footage import probe_of
from storycast.video import Sample, find_bars, read_header, sample
from tests.fakes.long_film import write_long_film
from tests.fakes.ranges import Ranges

MIB = 1024 * 1024
INDEXED: dict[str, tuple[str, dict[str, str]]] = {
    "MP4, index at the end": ("mp4", {}),
    "Matroska": ("matroska", {}),
}
WITHOUT_INDEX: dict[str, tuple[str, dict[str, str]]] = {
    "MPEG-TS": ("mpegts", {}),
    "MP4 in fragments": ("mp4", {"movflags": "frag_keyframe+empty_moov"}),
    "Matroska, no cues": ("matroska", {"live": "1"}),
}


@dataclass(frozen=True)
class Reader:
    """How the reader over ranges is set."""

    name: str
    block_bytes: int
    most_blocks_at_once: int
    max_blocks: int


READERS = (
    Reader("ours: 1 to 8 MiB, 32 MiB kept", MIB, 8, 32),
    Reader("before: 4 MiB, 16 MiB kept", 4 * MIB, 1, 4),
)


@dataclass(frozen=True)
class Cost:
    """What one function read."""

    requests: int
    bytes_read: int


@contextmanager
def _set(reader: Reader) -> Iterator[None]:
    before = ranged_reader.BLOCK_BYTES, ranged_reader.MOST_BLOCKS_AT_ONCE, ranged_reader.MAX_BLOCKS
    now = reader.block_bytes, reader.most_blocks_at_once, reader.max_blocks
    ranged_reader.BLOCK_BYTES, ranged_reader.MOST_BLOCKS_AT_ONCE, ranged_reader.MAX_BLOCKS = now
    try:
        yield
    finally:
        ranged_reader.BLOCK_BYTES, ranged_reader.MOST_BLOCKS_AT_ONCE, ranged_reader.MAX_BLOCKS = before


def _probe(s3: Ranges) -> tuple[Probe, Cost]:
    with open_ranged(s3, "bucket", s3.stored) as file:
        header = read_header(file, "film.mp4")
        find_bars(file, "film.mp4", header.duration_ms)
    cost = Cost(len(s3.asked), sum(last - first + 1 for first, last in s3.asked))
    probe = probe_of(header, footage_id="f" * 12, mark="0" * 12)
    return probe, cost


def _sampled(s3: Ranges, segment: Segment) -> Cost:
    s3.asked.clear()
    with open_ranged(s3, "bucket", s3.stored) as file:
        frames = list(sample(file, "film.mp4", segment, Sample()))
    if not frames:
        raise SystemExit(f"segment {segment.segment} gave no frame")
    return Cost(len(s3.asked), sum(last - first + 1 for first, last in s3.asked))


def _measure(path: Path, name: str, segment_count: int) -> list[dict[str, object]]:
    size = path.stat().st_size
    handle = os.open(path, os.O_RDONLY)
    rows: list[dict[str, object]] = []
    try:
        for reader in READERS:
            with _set(reader):
                s3 = Ranges(size, lambda first, count: os.pread(handle, count, first))
                probe, probed = _probe(s3)
                source = FootageSource(footage_id="f" * 12, name="film", key="film", size_bytes=size, etag="e")
                planned = plan_segments(
                    source, probe, frames_per_second=1.0, pick="sharpest", fingerprint="0" * 12
                )
                step = max(len(planned) // segment_count, 1)
                started = time.monotonic()
                costs = [_sampled(s3, segment) for segment in planned[::step]]
                own = size / len(planned)
                rows.append(
                    {
                        "container": name,
                        "reader": reader.name,
                        "segments": len(planned),
                        "sampled": len(costs),
                        "probe_requests": probed.requests,
                        "probe_mib": round(probed.bytes_read / MIB, 1),
                        "requests_median": statistics.median(cost.requests for cost in costs),
                        "requests_most": max(cost.requests for cost in costs),
                        "mib_median": round(statistics.median(cost.bytes_read for cost in costs) / MIB, 1),
                        "mib_most": round(max(cost.bytes_read for cost in costs) / MIB, 1),
                        "mib_own": round(own / MIB, 1),
                        "seconds": round(time.monotonic() - started, 1),
                    }
                )
    finally:
        os.close(handle)
    return rows


def main() -> None:
    """Make the films, read them, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--segments", type=int, default=12, help="so many are sampled, spread over the film")
    parser.add_argument("--all", action="store_true", help="also films without an index")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (container, container_options) in (INDEXED | (WITHOUT_INDEX if options.all else {})).items():
            path = Path(folder) / "film"
            write_long_film(
                path,
                duration_s=round(options.hours * 3600),
                size_bytes=round(options.gigabytes * 1e9),
                container=container,
                container_options=container_options,
            )
            rows += _measure(path, name, options.segments)
            path.unlink()
    print(f"{options.hours:g} h, {options.gigabytes:g} GB, H.264, a keyframe each 2 s; {platform.machine()}")
    print(f"{'container':21} {'reader':31} {'probe':>14} {'a segment: median':>20} {'most':>15} {'its own':>9}")
    for row in rows:
        probe = f"{row['probe_requests']:>3} / {row['probe_mib']:>5} MiB"
        median = f"{row['requests_median']:>6} / {row['mib_median']:>5} MiB"
        most = f"{row['requests_most']:>4} / {row['mib_most']:>5} MiB"
        print(f"{row['container']:21} {row['reader']:31} {probe} {median} {most} {row['mib_own']:>5} MiB")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
