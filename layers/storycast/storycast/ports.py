"""What the stages need from the world, as Protocols; :mod:`storycast.adapters` has AWS's, tests have fakes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, Protocol

from storycast.billing import Billed
from storycast.boxes import Box
from storycast.decisions import Decision
from storycast.storyboard import PanelRequest
from storycast.training import JobStatus, ThroughputStatus
from storycast.votes import Method


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in the bucket, as a listing or a head request tells it."""

    key: str
    size_bytes: int
    etag: str
    version_id: str | None = None
    written_at: datetime | None = field(default=None, compare=False)
    """When this content was written, by the bucket's clock, in whole seconds."""


@dataclass(slots=True)
class Reads:
    """What reading an object in ranges took so far."""

    requests: int = 0
    bytes_read: int = 0


class ObjectChangedError(Exception):
    """An object is not what a write meant to replace: somebody else wrote or deleted it meanwhile."""


class ObjectStore(Protocol):
    """The media bucket."""

    @property
    def bucket(self) -> str:
        """Name of the bucket."""

    def get(self, key: str) -> bytes:
        """Return an object's content.

        Raises:
            KeyError: There is no such object.
        """

    def get_with_etag(self, key: str) -> tuple[bytes, str]:
        """Return an object's content and the ETag of this very content.

        Raises:
            KeyError: There is no such object.
        """

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Write an object, replacing what is there."""

    def put_if(self, key: str, content: bytes, content_type: str, etag: str | None) -> None:
        """Write an object in place of one content alone.

        Args:
            key: The object.
            content: What is written.
            content_type: Its media type.
            etag: ETag of the content that is replaced; None where no such object may be there.

        Raises:
            ObjectChangedError: Something else is there. After an answer that was lost, that may be this content.
        """

    def head(self, key: str) -> StoredObject:
        """Return what is known of an object.

        Raises:
            KeyError: There is no such object.
        """

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects below a prefix, by key."""

    def delete(self, key: str) -> None:
        """Delete an object; one that is gone is no fault."""

    def open(self, stored: StoredObject, reads: Reads | None = None) -> IO[bytes]:
        """Return a seekable file over one content of an object, read in ranges; ``reads`` counts them."""


class Claims(Protocol):
    """Who may run for an upload event: the first execution that asks, and that one again."""

    def claim(self, item: str, owner: str, details: Mapping[str, str]) -> str:
        """Claim ``item`` for ``owner`` and return who holds it."""

    def holder(self, item: str) -> str | None:
        """Return who holds a claim, None where nobody does."""

    def release(self, item: str, owner: str) -> None:
        """Give up a claim that ``owner`` holds; one that it does not hold stays as it is."""

    def register(self, execution_arn: str, run_id: str) -> None:
        """Remember which run an execution is, so that its end can be recorded wherever it fails."""

    def run_of(self, execution_arn: str) -> str | None:
        """Return the run of an execution, None where it never had one."""


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """One instance of a label; confidence 0..100. ``method`` tells general labels from custom ones."""

    box: Box
    label: str
    confidence: float
    method: Method = "labels"


@dataclass(frozen=True, slots=True)
class Labels:
    """What a label detector saw in a picture, and the version of the model that says so."""

    boxes: tuple[LabelledBox, ...]
    model_version: str


class LabelDetector(Protocol):
    """Finds things in a picture and names them with general words."""

    def detect(self, key: str, *, min_confidence: float, only: Sequence[str]) -> Labels:
        """Return the labels that have boxes.

        Args:
            key: Key of a JPEG or PNG in the media bucket.
            min_confidence: Confidence from which labels count, 0..100.
            only: Labels to look for; empty for all that may be a character.

        Raises:
            FrameRefusedError: The service can't use this picture.
        """


