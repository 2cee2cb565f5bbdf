"""How `build_dataset` takes 100, 1,000 and 10,000 frames, on the embedded AWS with IAM on.

    .venv/bin/python -m benchmarks.load --frames 100 1000 10000 --work /tmp/storycast-load

Needs `make setup`, Linux, and for 10,000 frames about 8 GB of disk and as much memory. Each size has an embedded
AWS of its own below `--work`. A run that is done is not done again (`--again` does); of one that broke off, what
lies in its bucket is taken over, and the figures say so. AI calls are answered by load stand-ins that cost next to
nothing (benchmarks/load_standins.py), so that the workflow is what is measured. The last line is JSON; `--out` has
all that is printed.

On each size there are two runs: `usual`, 30 pictures per character, then `many`, up to 1,000, on the same footage,
of which nothing but captions is paid again. With `--count-requests` all calls go through the gateway, which counts
them and takes time itself; such runs are kept apart from the others.
"""

import argparse
import json
import math
import os
import platform
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.load_figures import read_history, read_objects, read_requests
from benchmarks.load_film import HUES, references, write_load_film
from benchmarks.load_processes import ProcessWatch, Used
from local.embedded_aws import EmbeddedAws

PROJECT = "load"
RUNS = {"usual": 30, "many": 1000}
"""Pictures per character by the run's name."""
MOST_PAYLOAD_BYTES = 32 * 1024
FLOOR_CALLS = 40
LOOK_EVERY_S = 15.0


def main() -> None:
    """Measure each size and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 1000], help="sampled frames, by size")
    parser.add_argument("--work", type=Path, default=Path("/tmp/storycast-load"), help="for films and states")
    parser.add_argument("--runs", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--again", action="store_true", help="measure sizes anew that are done")
    parser.add_argument("--count-requests", action="store_true", help="through the gateway; takes time itself")
    parser.add_argument("--out", type=Path, help="a file for the table and the JSON; <work>/load.txt by default")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    sizes = [measure_size(asked, frames) for frames in sorted(asked.frames)]
    text = f"{table(sizes)}\n{json.dumps({'benchmark': 'load', 'sizes': sizes})}\n"
    (asked.out or asked.work / "load.txt").write_text(text, encoding="utf-8")
    print(text)


def measure_size(asked: argparse.Namespace, frames: int) -> dict[str, Any]:
    """Run all settings on a film of so many frames, as far as that is not done, and return the figures."""
    state = asked.work / f"{frames}{'-counted' if asked.count_requests else ''}"
    done = asked.work / f"{state.name}.json"
    known: dict[str, Any] = {} if asked.again or not done.exists() else json.loads(done.read_text("utf-8"))
    if all(name in known.get("runs", {}) for name in asked.runs):
        return known
    if asked.again:
        shutil.rmtree(state, ignore_errors=True)
    known.setdefault("frames", frames)
    known.setdefault("machine", f"{platform.machine()}, {os.cpu_count()} cores")
    known.setdefault("models", "load stand-ins; nothing is recognised")
    film = asked.work / f"film-{frames}.mp4"
    if not film.exists():
        _say(f"{frames} frames: making the film")
        write_load_film(film, frames)
    with EmbeddedAws(state, standins="benchmarks.load_standins", watched=asked.count_requests) as aws:
        functions = functions_by_name(aws)
        known.setdefault("floor_ms", round(floor_ms(aws, functions["CurateDataset"]), 1))
        for name in asked.runs:
            if name not in known.setdefault("runs", {}):
                known["runs"][name] = _run(aws, functions, film, name, f"{frames} frames, {name}")
                done.write_text(json.dumps(known), encoding="utf-8")
    return known


def functions_by_name(aws: EmbeddedAws) -> dict[str, str]:
    """Return each function's name on the embedded AWS, by its logical id without ``Function``."""
    pages = aws.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName="storycast")
    return {
        one["LogicalResourceId"].removesuffix("Function"): one["PhysicalResourceId"]
        for page in pages
        for one in page["StackResourceSummaries"]
        if one["ResourceType"] == "AWS::Lambda::Function"
    }


def floor_ms(aws: EmbeddedAws, function: str) -> float:
    """Return what a warm function costs that refuses its event at once: the emulator's own part."""
    invoke = aws.client("lambda").invoke
    invoke(FunctionName=function, Payload=b"{}")
    began = time.perf_counter()
    for _ in range(FLOOR_CALLS):
        invoke(FunctionName=function, Payload=b"{}")
    return (time.perf_counter() - began) / FLOOR_CALLS * 1000


