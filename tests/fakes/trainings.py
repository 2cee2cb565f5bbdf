"""An account with a run whose dataset is approved, and the functions of training and teardown over it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from storycast import keys, names
from storycast.curation import CuratedImage
from storycast.dataset import DatasetImage, file_name
from storycast.detector_leases import DetectorLeases
from storycast.failures import ExecutionEnd
from storycast.frames import to_json_lines
from storycast.job_preflight import JobSite
from storycast.manifest import ManifestRecord, write_manifest
from storycast.plan import RunPlan, write_plan
from storycast.renderers import BedrockHosting, Renderer, SageMakerDrawing
from storycast.runs import Run, create_run, read_run
from storycast.settings import Settings
from storycast.stages.check_provisioning import check_provisioning
from storycast.stages.check_training import check_training
from storycast.stages.check_training_plan import check_training_plan
from storycast.stages.delete_model import delete_model
from storycast.stages.end_billed import end_billed
from storycast.stages.find_unowned import find_unowned
from storycast.stages.provision_model import provision_model
from storycast.stages.record_failure import record_failure
from storycast.stages.start_training import start_training
from storycast.teardown import TearDownRequest
from storycast.trainers import BedrockTrainer, SageMakerTrainer, Trainer
from storycast.training import Target, TrainingPlan, TrainingRequest, read_training_plan
from tests.fakes.aws_training import Clock, FakeBedrock, FakeCustomizer, FakeExecutions, FakeHost, MemoryBook
from tests.fakes.captions import HARBOUR_CAPTIONS, ORBIT_CAPTIONS
from tests.fakes.container_jobs import FakeJobs, FakeSageMaker
from tests.fakes.custom_labels import FakeVersions, MemoryLeaseBook
from tests.fakes.services import GivenRoles, HeardNotifier, ListedModels, MemoryClaims
from tests.fakes.steps import Stepped
from tests.fakes.store import MemoryStore

RUN = "film-20260102-abcdef"
PROJECT = "film"
STATES_ARN = "arn:aws:states:us-east-1:123456789012"
BUILT_BY = f"{STATES_ARN}:execution:storycast-build-dataset:1"
TEARDOWN = f"{STATES_ARN}:execution:storycast-tear-down:1"
SETTINGS: dict[str, Any] = {
    "training": {"target": "bedrock", "step_count": 100, "batch_size": 8, "hold_out_share": 0.0},
    "storyboard": {"prompts": ["A hill", "A lake"]},
    "budget_usd": 100_000,
}

SITE = JobSite(
    image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/trainer:1",
    role_arn="arn:aws:iam::123456789012:role/training",
    bucket="media",
)

SCENES = [one for one in (*HARBOUR_CAPTIONS, *ORBIT_CAPTIONS) if len(one.in_picture or ()) == 1]

Gate = Callable[[str], None]


def _open(_place: str) -> None:
    """Let every place pass."""


def execution(number: int) -> str:
    """Return the ARN of an execution of ``train_model``."""
    return f"{STATES_ARN}:execution:storycast-train-model:{number}"


def approved(image: CuratedImage) -> DatasetImage:
    """Return a picture as a review leaves it."""
    caption = caption_of(image)
    return DatasetImage(file_name=file_name(image), caption=caption, image=image, caption_by="somebody", flags=())


def caption_of(image: CuratedImage) -> str:
    """Return a good caption, as unlike those of the other pictures as there are some."""
    scene = SCENES[int(image.crop_id.rpartition("-")[2]) % len(SCENES)]
    caption = scene.caption.replace(str(scene.character), image.character)
    return f"{caption[:-1]}, with {' and '.join(image.in_picture[1:])}." if image.in_picture[1:] else caption


def curated(number: int, *, character: str = "Mara", shot: int | None = None) -> CuratedImage:
    return CuratedImage(
        crop_id=f"crop-{number:02d}",
        character=character,
        frame_id=f"frame-{number}",
        frame_key=f"frames/{number}.jpg",
        footage_id="8d1f0c2ab34e",
        time_ms=number * 1000,
        shot=number if shot is None else shot,
        left_px=0,
        top_px=0,
        side_px=512,
        in_picture=(character,),
        framing="close",
        enlarged=False,
        score=1.0,
        duplicates=(),
    )


@dataclass
class Account:
    """A bucket, a table, Bedrock and executions, and a run that is ready to be trained on."""

    clock: Clock = field(default_factory=Clock)
    store: MemoryStore = field(default_factory=MemoryStore)
    claims: MemoryClaims = field(default_factory=MemoryClaims)
    catalogue: ListedModels = field(default_factory=ListedModels)
    roles: GivenRoles = field(default_factory=GivenRoles)
    notifier: HeardNotifier = field(default_factory=HeardNotifier)
    executions: FakeExecutions = field(default_factory=FakeExecutions)
    settings: Mapping[str, Any] = field(default_factory=lambda: SETTINGS)
    list_lag: timedelta = timedelta()
    book_lag: timedelta = timedelta()
    bedrock: FakeBedrock = field(init=False)
    sagemaker: FakeSageMaker = field(init=False)
    book: MemoryBook = field(init=False)
    versions: FakeVersions = field(init=False)
    leases: MemoryLeaseBook = field(init=False)

    def __post_init__(self) -> None:
        self.bedrock = FakeBedrock(self.clock, self.list_lag)
        self.sagemaker = FakeSageMaker(self.clock, self.store)
        self.jobs = FakeJobs(self.sagemaker)
        self.customizer = FakeCustomizer(self.bedrock)
        self.host = FakeHost(self.bedrock)
        self.book = MemoryBook(self.clock, self.book_lag)
        self.versions = FakeVersions(self.clock)
        self.leases = MemoryLeaseBook(self.clock, self.book_lag)
        self.add_run(RUN)

    def add_run(self, run_id: str, images: int = 12, **record: Any) -> None:
        """Put a run whose dataset is approved."""
        settings = Settings.model_validate(self.settings)
        write_plan(self.store, RunPlan(run_id=run_id, project=PROJECT, settings=settings, footage=()))
        facts: dict[str, Any] = {
            "run_id": run_id,
            "project": PROJECT,
            "status": "dataset_ready",
            "execution_arn": BUILT_BY,
            "started_at": self.clock.now.isoformat(),
        }
        create_run(self.store, Run.model_validate({**facts, **record}))
        self.put_dataset(run_id, [curated(number) for number in range(images)])

    def put_dataset(self, run_id: str, chosen: list[CuratedImage]) -> None:
        pictures = [approved(image) for image in chosen]
        self.store.put(keys.run_file(run_id, keys.PICTURES), to_json_lines(pictures), "application/jsonl")
        records = []
        for image in chosen:
            key = keys.run_file(run_id, f"dataset/images/{file_name(image)}")
            self.store.put(key, f"picture {image.crop_id}".encode(), "image/png")
            records.append(ManifestRecord(image_uri=f"s3://media/{key}", caption=caption_of(image)))
        manifest = write_manifest(records, "bedrock")
        self.store.put(keys.run_file(run_id, keys.APPROVED_MANIFEST), manifest, "application/jsonl")

    # ---- the functions ----

    def trainer(self, target: Target, gate: Gate = _open) -> Trainer:
        store = Stepped(self.store, gate)
        if target == "bedrock":
            return BedrockTrainer(
                Stepped(self.customizer, gate), store, "arn:aws:iam::123456789012:role/customization"
            )
        return SageMakerTrainer(Stepped(self.jobs, gate), store)

    def renderer(self, target: Target, gate: Gate = _open) -> Renderer:
        if target == "bedrock":
            return BedrockHosting(Stepped(self.host, gate))
        return SageMakerDrawing(Stepped(self.jobs, gate), Stepped(self.store, gate))

    def check(self, number: int = 1, gate: Gate = _open, **request: Any) -> dict[str, Any]:
        return check_training_plan(
            TrainingRequest.model_validate({"run_id": RUN, **request}),
            execution_arn=execution(number),
            started_at=self.clock.now,
            store=Stepped(self.store, gate),
            claims=Stepped(self.claims, gate),
            book=Stepped(self.book, gate),
            catalogue=self.catalogue,
            trainer_of=lambda target: self.trainer(target, gate),
            roles=self.roles,
            role_arn="arn:aws:iam::123456789012:role/customization",
            site=SITE,
            region="us-east-1",
            now=self.clock.now,
        )

    def plan(self, number: int = 1, **request: Any) -> TrainingPlan:
        """Check and return the plan of a session."""
        return self.plan_of(self.check(number, **request))

    def plan_of(self, checked: Mapping[str, Any]) -> TrainingPlan:
        return read_training_plan(self.store, checked["run_id"], checked["training_id"], checked["session_id"])

    def start(self, plan: TrainingPlan, gate: Gate = _open) -> dict[str, Any]:
        return start_training(
            plan,
            store=Stepped(self.store, gate),
            claims=Stepped(self.claims, gate),
            book=Stepped(self.book, gate),
            trainer=self.trainer(plan.target, gate),
            now=self.clock.now,
        )

    def look_at_training(self, plan: TrainingPlan, gate: Gate = _open) -> dict[str, Any]:
        return check_training(
            plan,
            store=Stepped(self.store, gate),
            claims=Stepped(self.claims, gate),
            book=Stepped(self.book, gate),
            trainer=self.trainer(plan.target, gate),
            now=self.clock.now,
        )

    def provision(self, plan: TrainingPlan, gate: Gate = _open) -> dict[str, Any]:
        return provision_model(
            plan,
            store=Stepped(self.store, gate),
            book=Stepped(self.book, gate),
            renderer=self.renderer(plan.target, gate),
            now=self.clock.now,
        )

    def look_at_hosting(self, plan: TrainingPlan, gate: Gate = _open) -> dict[str, Any]:
        return check_provisioning(
            plan,
            store=Stepped(self.store, gate),
            book=Stepped(self.book, gate),
            renderer=self.renderer(plan.target, gate),
            now=self.clock.now,
        )

    def tear_down(
        self, request: Any, gate: Gate = _open, *, started_at: Any = None, execution_arn: str = TEARDOWN
    ) -> dict[str, Any]:
        return end_billed(
            TearDownRequest.model_validate(request) if isinstance(request, dict) else request,
            execution_arn=execution_arn,
            started_at=started_at or self.clock.now,
            store=Stepped(self.store, gate),
            claims=Stepped(self.claims, gate),
            book=Stepped(self.book, gate),
            trainer_of=lambda target: self.trainer(target, gate),
            renderer_of=lambda target: self.renderer(target, gate),
            detectors=self.detectors(gate),
            executions=Stepped(self.executions, gate),
            notifier=self.notifier,
            now=self.clock.now,
        )

    def detectors(self, gate: Gate = _open) -> DetectorLeases:
        """Return the way to a Custom Labels model."""
        leases, book, versions = (Stepped(port, gate) for port in (self.leases, self.book, self.versions))
        return DetectorLeases(leases, book, versions, now=self.clock.now)

    def torn_down(self, request: Any, *, most: int = 12) -> dict[str, Any]:
        """Tear down as the machine does: again and again, two minutes apart."""
        began = self.clock.now
        for _ in range(most):
            ended = self.tear_down(request, started_at=began)
            if ended["status"] != "ending":
                return ended
            self.clock.forward(seconds=120)
            self.bedrock.settle()
            self.sagemaker.settle()
        raise AssertionError(ended)

    def delete(self, **request: Any) -> dict[str, Any]:
        asked = TearDownRequest.model_validate({"scope": "run", "run_id": RUN, "delete_model": True, **request})
        return delete_model(asked, store=self.store, trainer_of=self.trainer)

    def look_for_unowned(self) -> dict[str, Any]:
        return find_unowned(
            book=self.book,
            claims=self.claims,
            renderers=[self.renderer("bedrock"), self.renderer("sagemaker")],
            notifier=self.notifier,
            now=self.clock.now,
        )

    def failed(self, arn: str, gate: Gate = _open, **detail: Any) -> TearDownRequest:
        return record_failure(
            ended(arn, **detail),
            store=Stepped(self.store, gate),
            claims=Stepped(self.claims, gate),
            notifier=self.notifier,
            now=self.clock.now,
        )

    # ---- what is there ----

    def run(self, run_id: str = RUN) -> Run:
        return read_run(self.store, run_id)

    def trained(self, plan: TrainingPlan) -> dict[str, Any] | None:
        try:
            content = self.store.get(keys.trained_model(plan.project, plan.fingerprint))
        except KeyError:
            return None
        model: dict[str, Any] = json.loads(content)
        return model

    def to_trained(self, number: int = 1, **request: Any) -> TrainingPlan:
        """Go through a session up to its trained model."""
        plan = self.plan(number, **request)
        self.start(plan)
        self.bedrock.end_job(plan.job_name)
        assert self.look_at_training(plan)["status"] == "Completed"
        return plan

    def to_hosted(self, number: int = 1, **request: Any) -> TrainingPlan:
        """Go through a session up to hosting in service."""
        plan = self.to_trained(number, **request)
        self.provision(plan)
        self.bedrock.settle()
        assert self.look_at_hosting(plan)["status"] == "InService"
        return plan


def ended(arn: str, status: str = "FAILED", error: str | None = None, cause: str | None = None) -> ExecutionEnd:
    """Return the detail of the event of an execution's end."""
    machine = arn.replace(":execution:", ":stateMachine:").rpartition(":")[0]
    return ExecutionEnd.model_validate(
        {"executionArn": arn, "stateMachineArn": machine, "status": status, "error": error, "cause": cause}
    )


def session_scope(plan: TrainingPlan, **more: Any) -> dict[str, Any]:
    return {"scope": "session", "run_id": plan.run_id, "session_id": plan.session_id, **more}


def session_of(number: int) -> str:
    return names.session_id(execution(number))
