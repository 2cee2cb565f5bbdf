"""CompleteHumanReview: a human loop has ended: take the workers' answers into the log, and let the run go on."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from storycast import keys
from storycast.decisions import picture
from storycast.errors import DependencyUnavailableError
from storycast.human_answers import AnswersUnreadableError, MergedAnswers, merge, proposals, read_output
from storycast.human_loops import batch_pictures
from storycast.payloads import clipped
from storycast.ports import Callbacks, HumanLoop, LoopBook, ObjectStore, ReviewLog
from storycast.review import read_review
from storycast.review_desk import ReviewClosedError, ReviewDesk
from storycast.runs import change_run
from storycast.stages.reading import read_record, write_record

MAX_OUTPUT_BYTES = 32 * 1024 * 1024
"""Of a loop's answers, which repeat what the workers were shown."""
MOST_REASON_BYTES = 500
"""Of a reason: those of 40 batches are passed on together."""
ENDS: dict[str, Literal["completed", "failed", "stopped"]] = {
    "Completed": "completed",
    "Failed": "failed",
    "Stopped": "stopped",
}
"""Statuses with which a human loop ends, and what the workflow calls them."""


class LoopLocation(BaseModel):
    """Where the answers to a loop are."""

    model_config = ConfigDict(frozen=True)

    uri: str = Field(alias="outputS3Uri", max_length=2048)


class LoopStatus(BaseModel):
    """The ``detail`` of a ``SageMaker A2I HumanLoop Status Change`` event."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(alias="humanLoopName", min_length=1, max_length=63)
    status: str = Field(alias="humanLoopStatus", max_length=64)
    flow_definition_arn: str = Field(alias="flowDefinitionArn", max_length=1024)
    failure: str | None = Field(default=None, alias="failureReason")
    output: LoopLocation | None = Field(default=None, alias="humanLoopOutput")


def complete_human_review(
    ended: LoopStatus,
    *,
    flow_definition_arn: str,
    store: ObjectStore,
    log: ReviewLog,
    loops: LoopBook,
    callbacks: Callbacks,
    clock: Callable[[], datetime],
) -> dict[str, Any]:
    """Take in how a loop ended. The same event again, or one that comes too late, changes nothing.

    Args:
        ended: What EventBridge tells of it.
        flow_definition_arn: The stack's own; loops of others are passed over.
        store: The bucket.
        log: The decisions.
        loops: Which execution waits for which loop.
        callbacks: Lets the run go on.
        clock: Tells the time.

    Returns:
        ``status``: what the execution is told, or ``passed_over``; ``reason``; and ``told``, whether anybody still
        waited for it.

    Raises:
        DependencyUnavailableError: The answers are not there yet; so with ``ThrottledError``. Ask again.
    """
    if ended.flow_definition_arn != flow_definition_arn:
        return _passed_over("another flow definition's")
    loop = loops.get(ended.name)
    if loop is None:
        return _passed_over("none of this stack's runs waits for it")
    if ended.status not in ENDS:
        return _passed_over(f"{ended.status} is no end")
    return settle(
        loop,
        ended.status,
        output_uri=ended.output.uri if ended.output else "",
        failure=ended.failure or "",
        store=store,
        log=log,
        callbacks=callbacks,
        clock=clock,
    )


def settle(
    loop: HumanLoop,
    status: str,
    *,
    output_uri: str,
    failure: str,
    store: ObjectStore,
    log: ReviewLog,
    callbacks: Callbacks,
    clock: Callable[[], datetime],
) -> dict[str, Any]:
    """Do what the end of one of our loops asks for; see :func:`complete_human_review`.

    Args:
        loop: The loop, with the newest token.
        status: One of :data:`ENDS`.
        output_uri: S3 URI of the answers; empty where there are none.
        failure: Why it failed, in the service's words.
        store: The bucket.
        log: The decisions.
        callbacks: Lets the run go on.
        clock: Tells the time.
    """
    end, reason = ENDS[status], clipped(failure, MOST_REASON_BYTES)
    if end == "completed":
        try:
            _take_in(loop, output_uri, store=store, log=log, callbacks=callbacks, clock=clock)
        except AnswersUnreadableError as error:
            why = f"the answers at {output_uri or 'no address'} can't be used: {error}"
            end, reason = "failed", clipped(why, MOST_REASON_BYTES)
    # Failed and stopped ones, too, or the run would wait for them until its review's time is over.
    told = callbacks.succeed(loop.task_token, {"batch": loop.batch, "status": end, "reason": reason})
    return {"run_id": loop.run_id, "batch": loop.batch, "status": end, "reason": reason, "told": told}


def _take_in(
    loop: HumanLoop,
    output_uri: str,
    *,
    store: ObjectStore,
    log: ReviewLog,
    callbacks: Callbacks,
    clock: Callable[[], datetime],
) -> None:
    """Write what the answers come to into the log, once."""
    record_key = keys.merged_answers(loop.run_id, loop.batch)
    if read_record(store, record_key, MergedAnswers):
        return
    review = read_review(store, loop.run_id)
    initial = review.initial
    shown = {
        one.image.crop_id: initial[picture(one.image.crop_id), "caption"]
        for one in batch_pictures(review, loop.batch)
    }
    merged = merge(read_output(_output(store, output_uri, loop.name), loop.name), shown)
    desk = ReviewDesk(review, log=log, callbacks=callbacks, store=store, clock=clock)
    try:
        for proposal in proposals(merged, review):
            desk.decide(proposal)
    except ReviewClosedError:
        # Too late: what was approved without these answers stays as it is.
        return
    if merged.undecided:
        warning = (
            f"Amazon A2I's workers were divided or silent on {merged.undecided} pictures of batch {loop.batch}; "
            f"these are left out unless somebody kept them before: {record_key}"
        )
        change_run(store, loop.run_id, lambda run: run.with_warnings(warning))
    # The record last: what breaks off before it is done again.
    write_record(store, record_key, merged)


def _output(store: ObjectStore, uri: str, loop: str) -> bytes:
    """Read a loop's answers, from where this stack's flow definition puts them and from nowhere else.

    Raises:
        AnswersUnreadableError: They lie elsewhere, or are too large.
        DependencyUnavailableError: There is nothing yet.
    """
    below = f"s3://{store.bucket}/{keys.A2I_OUTPUT}"
    key = uri.removeprefix(f"s3://{store.bucket}/")
    if not uri.startswith(below) or not uri.endswith(f"/{loop}/output.json") or ".." in key.split("/"):
        raise AnswersUnreadableError(f"they must be below {below}, the flow definition's output path")
    try:
        size_bytes = store.head(key).size_bytes
        if size_bytes > MAX_OUTPUT_BYTES:
            raise AnswersUnreadableError(f"they have {size_bytes:,} bytes, more than {MAX_OUTPUT_BYTES:,}")
        return store.get(key)
    except KeyError:
        raise DependencyUnavailableError(f"The answers at {uri} are not there yet.") from None


def _passed_over(reason: str) -> dict[str, Any]:
    return {"status": "passed_over", "reason": reason, "told": False}
