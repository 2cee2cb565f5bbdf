"""PrepareRun: claim the run, read the project's settings, pin the footage."""

from collections import Counter
from datetime import datetime
from typing import Any

from storycast import keys, names
from storycast.caption_template import MAX_TEMPLATE_BYTES, read_template
from storycast.errors import (
    FootageMissingError,
    FootageRepeatedError,
    FootageUnreadableError,
    RequestInvalidError,
    SettingsInvalidError,
)
from storycast.footage import FootageSource
from storycast.plan import make_plan, write_plan
from storycast.ports import Claims, ObjectStore
from storycast.requests import RunRequest, Upload, read_request
from storycast.runs import Run, change_run, create_run, read_run
from storycast.settings import Settings, read_settings

MAX_PROJECT_FILE_BYTES = 256 * 1024
"""A project file is a page of text; a larger one is a mistake, or an attempt to fill the memory."""


def prepare_run(
    event: Any, *, execution_arn: str, started_at: datetime, store: ObjectStore, claims: Claims
) -> dict[str, Any]:
    """Start a run, once per upload.

    Args:
        event: What started the execution; see :func:`storycast.requests.read_request`.
        execution_arn: The execution.
        started_at: When it started.
        store: The bucket.
        claims: Who runs for which upload.

    Returns:
        ``claimed`` false where another execution runs for this upload; else what the following states need.

    Raises:
        RequestInvalidError: The event is neither an upload nor a request, or its run id is taken.
        FootageMissingError: A key is not in the bucket, or was replaced since the event.
        FootageUnreadableError: A footage is empty.
        FootageRepeatedError: Two footage files have one name or the same content.
        SettingsInvalidError: The project file is wrong, or the prompt that it names.
    """
    request, upload = read_request(event)
    run_id = request.run_id or names.run_id(request.footage[0], started_at, execution_arn)
    if upload and upload.bucket != store.bucket:
        raise RequestInvalidError(f"The event is of the bucket '{upload.bucket}', not of '{store.bucket}'.")
    if upload:
        holder = claims.claim(upload.claim, execution_arn, _claim_details(upload, run_id))
        if holder != execution_arn:
            return {"claimed": False, "held_by": holder}
    _refuse_taken(store, run_id, execution_arn)
    claims.register(execution_arn, run_id)
    sources = _pin(request, upload, store)
    settings = _settings(store, request.project)
    caption_prompt = _caption_prompt(store, request.project, settings.captions.prompt)
    run = create_run(
        store,
        Run(
            run_id=run_id,
            project=request.project,
            status="running",
            execution_arn=execution_arn,
            started_at=started_at.isoformat(),
            footage=tuple(sources),
        ),
    )
    if run.execution_arn != execution_arn:
        raise _taken(run_id)
    if run.footage != tuple(sources):  # A repeated attempt, which found newer footage.
        change_run(store, run_id, lambda run: run.model_copy(update={"footage": tuple(sources)}))
    write_plan(store, make_plan(run_id, request.project, settings, sources, caption_prompt))
    return {
        "claimed": True,
        "run_id": run_id,
        "footage": [{"footage_id": source.footage_id} for source in sources],
        "concurrency": settings.concurrency.model_dump(),
        "custom_labels": "custom_labels" in settings.detection.methods,
        "review_mode": settings.review.mode,
        "training_target": settings.training.target,
    }


def _claim_details(upload: Upload, run_id: str) -> dict[str, str]:
    details = {"run_id": run_id, "key": upload.key, "etag": upload.etag}
    return {**details, "version_id": upload.version_id} if upload.version_id else details


def _refuse_taken(store: ObjectStore, run_id: str, execution_arn: str) -> None:
    try:
        other = read_run(store, run_id)
    except KeyError:
        return
    if other.execution_arn != execution_arn:
        raise _taken(run_id)


def _taken(run_id: str) -> RequestInvalidError:
    return RequestInvalidError(f"The run id '{run_id}' is taken. Start again with another, or with none.")


def _pin(request: RunRequest, upload: Upload | None, store: ObjectStore) -> list[FootageSource]:
    sources = []
    for key in request.footage:
        try:
            found = store.head(key)
        except KeyError:
            raise FootageMissingError(
                f"There is no object '{key}' in the bucket. Upload it, or mend the key."
            ) from None
        if upload and found.etag != upload.etag.strip('"'):
            raise FootageMissingError(
                f"'{key}' was replaced after this upload; the newer upload has a run of its own."
            )
        if found.size_bytes == 0:
            raise FootageUnreadableError(f"'{key}' is empty. Upload the whole file again.")
        sources.append(
            FootageSource(
                footage_id=names.footage_id(found.etag, found.size_bytes),
                name=key.rsplit("/", 1)[-1],
                key=key,
                size_bytes=found.size_bytes,
                etag=found.etag,
                version_id=found.version_id,
            )
        )
    for what, seen in (
        ("are called", Counter(source.name for source in sources)),
        ("have the same content:", Counter(source.footage_id for source in sources)),
    ):
        for value, count in seen.items():
            if count > 1:
                raise FootageRepeatedError(
                    f"{count} footage files {what} '{value}'. Name each file of a run once, each by its own name."
                )
    return sources


def _settings(store: ObjectStore, project: str) -> Settings:
    key = keys.project_file(project)
    try:
        stored = store.head(key)
        if stored.size_bytes > MAX_PROJECT_FILE_BYTES:
            raise SettingsInvalidError(
                f"{key} has {stored.size_bytes:,} bytes; a project file has at most {MAX_PROJECT_FILE_BYTES:,}."
            )
        return read_settings(store.get(key), key)
    except KeyError:
        return Settings()


def _caption_prompt(store: ObjectStore, project: str, name: str | None) -> str | None:
    """Return the prompt that the project file names, as it is now: all pictures of the run get the same."""
    if name is None:
        return None
    key = keys.project_text(project, name)
    try:
        stored = store.head(key)
        if stored.size_bytes > MAX_TEMPLATE_BYTES:
            raise SettingsInvalidError(
                f"{key} has {stored.size_bytes:,} bytes; a prompt has at most {MAX_TEMPLATE_BYTES:,}. Shorten it."
            )
        return read_template(store.get(key), key)
    except KeyError:
        raise SettingsInvalidError(
            f"captions.prompt: there is no object '{key}' in the bucket. Upload it, or leave captions.prompt out."
        ) from None