class Embedder(Protocol):
    """Turns a picture into a vector whose cosine with another tells how alike they are."""

    @property
    def model_id(self) -> str:
        """Id of the embedding model."""

    def embed(self, picture: bytes) -> list[float]:
        """Return the embedding of a JPEG or PNG."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer to a prompt with a picture, and what it cost in tokens."""

    text: str
    stop_reason: str
    input_tokens: int
    output_tokens: int
    notes: Mapping[str, Any] = field(default_factory=dict)


class Captioner(Protocol):
    """A model that looks at a picture and answers a prompt."""

    def answer(self, system: str, turns: Sequence[str], picture: bytes, *, max_tokens: int) -> Answer:
        """Return the model's answer to a conversation about a PNG or JPEG picture.

        Args:
            system: What the model is told of its task.
            turns: An odd number of texts, none blank: ours, which the picture goes with, the model's, ours.
            picture: The picture.
            max_tokens: After so many tokens the answer ends.

        Raises:
            FrameRefusedError: The model does not take this request.
        """


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the model catalogue says of one model."""

    model_id: str
    name: str
    provider: str
    status: str
    ends_at: datetime | None = None
    customizations: tuple[str, ...] = ()
    """Such as ``FINE_TUNING``."""
    inference: tuple[str, ...] = ()
    """Such as ``ON_DEMAND`` and ``PROVISIONED``."""


class ModelCatalogue(Protocol):
    """Tells which models exist and how long they live."""

    def facts(self, model_id: str) -> ModelFacts:
        """Return what is known of a model.

        Raises:
            ModelNotAvailableError: The region does not have it.
        """


class Notifier(Protocol):
    """Tells people what happened to a run."""

    def tell(self, subject: str, message: str) -> None:
        """Publish a message; ``subject`` is plain ASCII of at most 100 characters."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A run that waits for people: the token that lets it go on, and until when it waits."""

    run_id: str
    project: str
    task_token: str
    """Empty where it is Amazon A2I's workers that it waits for: each of their loops has a token of its own."""
    opened_at: datetime
    deadline: datetime
    reminded_at: datetime
    """When people were last told."""


class ReviewLog(Protocol):
    """What people decide of runs, and the runs that wait for it. Decisions are only ever added."""

    def append(self, run_id: str, decision: Decision) -> None:
        """Add a decision.

        Raises:
            SequenceTakenError: Another decision has its ``seq``.
        """

    def read(self, run_id: str, after: int = 0) -> list[Decision]:
        """Return a run's decisions whose ``seq`` is above ``after``, in order, as of the last write."""

    def gate(self, run_id: str) -> Gate | None:
        """Return who waits for a run's review, None where nobody ever did."""

    def open(self, gate: Gate) -> None:
        """Note that a run waits; a new token replaces the one before."""

    def remember(self, project: str, run_id: str, at: datetime) -> None:
        """Note that a run of a project has a review, for later runs."""

    def runs_of(self, project: str) -> list[str]:
        """Return the project's runs that had a review, the newest first, at most 20."""


class Callbacks(Protocol):
    """Lets executions go on that wait for a token."""

    def succeed(self, task_token: str, output: Mapping[str, Any]) -> bool:
        """Let the execution go on; False where nobody waits for this token any more."""


@dataclass(frozen=True, slots=True)
class HumanLoop:
    """One batch of pictures before Amazon A2I's workers, and the execution that waits for it."""

    name: str
    run_id: str
    batch: int
    task_token: str
    started_at: datetime


class LoopBook(Protocol):
    """Which execution waits for which human loop: a token does not fit into a loop's name."""

    def put(self, loop: HumanLoop) -> None:
        """Note a loop; a new token replaces the one before, and one of an earlier attempt does not."""

    def get(self, name: str) -> HumanLoop | None:
        """Return a loop, None where it is none of ours."""


@dataclass(frozen=True, slots=True)
class LoopFacts:
    """What Amazon A2I says of a human loop."""

    name: str
    status: str
    """``InProgress``, ``Completed``, ``Failed``, ``Stopping`` or ``Stopped``."""
    flow_definition_arn: str
    failure: str = ""
    output_uri: str = ""
    """S3 URI of the workers' answers; empty where there are none."""


