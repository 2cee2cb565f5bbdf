"""The doors: how input gets into Storycast, each with the limits of what is behind it."""

import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

import cli.exporting
import cli.local_training
import cli.reviewing
import cli.running
import cli.training
from cli.main import app
from cli.problems import exit_code_of_run
from storycast.adapters import environment
from storycast.errors import StorycastError
from storycast.footage import FootageSource, Probe, plan_segments
from storycast.keys import probe as probe_key
from storycast.plan import make_plan
from storycast.runs import Run, create_run
from storycast.settings import read_settings
from storycast.stages.build_cast import build_cast
from storycast.stages.probe_footage import probe_footage
from storycast.stages.sample_frames import sample_frames
from storycast.stages.training_dataset import dataset_pictures
from tests.bad_input.corpus import Door, Outcome
from tests.fakes.functions import CONTEXT, imported
from tests.fakes.services import ColourEmbedder, MemoryClaims
from tests.fakes.store import MemoryStore
from tests.fakes.turns import turns_of

ROOT = Path(__file__).parents[2]
COMMAND_MB = 1024
"""What the command may need for any input."""
PROBE_MB, SAMPLE_MB, CAST_MB, PLAN_MB = 1024, 3008, 1024, 1024
"""``MemorySize`` of ProbeFootage, SampleFrames, BuildCast and CheckTrainingPlan; a test compares."""
MOST_SEGMENTS = 3
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:storycast-build-dataset:1"


