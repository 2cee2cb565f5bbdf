"""What the stages need from the world, as Protocols; :mod:`storycast.adapters` has AWS's, tests have fakes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, Protocol

from storycast.boxes import Box


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in the bucket, as a listing or a head request tells it."""

    key: str
    size_bytes: int
    etag: str
    version_id: str | None = None


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

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Write an object, replacing what is there."""

    def head(self, key: str) -> StoredObject:
        """Return what is known of an object.

        Raises:
            KeyError: There is no such object.
        """

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects below a prefix, by key."""

    def open(self, stored: StoredObject) -> IO[bytes]:
        """Return a seekable file over one content of an object, read in ranges."""


class Claims(Protocol):
    """Who may run for an upload event: the first execution that asks, and that one again."""

    def claim(self, item: str, owner: str, details: Mapping[str, str]) -> str:
        """Claim ``item`` for ``owner`` and return who holds it."""

    def register(self, execution_arn: str, run_id: str) -> None:
        """Remember which run an execution is, so that its end can be recorded wherever it fails."""

    def run_of(self, execution_arn: str) -> str | None:
        """Return the run of an execution, None where it never had one."""


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """One instance of a label; confidence 0..100."""

    box: Box
    label: str
    confidence: float


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

    def answer(self, system: str, prompt: str, picture: bytes, *, max_tokens: int) -> Answer:
        """Return the model's answer to a prompt and a PNG or JPEG picture."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the model catalogue says of one model."""

    model_id: str
    name: str
    provider: str
    status: str
    ends_at: datetime | None = None


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
