"""The events in ``events/``: each valid one passes its function, each invalid one is refused by name."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import storycast.errors
from storycast.adapters import detectors, environment, targets
from storycast.cast import Cast
from storycast.detector_leases import DetectorLeases
from storycast.errors import StorycastError
from storycast.footage import FootageSource
from storycast.human_loops import batch_pictures
from storycast.keys import APPROVED_MANIFEST, run_file, trained_model, training_file, training_work
from storycast.lora_job import JobPicture
from storycast.manifest import ManifestRecord, write_manifest
from storycast.names import human_loop_name, job_name
from storycast.plan import FootagePlan, RunPlan, read_plan, write_plan
from storycast.ports import Drawn, HumanLoop
from storycast.renderers import BedrockHosting, Renderer, SageMakerDrawing
from storycast.requests import read_request
from storycast.review import Review, read_review, write_review
from storycast.runs import Run, create_run, read_run
from storycast.settings import read_settings
from storycast.storyboard import PanelRequest
from storycast.teardown import TearDownRequest
from storycast.trainers import PICTURES, BedrockTrainer, SageMakerTrainer, Trainer
from storycast.training import TrainedModel, TrainingPlan, read_training_plan, write_training_plan
from tests.fakes.aws_training import (
    Clock,
    FakeBedrock,
    FakeCustomizer,
    FakeExecutions,
    FakeHost,
    MemoryBook,
)
from tests.fakes.container_jobs import FakeJobs, FakeSageMaker
from tests.fakes.custom_labels import FakeVersions, MemoryLeaseBook
from tests.fakes.film import encoded, film
from tests.fakes.functions import CONTEXT, imported
from tests.fakes.humans import FakeHumans, MemoryLoopBook, answer
from tests.fakes.store import MemoryStore
from tests.fakes.trainings import SITE
from tests.fakes.workflow import BLUE, NOW, RED, World, scene

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "events"
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
VALID = sorted(path for name in FUNCTIONS for path in (EVENTS / name).glob("valid_*.json"))
INVALID = sorted(path for name in FUNCTIONS for path in (EVENTS / name).glob("invalid_*.json"))
NAMES = {name for name, one in vars(storycast.errors).items() if isinstance(one, type)}
NOT_OURS_YET: set[str] = set()
"""Names under which functions behind PrepareRun refuse an event that no state of ours sends."""

RUN_ID = "the-long-way-home-20260102-5f3a1c"
EXECUTION = "arn:aws:states:eu-central-1:111122223333:execution:storycast-build-dataset:6c2f9a1e"
FOOTAGE_ID = "8d1f0c2ab34e"
KEY = "uploads/the long way home/Länge & Kürze + 100%.mp4"
ETAG = "9b2cf535f27731c974343645a3985328"
VERSION_ID = "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH"
PROJECT = """
characters:
  - name: Mara
    references: [cast/mara/*]
  - name: Old Tom
    references: [cast/tom/*]
sampling: {frames_per_second: 2, pick: fixed}
duplicates: {threshold: 0.995}
budget_usd: 6000
storyboard: {prompts: [Mara by the sea], images_per_prompt: 1}
"""
FLOW = "arn:aws:sagemaker:eu-central-1:111122223333:flow-definition/storycast"
SESSION = ("t1a2b3c4d", "0961db")
"""Training and session that the events name; the second is made from the ARN of their execution."""
LORA_SESSION = ("t5e6f7a8b", "1b2c3d")
"""Of a training on SageMaker."""


def make_world() -> tuple[World, RunPlan]:
    """Return a bucket in which the run that the events name has gone through all its states."""
    world = World()
    pictures = [scene(n, ground=90, shapes={RED: 20, BLUE: 180}) for n in range(24)]
    content = film(pictures)
    world.store.put_version(KEY, content, ETAG, VERSION_ID)
    world.store.put_version(f"incoming/{RUN_ID}/still.png", encoded(pictures[3], "PNG"), "0" * 32, "v1")
    world.store.put("projects/the long way home/project.yaml", PROJECT.encode(), "application/yaml")
    for name, colour in (("mara", RED), ("tom", BLUE)):
        picture = scene(0, ground=100, shapes={colour: 100})[60:180, 75:195]
        world.store.put(f"projects/the long way home/cast/{name}/1.png", encoded(picture, "PNG"), "image/png")
    source = FootageSource(
        footage_id=FOOTAGE_ID,
        name=KEY.rsplit("/", 1)[-1],
        key=KEY,
        size_bytes=len(content),
        etag=ETAG,
        version_id=VERSION_ID,
    )
    plan = RunPlan(
        run_id=RUN_ID,
        project="the long way home",
        settings=read_settings(PROJECT, "project.yaml"),
        footage=(
            FootagePlan(source=source, frames="f" * 12, detections="d" * 12, crops="c" * 12, labels="a" * 12),
        ),
    )
    write_plan(world.store, plan)
    create_run(
        world.store,
        Run(
            run_id=RUN_ID,
            project=plan.project,
            status="running",
            execution_arn=EXECUTION,
            started_at=NOW.isoformat(),
            footage=(source,),
        ),
    )
    world.claims.register(EXECUTION, RUN_ID)
    assert world.go_on(plan).name == "DatasetReady"
    return world, plan


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()[0]


class Painter:
    """An :class:`~storycast.ports.ImageModel` that draws one picture whatever it is asked."""

    def draw(self, model_id: str, request: PanelRequest) -> Drawn:
        return Drawn((encoded(scene(0, ground=90, shapes={RED: 60}), "PNG"),))


@dataclass
class Training:
    """What the functions of a training session talk to besides the world."""

    store: MemoryStore
    customizer: FakeCustomizer
    host: FakeHost
    jobs: FakeJobs
    book: MemoryBook
    executions: FakeExecutions = field(default_factory=FakeExecutions)

    def trainer(self, target: str) -> Trainer:
        if target == "bedrock":
            return BedrockTrainer(self.customizer, self.store, "role")
        return SageMakerTrainer(self.jobs, self.store)

    def renderer(self, target: str) -> Renderer:
        return BedrockHosting(self.host) if target == "bedrock" else SageMakerDrawing(self.jobs, self.store)


@pytest.fixture
def training(world: World) -> Training:
    """A session of the run whose model is trained and hosted."""
    clock = Clock(datetime.now(UTC))
    bedrock = FakeBedrock(clock)
    training_id, session_id = SESSION
    settings = read_settings(PROJECT + "training: {target: bedrock}\n", "project.yaml")
    plan = TrainingPlan(
        run_id=RUN_ID,
        training_id=training_id,
        session_id=session_id,
        project="the long way home",
        execution_arn=EXECUTION,
        settings=settings,
        fingerprint="1a2b3c4d5e6f",
        manifest_key=f"runs/{RUN_ID}/training/{training_id}/{session_id}/manifest.jsonl",
        record_count=8,
        held_out=(),
        begun_at=clock.now,
        job_name=job_name(RUN_ID, training_id, session_id),
    )
    write_training_plan(world.store, plan)
    _put_model(
        world,
        plan,
        model_arn="arn:aws:bedrock:us-east-1:111122223333:custom-model/x",
        job_arn="arn:aws:bedrock:us-east-1:111122223333:model-customization-job/x",
    )
    hosting = {"arn": "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/x", "name": plan.hosting_name}
    world.store.put(
        training_file(RUN_ID, *SESSION, "hosting.json"), json.dumps(hosting).encode(), "application/json"
    )
    records = []
    for number in range(6):
        key = run_file(RUN_ID, f"dataset/images/approved-{number}.png")
        world.store.put(key, f"picture {number}".encode(), "image/png")
        records.append(ManifestRecord(image_uri=f"s3://media/{key}", caption=f"Mara, picture {number}"))
    world.store.put(run_file(RUN_ID, APPROVED_MANIFEST), write_manifest(records, "bedrock"), "application/jsonl")
    _put_lora_session(world, plan)
    jobs = FakeJobs(FakeSageMaker(clock, world.store))
    return Training(world.store, FakeCustomizer(bedrock), FakeHost(bedrock), jobs, MemoryBook(clock))


def _put_lora_session(world: World, plan: TrainingPlan) -> None:
    """A session of the same run whose adapter is trained on SageMaker."""
    training_id, session_id = LORA_SESSION
    lora = plan.model_copy(
        update={
            "training_id": training_id,
            "session_id": session_id,
            "settings": read_settings(PROJECT + "training: {target: sagemaker}\n", "project.yaml"),
            "fingerprint": "5e6f7a8b9c0d",
            "job_name": job_name(RUN_ID, training_id, session_id),
        }
    )
    write_training_plan(world.store, lora)
    picture = JobPicture(
        file=run_file(RUN_ID, "dataset/images/approved-0.png"),
        caption="Mara",
        characters=("Mara",),
        shot=None,
        held_out=False,
    )
    world.store.put(
        training_file(RUN_ID, *LORA_SESSION, PICTURES),
        picture.model_dump_json().encode() + b"\n",
        "application/jsonl",
    )
    folder = f"s3://{world.store.bucket}/{training_work(RUN_ID, training_id)}adapter/"
    _put_model(world, lora, model_arn=folder, job_arn="arn:aws:sagemaker:us-east-1:111122223333:training-job/x")


def _put_model(world: World, plan: TrainingPlan, *, model_arn: str, job_arn: str) -> None:
    """Put the record of the model that a session has trained."""
    values = plan.settings.training.values
    model = TrainedModel(
        fingerprint=plan.fingerprint,
        target=plan.target,
        model_arn=model_arn,
        model_name=plan.job_name,
        base_model=plan.settings.training.model_id,
        job_name=plan.job_name,
        job_arn=job_arn,
        trained_by=plan.run_id,
        training_id=plan.training_id,
        session_id=plan.session_id,
        step_count=values.step_count,
        batch_size=values.batch_size,
        learning_rate=values.learning_rate,
        record_count=plan.record_count,
        began_at=plan.begun_at,
        ended_at=plan.begun_at,
    )
    key = trained_model(plan.project, plan.fingerprint)
    world.store.put(key, model.model_dump_json().encode(), "application/json")


@dataclass
class Workers:
    """Amazon A2I, and the book of its loops."""

    humans: FakeHumans
    loops: MemoryLoopBook = field(default_factory=MemoryLoopBook)


@pytest.fixture(scope="module")
def review(world: World) -> Review:
    """What the run's review was before any event."""
    return read_review(world.store, RUN_ID)


@pytest.fixture
def workers(world: World, review: Review) -> Workers:
    """A human loop of the run that somebody waits for, and to which a worker has answered."""
    write_review(world.store, review)
    workers = Workers(FakeHumans(world.store))
    loop = HumanLoop(human_loop_name(RUN_ID, 0), RUN_ID, 0, "token", NOW)
    workers.loops.put(loop)
    kept = answer({one.image.crop_id: "keep" for one in batch_pictures(review, 0)})
    workers.humans.complete(loop.name, [kept])
    return Workers(FakeHumans(world.store), workers.loops)


@pytest.fixture
def handler_of(
    world: World, training: Training, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Callable[[Any, Any], Any]]:
    """Return a function that imports a handler by its path, with fakes where its adapters would be."""
    for name in ("store", "claims", "notifier"):
        monkeypatch.setattr(environment, name, lambda name=name: getattr(world, name))
    monkeypatch.setattr(environment, "review_log", lambda: world.log)
    monkeypatch.setattr(environment, "book", lambda: training.book)
    monkeypatch.setattr(targets, "trainer", training.trainer)
    monkeypatch.setattr(targets, "job_site", lambda: SITE)
    monkeypatch.setattr(targets, "renderer", training.renderer)
    models = FakeVersions(Clock())
    leases = MemoryLeaseBook(Clock())
    monkeypatch.setattr(detectors, "leases", lambda now: DetectorLeases(leases, training.book, models, now=now))
    monkeypatch.setattr(environment, "training_plan", lambda *session: read_training_plan(world.store, *session))
    monkeypatch.setattr(environment, "plan", lambda run_id: read_plan(world.store, run_id))
    monkeypatch.setattr(
        environment,
        "cast",
        lambda run_id: Cast.model_validate_json(world.store.get(run_file(run_id, "cast.json"))),
    )
    monkeypatch.setattr(
        environment, "model", lambda run_id, model_id: read_run(world.store, run_id).model(model_id)
    )
    for name, value in {
        "MEDIA_BUCKET": "media",
        "TABLE_NAME": "table",
        "STACK_NAME": "storycast",
        "REVIEW_TABLE_NAME": "reviews",
        "TOPIC_ARN": "arn:aws:sns:eu-central-1:111122223333:topic",
        "A2I_FLOW_DEFINITION_ARN": FLOW,
        "CUSTOMIZATION_ROLE_ARN": "arn:aws:iam::111122223333:role/customization",
        "SAGEMAKER_TRAINING": "on",
        "AWS_REGION": "us-east-1",
        "POWERTOOLS_SERVICE_NAME": "storycast",
    }.items():
        monkeypatch.setenv(name, value)
    services = {
        "BedrockEmbedder": lambda _: world.embedder,
        "ConverseCaptioner": lambda _: world.captioner,
        "RekognitionLabels": lambda _: world.detector,
        "RekognitionFaces": lambda _: world.faces,
        "RekognitionCollections": lambda: world.collections,
        "RekognitionVersions": lambda: models,
        "BedrockCatalogue": lambda: world.catalogue,
        "IamRoles": lambda: world.roles,
        "BedrockImages": Painter,
        "StepFunctionsExecutions": lambda: training.executions,
        "StepFunctionsCallbacks": lambda: world.callbacks,
        "A2iHumanReviews": lambda: workers.humans,
        "DynamoLoopBook": lambda _: workers.loops,
    }

    def load(name: str) -> Callable[[Any, Any], Any]:
        module = imported(name)
        for service, fake in services.items():
            if hasattr(module, service):
                monkeypatch.setattr(module, service, fake)
        handler: Callable[[Any, Any], Any] = module.handler
        return handler

    return load


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_events_of_both_kinds(name: str) -> None:
    assert list((EVENTS / name).glob("valid_*.json"))
    assert list((EVENTS / name).glob("invalid_*.json"))


def test_every_event_belongs_to_a_function_or_is_a_trigger() -> None:
    files = {path for path in EVENTS.rglob("*") if path.is_file()}
    triggers = set((EVENTS / "triggers").glob("*.json"))
    assert files == {*VALID, *INVALID, *triggers}
    assert len(triggers) >= 3


@pytest.mark.parametrize("path", VALID, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_valid_event_passes(path: Path, handler_of: Callable[[str], Callable[[Any, Any], Any]]) -> None:
    answer = handler_of(path.parent.name)(json.loads(path.read_text(encoding="utf-8")), CONTEXT)
    assert isinstance(answer, dict)
    size = len(json.dumps(answer).encode())
    assert size <= 32 * 1024, "no state passes on more than 32 KB"


@pytest.mark.parametrize("path", INVALID, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_invalid_event_is_refused_by_name(
    path: Path, handler_of: Callable[[str], Callable[[Any, Any], Any]]
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the name is what is looked at
        handler_of(path.parent.name)(json.loads(path.read_text(encoding="utf-8")), CONTEXT)
    name = type(caught.value).__name__
    if path.parent.name == "prepare_run":
        assert isinstance(caught.value, StorycastError), name
    assert name in NAMES | NOT_OURS_YET
    assert str(caught.value)


def test_a_session_goes_where_its_plan_says(
    handler_of: Callable[[str], Callable[[Any, Any], Any]], training: Training
) -> None:
    for session in ("session", "lora_session"):
        event = json.loads((EVENTS / "start_training" / f"valid_{session}.json").read_text(encoding="utf-8"))
        handler_of("start_training")(event, CONTEXT)
    kinds = {row.name: row.kind for row in training.book.rows()}
    assert kinds == {
        job_name(RUN_ID, *SESSION): "customization_job",
        job_name(RUN_ID, *LORA_SESSION): "training_job",
    }


def test_the_same_upload_event_again_is_not_claimed(
    handler_of: Callable[[str], Callable[[Any, Any], Any]],
) -> None:
    event = json.loads((EVENTS / "prepare_run/valid_upload.json").read_text(encoding="utf-8"))
    first = handler_of("prepare_run")(event, CONTEXT)
    assert first["claimed"] is True
    again = handler_of("prepare_run")({**event, "execution_arn": f"{EXECUTION}-2"}, CONTEXT)
    assert again == {"claimed": False, "held_by": event["execution_arn"]}


def test_triggers_have_the_form_that_eventbridge_sends() -> None:
    for path in (EVENTS / "triggers").glob("*.json"):
        event = json.loads(path.read_text(encoding="utf-8"))
        assert {
            "version",
            "id",
            "detail-type",
            "source",
            "account",
            "time",
            "region",
            "resources",
            "detail",
        } == set(event)
        assert re.fullmatch(r"\d{12}", event["account"])


def test_the_upload_trigger_is_a_request() -> None:
    event = json.loads((EVENTS / "triggers/s3_object_created.json").read_text(encoding="utf-8"))
    request, upload = read_request(event)
    assert request.footage == (KEY,)
    assert upload is not None


def test_the_status_triggers_are_what_record_failure_takes(
    handler_of: Callable[[str], Callable[[Any, Any], Any]],
) -> None:
    for path in sorted((EVENTS / "triggers").glob("step_functions_*.json")):
        recorded = handler_of("record_failure")({"event": json.loads(path.read_text(encoding="utf-8"))}, CONTEXT)
        assert recorded["failed"] is True
        assert recorded["reason"].startswith(("FAILED", "TIMED_OUT", "ABORTED"))
        assert TearDownRequest.model_validate(recorded).scope in {"run", "session", "none"}


def test_the_human_loop_triggers_are_what_complete_human_review_takes(
    handler_of: Callable[[str], Callable[[Any, Any], Any]],
) -> None:
    for path in sorted((EVENTS / "triggers").glob("a2i_*.json")):
        done = handler_of("complete_human_review")(json.loads(path.read_text(encoding="utf-8")), CONTEXT)
        assert done["status"] == path.stem.rpartition("_")[2]
        assert done["told"] is True


def test_human_loops_of_others_are_passed_over(handler_of: Callable[[str], Callable[[Any, Any], Any]]) -> None:
    for name in ("of_another_flow_definition", "loop_of_nobody"):
        path = EVENTS / "complete_human_review" / f"valid_{name}.json"
        done = handler_of("complete_human_review")(json.loads(path.read_text(encoding="utf-8")), CONTEXT)
        assert (done["status"], done["told"]) == ("passed_over", False)