def stay_below(megabytes: int) -> None:
    """Refuse a process that has needed more memory than what it stands for has."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    assert peak <= megabytes, f"needed {peak} MB of {megabytes}"


# ---- the command ----------------------------------------------------------------------------------


@contextmanager
def _nobody(*_: Any, **__: Any) -> Iterator[None]:
    """Stands where the command would open its target: all that it looks at by itself was fine."""
    typer.echo("taken")
    raise typer.Exit(0)
    yield


def command(*arguments: str) -> Outcome:
    """Run ``storycast``; whatever it would start is not started."""
    for module in [one for name, one in sys.modules.items() if name.startswith("cli.") and hasattr(one, "opened")]:
        module.opened = _nobody  # type: ignore[attr-defined]
    vars(cli.reviewing)["refuse_down"] = lambda *_: None
    # `make setup-training` need not have been there.
    vars(cli.local_training)["find_python"] = lambda _: Path(sys.executable)
    os.environ["COLUMNS"] = "200"
    result = CliRunner().invoke(app, arguments, prog_name="storycast")
    stay_below(COMMAND_MB)
    told = "\n".join(
        line.rstrip().replace(str(Path.cwd()), "/folder")
        for line in (result.stderr + result.stdout).splitlines()
        if line.strip()
    )
    assert "Traceback" not in told, told
    assert not set(told) & {chr(sign) for sign in range(32)} - {"\n", "\t"}, f"control characters: {told!r}"
    return Outcome(result.exit_code, told)


def _project(*_: Any) -> Outcome:
    return command("run", "film.mp4", "--project", "project.yaml")


# ---- functions ------------------------------------------------------------------------------------


def told_by(work: Callable[[], str]) -> Outcome:
    """Return what a function says, or the error that it ends with: its name, and what the command would tell."""
    try:
        return Outcome(0, work())
    except StorycastError as error:
        name = type(error).__name__
        return Outcome(exit_code_of_run(name), f"{name}: {error}")


def _event(
    event: Any, store: MemoryStore | None = None, book: MemoryClaims | None = None, execution: str = EXECUTION
) -> Outcome:
    bucket = store or uploaded("uploads/p/film.mp4", b"film")
    claims = book or MemoryClaims()
    environment.store = lambda: bucket  # type: ignore[assignment]
    environment.claims = lambda: claims  # type: ignore[assignment]
    os.environ |= {"POWERTOOLS_SERVICE_NAME": "storycast", "POWERTOOLS_LOG_LEVEL": "CRITICAL"}
    given = {"execution_arn": execution, "started_at": "2026-01-02T03:04:05Z", "request": event}

    def work() -> str:
        prepared = imported("prepare_run").handler(given, CONTEXT)
        return f"a run begins: {prepared['run_id']}" if prepared["claimed"] else "claimed by another execution"

    return told_by(work)


def _replay(event: Any) -> Outcome:
    """Send an event twice, by two executions."""
    bucket, claims = uploaded("uploads/p/film.mp4", b"film"), MemoryClaims()
    first = _event(event, bucket, claims)
    second = _event(event, bucket, claims, execution=f"{EXECUTION}-2")
    return Outcome(second.code, f"{first.told}\n{second.told}")


def uploaded(key: str, content: bytes) -> MemoryStore:
    """Return a bucket with one upload."""
    store = MemoryStore()
    store.put(key, content, "video/mp4")
    return store


def _film(name: str) -> Outcome:
    seen = command("run", name)
    if seen.code or Path(name).stat().st_size > 100 * 1024**2:
        return seen
    store = uploaded(f"uploads/p/{name}", Path(name).read_bytes())

    def work() -> str:
        source = FootageSource(
            footage_id="f" * 12,
            name=name,
            key=f"uploads/p/{name}",
            size_bytes=store.head(f"uploads/p/{name}").size_bytes,
            etag=store.head(f"uploads/p/{name}").etag,
        )
        plan = make_plan("run-1", "p", read_settings("", "project.yaml"), [source], None)
        probe_footage(plan, source.footage_id, store=store)
        stay_below(PROBE_MB)
        probe = Probe.model_validate_json(store.get(probe_key(source.footage_id)))
        segments = plan_segments(
            source, probe, frames_per_second=1.0, pick="sharpest", fingerprint=plan.footage[0].frames
        )
        kept = sum(sample_frames(segment, store=store)["kept"] for segment in segments[:MOST_SEGMENTS])
        stay_below(SAMPLE_MB)
        return f"frames kept: {kept}"

    there = told_by(work)
    return Outcome(there.code, f"{seen.told}\n{there.told}")


def _picture(name: str) -> Outcome:
    Path("project.yaml").write_text(f"characters: [{{name: Bunny, references: ['cast/{name}']}}]", "utf-8")
    seen = _project()
    store = uploaded(f"projects/p/cast/{name}", (Path("cast") / name).read_bytes())

    def work() -> str:
        plan = make_plan("run-1", "p", read_settings(Path("project.yaml").read_bytes(), "project.yaml"), [], None)
        create_run(
            store,
            Run(
                run_id="run-1",
                project="p",
                status="running",
                execution_arn=EXECUTION,
                started_at=NOW.isoformat(),
                footage=(),
            ),
        )
        build_cast(plan, store=store, embedder=ColourEmbedder(), turns=turns_of("run-1", store))
        return "embedded"

    there = told_by(work)
    stay_below(CAST_MB)
    assert seen.code == there.code
    return Outcome(seen.code, f"{seen.told}\n{there.told}")


def _stored_manifest(content: bytes) -> Outcome:
    store = MemoryStore()
    for number in range(5):
        store.put(f"datasets/d/{number}.png", b"picture", "image/png")
    store.put("datasets/d/manifest.jsonl", content, "application/jsonl")

    def work() -> str:
        return f"pictures: {len(dataset_pictures(store, 'datasets/d/manifest.jsonl'))}"

    told = told_by(work)
    stay_below(PLAN_MB)
    return told


COMMAND = Door("`storycast`", command)
FILM = Door("`storycast run FILM`, then ProbeFootage and SampleFrames", _film)
PROJECT = Door("`storycast run --project FILE`", _project)
PICTURE = Door("a reference picture: `storycast run --project`, then BuildCast", _picture)
EVENT = Door("PrepareRun", _event)
REPLAY = Door("PrepareRun, by two executions", _replay)
EXPORT = Door("`storycast export FOLDER`", command)
TRAIN = Door("`storycast train FOLDER --local`", command)
STORED_MANIFEST = Door("CheckTrainingPlan", _stored_manifest)
IMPORT = Door("`storycast review --import FILE`", lambda name: command("review", "--import", name))
