"""What the tests share: an engine, the built application, an AWS that containers reach, a run in its bucket."""

import fcntl
import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import pytest

from local.tools import REPOSITORY
from storycast import names
from storycast.adapters.s3 import S3Store
from storycast.footage import FootageSource
from storycast.plan import RunPlan, make_plan, write_plan
from storycast.runs import Run, create_run
from storycast.settings import Settings
from tests.fakes.tables import create_billing_table
from tests.sam import base, sam
from tests.sam.base import Base
from tests.sam.emulator import Emulator, an_emulator
from tests.sam.engine import Engine, NoEngineError, an_engine
from tests.sam.film import write_film

BUCKET = "media"
TABLE = "claims"
RUN_ID = "sam-run"
FILM_KEY = "uploads/Häschen & Bär/two shots.mp4"

Invoke = Callable[[str, Any], sam.Answer]
Say = Callable[[str], None]


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.sam)


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Say:
    """Print a line whatever pytest captures."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def print_it(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{text}", flush=True)

    return print_it


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder on the checkout's disk for all that is built, of one test run at a time; removed at the end."""
    made = REPOSITORY / ".storycast/sam"
    made.parent.mkdir(exist_ok=True)
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        yield made
        shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def engine(folder: Path, say: Say) -> Iterator[Engine]:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):  # else nothing would be cleaned up
        signal.signal(number, _interrupt)
    try:
        with an_engine(folder / "engine") as found:
            say(f"engine: {'one of our own' if found.own else 'the one that runs here'}")
            yield found
    except NoEngineError as error:
        pytest.exit(str(error), returncode=2)


@pytest.fixture(scope="session")
def base_image(engine: Engine, say: Say) -> Iterator[Base]:
    began = time.monotonic()
    found = base.provide(engine)
    say(f"base image: {found.said} ({time.monotonic() - began:.0f} s)")
    before = set(engine.docker("image", "ls", "--quiet", "--all", "--no-trunc").split())
    yield found
    if not engine.own:  # ours takes everything along when it ends
        made = set(engine.docker("image", "ls", "--quiet", "--all", "--no-trunc").split()) - before
        if made or found.tags:
            engine.docker("image", "rm", "--force", *sorted(made), *found.tags, check=False)


@pytest.fixture(scope="session")
def built(engine: Engine, base_image: Base, folder: Path, say: Say) -> Path:
    """The built template, as `sam build` writes it."""
    began = time.monotonic()
    template = sam.build(engine, folder / "build", template=base.template(base_image, folder))
    say(f"sam build: {time.monotonic() - began:.0f} s")
    return template


@pytest.fixture(scope="session")
def emulator(engine: Engine, base_image: Base, folder: Path) -> Iterator[Emulator]:
    own = folder / "aws"
    own.mkdir()
    with an_emulator(engine, own) as found:
        s3 = found.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        create_billing_table(found.client("dynamodb"), TABLE)
        yield found


@pytest.fixture(scope="session")
def invoke(engine: Engine, built: Path, emulator: Emulator, folder: Path) -> Invoke:
    """`sam local invoke` on an event, with an AWS that answers."""
    template = sam.set_environment(
        built,
        {
            "AWS_ENDPOINT_URL": emulator.url,
            "MEDIA_BUCKET": BUCKET,
            "TABLE_NAME": TABLE,
            "TOPIC_ARN": emulator.topic_arn,
        },
    )

    def call(function: str, event: Any) -> sam.Answer:
        path = folder / "event.json"
        path.write_text(json.dumps(event))
        return sam.invoke(engine, template, function, path, emulator.variables)

    return call


@pytest.fixture(scope="session")
def film(folder: Path) -> Path:
    return write_film(folder / "film" / "two shots.mp4")


@pytest.fixture(scope="session")
def store(emulator: Emulator, film: Path) -> S3Store:
    """The bucket, with the film in it."""
    store = S3Store(BUCKET, emulator.client("s3"))
    store.put(FILM_KEY, film.read_bytes(), "video/mp4")
    return store


@pytest.fixture(scope="session")
def plan(store: S3Store) -> RunPlan:
    """A run that PrepareRun has prepared, so that no test depends on its image."""
    found = store.head(FILM_KEY)
    source = FootageSource(
        footage_id=names.footage_id(found.etag, found.size_bytes),
        name="two shots.mp4",
        key=FILM_KEY,
        size_bytes=found.size_bytes,
        etag=found.etag,
        version_id=found.version_id,
    )
    settings = Settings.model_validate({"duplicates": {"threshold": 0.95}, "sampling": {"frames_per_second": 2}})
    plan = make_plan(RUN_ID, "Häschen & Bär", settings, [source])
    write_plan(store, plan)
    run = Run(
        run_id=RUN_ID,
        project="Häschen & Bär",
        status="running",
        execution_arn="arn:aws:states:us-east-1:000000000000:execution:storycast-build-dataset:sam",
        started_at="2026-01-02T03:04:05+00:00",
        footage=(source,),
    )
    create_run(store, run)
    return plan