def _run(aws: EmbeddedAws, functions: Mapping[str, str], film: Path, name: str, told: str) -> dict[str, Any]:
    """Run once and return the figures."""
    bucket, s3, states = aws.outputs["MediaBucketName"], aws.client("s3"), aws.client("stepfunctions")
    run_id = f"load-{name}-{int(time.time())}"
    _put_project(s3, bucket, RUNS[name])
    key = f"incoming/load/{film.name}"
    s3.upload_file(str(film), bucket, key)
    before, counted = read_objects(s3, bucket), read_requests(aws.state_dir)
    earlier = s3.list_objects_v2(Bucket=bucket, Prefix=f"runs/load-{name}-", MaxKeys=1)["KeyCount"]
    paid = _paid(aws.state_dir)
    request = {"project": PROJECT, "footage": [key], "run_id": run_id}
    began, load = time.monotonic(), os.getloadavg()[0]
    with ProcessWatch(aws.state_dir) as watch:
        arn = states.start_execution(stateMachineArn=aws.outputs["BuildDatasetArn"], input=json.dumps(request))
        arn = arn["executionArn"]
        ended = _wait(states, arn, told)
        wall_s = time.monotonic() - began
    if ended["status"] != "SUCCEEDED":
        raise SystemExit(f"{told}: {ended['status']} {ended.get('error', '')}: {ended.get('cause', '')}")
    _say(f"{told}: done in {wall_s:.0f} s; reading the histories")
    requests = read_requests(aws.state_dir)
    made = None if requests is None else requests - (counted or Counter())
    history = read_history(states, arn)
    after = read_objects(s3, bucket)
    counts = json.loads(s3.get_object(Bucket=bucket, Key=f"runs/{run_id}/run.json")["Body"].read())["counts"]
    sampled = counts["frames_sampled"]
    names = {physical: logical for logical, physical in functions.items()}
    used = {names.get(physical, physical): one for physical, one in watch.functions.items()}
    where, most = history.payloads.most
    return {
        "taken_over": bool(earlier),
        "wall_s": round(wall_s, 1),
        "frames_a_minute": round(sampled / wall_s * 60),
        "load_average": [round(load, 1), round(os.getloadavg()[0], 1)],
        "counts": {one: counts[one] for one in _COUNTS if one in counts},
        "state_s": {state: round(seconds, 3) for state, seconds in history.state_s.items()},
        "functions": {
            one: _function(history.task_s.get(one, ()), used.get(one)) for one in sorted(history.task_s)
        },
        "servers": {server: _process(one) for server, one in watch.servers.items()},
        "functions_cpu_s": round(sum(one.total_cpu_s for one in watch.functions.values()), 1),
        "parent_events": history.events,
        "children": dict(history.children),
        "largest_payload": {"bytes": most, "where": where},
        "payloads": dict(sorted(history.payloads.largest.items(), key=lambda item: -item[1])[:12]),
        "objects": {one: after.count[one] - before.count[one] for one in after.count},
        "bytes": {one: after.bytes[one] - before.bytes[one] for one in after.bytes},
        "requests": None if made is None else _counted(made, lambda _function: ""),
        "requests_by_function": made and _counted(made, lambda function: f"{names.get(function, function)}: "),
        "paid_calls": _paid(aws.state_dir) - paid,
    }


_COUNTS = (
    *("segments", "frames_sampled", "frames_kept", "frames_settled", "shots", "crops", "crops_named"),
    *("duplicates", "curated", "dataset_images", "approved"),
)


def _put_project(s3: Any, bucket: str, images_per_character: int) -> None:
    seen: Counter[str] = Counter()
    for name, picture in references():
        key = f"projects/{PROJECT}/cast/{name.lower()}/{seen[name]}.jpg"
        s3.put_object(Bucket=bucket, Key=key, Body=picture)
        seen[name] += 1
    cast = "".join(f"  - {{name: {name}, references: [cast/{name.lower()}/*.jpg]}}\n" for name in HUES)
    text = (
        f"characters:\n{cast}"
        f"selection: {{images_per_character: {images_per_character}, per_shot: 1000}}\n"
        "review: {mode: auto, minimum_per_character: 0}\n"
    )
    s3.put_object(Bucket=bucket, Key=f"projects/{PROJECT}/project.yaml", Body=text.encode())


def _wait(states: Any, arn: str, told: str) -> dict[str, Any]:
    """Wait for the end of an execution; say where it is now and then."""
    began = said = time.monotonic()
    while True:
        found: dict[str, Any] = states.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            return found
        if time.monotonic() - said >= LOOK_EVERY_S:
            said = time.monotonic()
            newest = states.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=5)["events"]
            state = next((one["stateEnteredEventDetails"]["name"] for one in newest if _is_entry(one)), "?")
            _say(f"{told}: {state}, after {said - began:.0f} s")
        time.sleep(0.25)


def _is_entry(event: Mapping[str, Any]) -> bool:
    return "stateEnteredEventDetails" in event


def _function(seconds: Sequence[float], used: Used | None) -> dict[str, Any]:
    told = {"invocations": len(seconds), "mean_s": round(sum(seconds) / len(seconds), 3)} if seconds else {}
    return told | {"most_s": round(max(seconds, default=0.0), 3)} | (_process(used) if used else {})


def _process(used: Used) -> dict[str, Any]:
    return {
        "peak_mb": round(used.peak_mb),
        "mean_peak_mb": round(used.mean_mb),
        "processes": len(used.peaks_mb),
        "cpu_s": round(used.total_cpu_s, 1),
    }