class HumanReviews(Protocol):
    """Amazon A2I: shows workers a batch of pictures."""

    def start(self, name: str, flow_definition_arn: str, content: str) -> bool:
        """Start a human loop over a JSON text; False where there is one of this name already.

        Raises:
            HumanReviewFailedError: A2I refuses it.
        """

    def facts(self, name: str) -> LoopFacts | None:
        """Return what is known of a loop, None where there is none of this name."""

    def stop(self, name: str) -> None:
        """Stop a loop; one that has ended or is gone is no fault."""


@dataclass(frozen=True, slots=True)
class CustomizationJob:
    """A fine-tuning job to be made; hyperparameters are strings, as the service takes them."""

    name: str
    model_name: str
    base_model: str
    role_arn: str
    manifest_uri: str
    output_uri: str
    hyperparameters: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What the service says of a fine-tuning job."""

    name: str
    arn: str
    status: JobStatus
    created_at: datetime
    ended_at: datetime | None = None
    model_arn: str | None = None
    model_name: str | None = None
    failure: str = ""
    progress: str = ""
    """Which part of the work is under way, in words; empty where nobody says."""
    training_loss: float | None = None
    billable_s: int | None = None
    """Of a SageMaker job: seconds that are billed so far, spot already taken off."""
    secondary: str = ""
    """Of a SageMaker job: its secondary status, such as ``Downloading`` or ``MaxRuntimeExceeded``."""
    uses_spot: bool = False
    """Of a SageMaker job: whether AWS may take its machine back."""

    @property
    def has_ended(self) -> bool:
        """Whether it is billed no longer."""
        return self.status in {"Completed", "Failed", "Stopped"}


class Customizer(Protocol):
    """Fine-tunes foundation models: jobs, and the models that come of them."""

    def create(self, job: CustomizationJob) -> str:
        """Start a job and return its ARN. Nothing keeps a second call from making a second job: find first.

        Raises:
            TrainingAccessError: The role, the region or a quota stands against it.
            TrainingPlanInvalidError: The service refuses the values or the dataset.
        """

    def find(self, name: str) -> JobFacts | None:
        """Return the job of exactly this name, looked for over all pages of the list; None where there is none."""

    def get(self, arn: str) -> JobFacts | None:
        """Return what is known of a job; None where the service has none of this ARN any more."""

    def stop(self, arn: str) -> None:
        """Ask a job to stop; one that has ended already or is gone is no fault."""

    def has_model(self, model_arn: str) -> bool:
        """Whether a trained model is there; one that failed is not."""

    def delete_model(self, model_arn: str) -> None:
        """Delete a trained model; one that is gone is no fault.

        Raises:
            DependencyUnavailableError: Hosting on it is still being ended: try again later.
        """


@dataclass(frozen=True, slots=True)
class ThroughputFacts:
    """What the service says of hosting."""

    name: str
    arn: str
    status: ThroughputStatus
    model_arn: str
    model_units: int
    created_at: datetime
    failure: str = ""
    commitment: str = ""
    """Empty where it is billed by the hour."""


class ModelHost(Protocol):
    """Hosts trained models by the hour."""

    def create(self, name: str, model_arn: str, model_units: int, tags: Mapping[str, str]) -> str:
        """Begin to host a model, without commitment, and return the hosting's ARN.

        Raises:
            TrainingAccessError: A quota stands against it; new accounts have none for hourly hosting.
        """

    def find(self, name: str) -> ThroughputFacts | None:
        """Return the hosting of exactly this name, over all pages; None where there is none."""

    def get(self, arn: str) -> ThroughputFacts | None:
        """Return what is known of a hosting; None where it is gone, and so no longer billed."""

    def delete(self, arn: str) -> None:
        """End a hosting; one that is gone is no fault."""

    def all(self) -> Iterator[ThroughputFacts]:
        """Yield every hosting of the account in this region."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The pictures (PNG) of one call, and why there are fewer than asked for; empty where there are not."""

    pictures: tuple[bytes, ...]
    error: str = ""


