"""Requests: what starts a run. Either an upload's event, or a request by the console or the command."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from storycast import keys
from storycast.errors import RequestInvalidError
from storycast.frames import KeptFrame
from storycast.names import RUN_ID_MAX_LENGTH, RUN_ID_PATTERN

MAX_FOOTAGE = 100
"""Footage of one run; keeps the state that the machine carries far below 32 KB."""
MAX_KEYS_BYTES = 16 * 1024
"""Of all keys of a request, as JSON within JSON: the event of a failure has them so. With a cause, it stays below
32 KB."""

Key = Annotated[str, Field(min_length=1, max_length=1024)]
"""A key in the bucket; S3 takes up to 1,024 bytes."""


def too_long(keys: Sequence[str]) -> str:
    """Say why footage has longer keys than one request takes; empty where it has not."""
    as_input = json.dumps(list(keys), ensure_ascii=False)
    size = len(json.dumps(as_input, ensure_ascii=False).encode(errors="replace"))
    if size <= MAX_KEYS_BYTES:
        return ""
    return (
        f"the keys of {len(keys)} footage files have {size:,} bytes together, of {MAX_KEYS_BYTES:,} at most: "
        "shorten the names, or start several runs"
    )


class RunRequest(BaseModel):
    """A run over one or more footage files, by key, newest content of each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    project: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^/\x00-\x1f]+$")]
    footage: Annotated[tuple[Key, ...], Field(min_length=1, max_length=MAX_FOOTAGE)]
    run_id: Annotated[str, Field(pattern=f"^{RUN_ID_PATTERN}$", max_length=RUN_ID_MAX_LENGTH)] | None = None

    @field_validator("project")
    @classmethod
    def _project_is_more_than_dots(cls, project: str) -> str:
        if not project.strip(". "):
            raise ValueError(f"'{project}' is no name of a project")
        return project

    @field_validator("footage")
    @classmethod
    def _keys_fit_into_a_payload(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if problem := too_long(keys):
            raise ValueError(problem)
        return keys


class RunEvent(BaseModel):
    """Input of the states that work on a whole run."""

    run_id: str


class ReportEvent(RunEvent):
    """Input of ReportRun."""

    execution_arn: str | None = None
    """The training session that ends with the report."""


class DetectorEvent(RunEvent):
    """Input of ``StartDetector``."""

    execution_arn: Annotated[str, Field(min_length=1)]


class SessionEvent(RunEvent):
    """Input of the states that work on one training session of a run."""

    training_id: str
    session_id: str


class OpenReviewEvent(RunEvent):
    """Input of ``OpenReview``."""

    task_token: Annotated[str, Field(min_length=1, max_length=2048)]
    deadline: AwareDatetime


class BatchEvent(RunEvent):
    """Input of the child of ``StartHumanReviews``."""

    batch: Annotated[int, Field(ge=0)]
    task_token: Annotated[str, Field(min_length=1, max_length=2048)]


class LoopEnd(BaseModel):
    """How a human loop ended; ``open`` where it has not yet."""

    batch: Annotated[int, Field(ge=0)]
    status: Literal["open", "completed", "failed", "stopped"]
    reason: str = ""


class CheckReviewEvent(RunEvent):
    """Input of ``CheckReview``."""

    deadline: AwareDatetime
    loops: tuple[LoopEnd, ...] = ()
    """How the batches before Amazon A2I's workers ended that were waited for last; none in other reviews."""
    completed: Annotated[int, Field(ge=0)] = 0
    """How many batches were answered before."""


class FrameEvent(RunEvent):
    """Input of the states that work on one frame of a run."""

    frame: KeptFrame


class Upload(BaseModel):
    """An upload that the bucket reported; ``sequencer`` tells it from others to the same key."""

    model_config = ConfigDict(frozen=True)

    bucket: str
    key: Annotated[str, Field(min_length=1)]
    sequencer: str
    version_id: str | None
    etag: str

    @property
    def claim(self) -> str:
        """What must be claimed so that the same event twice is one run."""
        return f"{self.bucket}/{self.key}#{self.sequencer}"

    def as_request(self) -> RunRequest:
        """Return the request that this upload makes: ``uploads/<project>/<file>``.

        Raises:
            RequestInvalidError: The key has no project or no file name.
        """
        project, _, name = self.key.removeprefix(keys.UPLOADS).partition("/")
        if not project or not name or not self.key.startswith(keys.UPLOADS):
            raise RequestInvalidError(
                f"'{self.key}' is not an upload to a project. Upload to {keys.UPLOADS}<project>/<file>."
            )
        return _request({"project": project, "footage": (self.key,)})


def read_request(event: Any) -> tuple[RunRequest, Upload | None]:
    """Read what started an execution.

    Keys of EventBridge's S3 events are not URL-encoded, so they are taken as they are.

    Args:
        event: An ``Object Created`` event, or an object with ``project``, ``footage`` and maybe ``run_id``.

    Returns:
        The request, and the upload where one made it.

    Raises:
        RequestInvalidError: It is neither; the message says which part is wrong.
    """
    if isinstance(event, dict) and event.get("detail-type") == "Object Created":
        try:
            detail = event["detail"]
            upload = Upload(
                bucket=detail["bucket"]["name"],
                key=detail["object"]["key"],
                sequencer=detail["object"]["sequencer"],
                version_id=detail["object"].get("version-id"),
                etag=detail["object"]["etag"],
            )
        except (KeyError, TypeError, AttributeError, ValidationError) as error:
            raise RequestInvalidError(
                f"The S3 event has not the form of 'Object Created': {_what_is_wrong(error)}."
            ) from None
        return upload.as_request(), upload
    return _request(event), None


def read_event[E: BaseModel](event: Any, kind: type[E]) -> E:
    """Read the event of a function.

    Raises:
        RequestInvalidError: It has not the form of ``kind``; the message says which part is wrong.
    """
    try:
        return kind.model_validate(event)
    except ValidationError as error:
        raise RequestInvalidError(f"The event is not valid: {_problems(error)}.") from None


def _what_is_wrong(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return _problems(error)
    return f"{error} is missing" if isinstance(error, KeyError) else "its detail holds no bucket and no object"


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in detail['loc']) or 'all of it'}: {detail['msg']}"
        for detail in error.errors()
    )


def _request(data: Any) -> RunRequest:
    try:
        return RunRequest.model_validate(data)
    except ValidationError as error:
        raise RequestInvalidError(
            f"The request is not valid: {_problems(error)}. "
            'It needs {"project": "<name>", "footage": ["<key>", ...]} and may have a "run_id".'
        ) from None