def _counted(requests: Counter[tuple[str, str, str]], who: Callable[[str], str]) -> dict[str, int]:
    """Return how many requests the functions made, by service and operation, the commonest first.

    Args:
        requests: By function, service and operation.
        who: Returns what stands before those of a function.
    """
    told: Counter[str] = Counter()
    for (function, service, operation), count in requests.items():
        if function:
            told[f"{who(function)}{service} {operation}"] += count
    return dict(told.most_common())


def _paid(state_dir: Path) -> int:
    path = state_dir / "calls.jsonl"
    if not path.exists():
        return 0
    with path.open(encoding="utf-8") as lines:
        return sum(json.loads(line)["paid"] for line in lines)


def table(sizes: Sequence[Mapping[str, Any]]) -> str:
    """Return what was measured, a run a column, with the growth from size to size."""
    lines = [f"{sizes[0]['machine']}, {sizes[0]['models']}, floor of an invocation {sizes[-1]['floor_ms']} ms"]
    for name in RUNS:
        of_run = [(size["frames"], size["runs"][name]) for size in sizes if name in size["runs"]]
        if not of_run:
            continue
        counts = [frames for frames, _ in of_run]
        lines += ["", _row(f"run '{name}', frames", [f"{count:,}" for count in counts])]
        runs = [run for _, run in of_run]
        lines.append(_row("wall, s", [run["wall_s"] for run in runs], _growth(counts, _of(runs, "wall_s"))))
        lines.append(_row("took over an earlier try's results", _of(runs, "taken_over")))
        lines.append(_row("frames a minute", [run["frames_a_minute"] for run in runs]))
        lines.append(_row("load average, before/after", ["/".join(map(str, run["load_average"])) for run in runs]))
        lines += [_row(f"count {one}", [run["counts"].get(one, "") for run in runs]) for one in _COUNTS]
        for state in runs[-1]["state_s"]:
            seconds = [run["state_s"].get(state) for run in runs]
            if max(one or 0.0 for one in seconds) >= 0.5:
                lines.append(_row(f"state {state}, s", seconds, _growth(counts, seconds)))
        for function in runs[-1]["functions"]:
            of_one = [run["functions"].get(function, {}) for run in runs]
            means, peaks = _of(of_one, "mean_s"), _of(of_one, "peak_mb")
            lines.append(_row(f"{function}, calls", _of(of_one, "invocations")))
            lines.append(_row(f"{function}, mean s", means, _growth(counts, means)))
            lines.append(_row(f"{function}, peak MB", peaks, _growth(counts, peaks)))
        for server in runs[-1]["servers"]:
            lines.append(_row(f"{server}, CPU s", [run["servers"].get(server, {}).get("cpu_s") for run in runs]))
            lines.append(_row(f"{server}, MB", [run["servers"].get(server, {}).get("peak_mb") for run in runs]))
        lines.append(_row("functions, CPU s", _of(runs, "functions_cpu_s")))
        lines.append(_row("largest payload, bytes", [run["largest_payload"]["bytes"] for run in runs]))
        lines.append(_row("  where", [run["largest_payload"]["where"] for run in runs]))
        lines.append(_row("events of the parent", _of(runs, "parent_events")))
        objects = [sum(run["objects"].values()) for run in runs]
        stored = [sum(run["bytes"].values()) for run in runs]
        lines.append(_row("objects written", objects))
        lines.append(_row("objects a frame", [f"{one / n:.2f}" for one, n in zip(objects, counts, strict=True)]))
        lines.append(
            _row("KB stored a frame", [f"{one / n / 1024:.1f}" for one, n in zip(stored, counts, strict=True)])
        )
        for kind in ("requests", "requests_by_function"):
            # Sizes that were measured before requests were told by function have none.
            for what in runs[-1][kind] if all(run.get(kind) for run in runs) else ():
                made = [run[kind].get(what, 0) / n for run, n in zip(runs, counts, strict=True)]
                lines.append(_row(f"{what} a frame", [f"{one:.2f}" for one in made]))
        lines.append(_row("paid calls", _of(runs, "paid_calls")))
        too_large = [run["largest_payload"]["bytes"] > MOST_PAYLOAD_BYTES for run in runs]
        lines.append(_row("payloads above 32 KB", ["YES" if one else "none" for one in too_large]))
    return "\n".join(lines)


def _of(rows: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    return [row.get(name) for row in rows]


def _growth(counts: Sequence[int], values: Sequence[float | None]) -> list[str]:
    """Return the exponent from each size to the next: 1 grows as the frames do."""
    told = []
    for (n, one), (m, other) in zip(
        zip(counts, values, strict=True), list(zip(counts, values, strict=True))[1:], strict=False
    ):
        told.append(f"^{math.log(other / one) / math.log(m / n):.2f}" if one and other else "")
    return told


def _row(what: str, values: Sequence[object], growth: Sequence[str] = ()) -> str:
    cells = "".join(f"{'' if value is None else value!s:>18}" for value in values)
    return f"{what:58}{cells}  {' '.join(growth)}".rstrip()


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    main()