class ImageModel(Protocol):
    """Draws pictures of a prompt."""

    def draw(self, model_id: str, request: PanelRequest) -> Drawn:
        """Return the pictures that a model drew; ``model_id`` may be the ARN of a hosting.

        Raises:
            PanelRefusedError: The model refuses the prompt or its values.
            ModelNotAvailableError: There is no such model, or it has ended.
        """


@dataclass(frozen=True, slots=True)
class ContainerJob:
    """A job that runs a container on a machine of its own and ends; all URIs are ``s3://bucket/key``."""

    name: str
    arguments: tuple[str, ...]
    prefixes: Mapping[str, str]
    """Input channels that hold all objects below a prefix, by name."""
    manifests: Mapping[str, str]
    """Input channels that hold the objects which a manifest file names, by name."""
    work_uri: str
    """Prefix that the job's work folder is synced with, there and back."""
    output_uri: str
    instance_type: str
    volume_gb: int
    max_run_s: int
    max_wait_s: int | None
    """With spot capacity: how long it may take in all; None means that no spot capacity is used."""
    is_isolated: bool
    """Whether the container gets no network."""
    hyperparameters: Mapping[str, str]
    """For readers of the service's console alone."""
    tags: Mapping[str, str]


class ContainerJobs(Protocol):
    """Runs containers: SageMaker training jobs."""

    def create(self, job: ContainerJob) -> str:
        """Start a job and return its ARN; a name serves once, so that a second call makes no second job.

        Raises:
            TrainingAccessError: The role, the image or a quota stands against it.
            TrainingPlanInvalidError: The service refuses the values.
        """

    def find(self, name: str) -> JobFacts | None:
        """Return what is known of a job; None where there is none of this name."""

    def stop(self, name: str) -> None:
        """Ask a job to stop; one that has ended already or is gone is no fault."""

    def under_way(self) -> Iterator[JobFacts]:
        """Yield every job of the account in this region that is in progress, whoever made it."""


class BillingBook(Protocol):
    """The rows of what is billed; see :mod:`storycast.billing`. All writes are conditional."""

    def intend(self, billed: Billed) -> Billed:
        """Write a row before the call that makes the resource, and return the row that is there now.

        Again with the same name it renews ``intended_at`` of a row that is only *intended*, and nothing else.

        Raises:
            BillingClosedError: Its end has begun, or its session is closed, so nobody may make it any more.
        """

    def created(self, name: str, arn: str, at: datetime) -> None:
        """Note that it was made; a row whose end has begun keeps its state and learns the ARN."""

    def ending(self, name: str, reason: str) -> Billed:
        """Let nobody make it any more, and return the row as it is now; an ended one stays so."""

    def ended(self, name: str, at: datetime, reason: str, billable_s: int | None = None) -> None:
        """Note that it is billed no longer, and how many seconds of it are billed where that is told."""

    def row(self, name: str) -> Billed | None:
        """Return a row as it is after the last write; None where there is none."""

    def rows(self, run_id: str | None = None) -> list[Billed]:
        """Return all rows, or those of one run, by ``expires_at`` and name.

        A row of the last seconds may be missing; those that are there are as they are after the last write.
        """

    def close(self, run_id: str, session_id: str) -> None:
        """Let nothing be made for a session any more, whether or not it has rows yet."""

    def is_closed(self, run_id: str, session_id: str) -> bool:
        """Whether a teardown has closed a session."""


class Executions(Protocol):
    """Executions of our own state machines."""

    def stop(self, execution_arn: str, error: str, cause: str) -> None:
        """Stop an execution; one that has ended or is unknown is no fault."""


class RoleInspector(Protocol):
    """Looks at roles that services are to assume."""

    def problems(self, role_arn: str, service: str) -> list[str] | None:
        """Return in words why ``service`` can't assume a role; None where we may not look."""
