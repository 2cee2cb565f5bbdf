"""Human loops of Amazon A2I's stand-in: workers answer, and loops complete, fail, are stopped or expire."""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from local.standins import a2i_world
from local.standins.a2i_world import A2iWorld, Flow, HumanAnswer, KeptA2i, Loop, LoopState
from local.standins.assumed_role import AssumedRole, RoleRefusedError
from local.standins.bedrock_world import ACCOUNT, now
from local.standins.emulator import EmulatorUnknownError, emulator_client
from local.standins.kept import WorldClosedError
from local.standins.objects import ObjectUnreadableError, read_object, split_uri, write_object
from local.template import A2I_STANDIN_SOURCE

_log = logging.getLogger("storycast.standins")

DETAIL_TYPE = "SageMaker A2I HumanLoop Status Change"
ENDED = frozenset({"Completed", "Failed", "Stopped"})
#: How often loops are looked at that end by themselves.
TICK_SECONDS = 0.1


class LoopRefusedError(Exception):
    """A worker or a test asks a loop for what it can't do; the message says why."""


class Store(Protocol):
    """Where pictures are read and answers written."""

    def read(self, uri: str) -> bytes:
        """Read an object."""

    def write(self, uri: str, content: bytes) -> None:
        """Write an object."""


class OwnKeys:
    """S3 with the stand-ins' own keys."""

    def read(self, uri: str) -> bytes:
        """Read an object.

        Raises:
            ObjectUnreadableError: It is not there, or no URI.
        """
        return read_object(*split_uri(uri))

    def write(self, uri: str, content: bytes) -> None:
        """Write an object; see ``read``."""
        write_object(*split_uri(uri), content)


def store_of(flow: Flow) -> Store:
    """The store as a flow definition's role sees it; the built-in one has no role.

    Raises:
        RoleRefusedError: The role can't be assumed.
    """
    if flow.is_built_in:
        return OwnKeys()
    return AssumedRole(flow.role_arn, f"a2i-{flow.name}", called="the flow definition's role")


class HumanLoops:
    """What happens to loops after they were started."""

    def __init__(self, world: A2iWorld) -> None:
        """Look after the loops of a world."""
        self._world = world
        self._closed = threading.Event()

    def answer(
        self, name: str, worker: str, content: dict[str, Any], accepted_at: dt.datetime | None = None
    ) -> Loop:
        """Take in a worker's answer; the last one that the flow definition asks for completes the loop.

        Raises:
            LoopRefusedError: There is no such loop, it has ended, or the worker has answered it already.
        """
        with self._world.changing() as kept:
            loop, flow = _found(kept, name)
            if loop.status != "InProgress" or len(loop.answers) >= flow.task_count:
                raise LoopRefusedError(f"The human loop {name} is {loop.status} and takes no more answers.")
            if any(answer.worker == worker for answer in loop.answers):
                raise LoopRefusedError(f"{worker} has answered the human loop {name} already.")
            moment = now()
            loop.answers.append(
                HumanAnswer(worker=worker, content=content, accepted_at=accepted_at or moment, submitted_at=moment)
            )
            is_complete = len(loop.answers) >= flow.task_count
        return self._complete(name) if is_complete else loop

    def fail(self, name: str, code: str, reason: str) -> Loop:
        """Fail a loop, as the service does with what it can't show to anybody.

        Raises:
            LoopRefusedError: There is no such loop, or it has ended.
        """
        return self._end(name, "Failed", code, reason)

    def stop(self, name: str) -> None:
        """Begin to stop a loop.

        Raises:
            LoopRefusedError: There is no such loop, or it has ended.
        """
        with self._world.changing() as kept:
            loop, _ = _found(kept, name)
            if loop.status in ENDED:
                raise LoopRefusedError(f"The human loop {name} is {loop.status}.")
            loop.status, loop.stopping_since = "Stopping", loop.stopping_since or now()

    def tell(self, name: str) -> None:
        """Send the event of a loop's end, as often as one likes: delivery is at least once.

        Raises:
            LoopRefusedError: There is no such loop, or it has not ended.
        """
        with self._world.reading() as kept:
            loop, _ = _found(kept, name)
            if loop.status not in ENDED:
                raise LoopRefusedError(f"The human loop {name} is {loop.status}.")
            event = _event(loop)
        try:
            told = emulator_client("events").put_events(Entries=[event])
            if told["FailedEntryCount"]:
                _log.error("The event of %s was refused: %s", name, told["Entries"])
        except (EmulatorUnknownError, ClientError, BotoCoreError) as error:
            _log.error("The event of %s can't be sent: %s", name, error)

    def watch(self) -> None:
        """End the loops that are being stopped or have waited too long, until ``close``."""
        while not self._closed.wait(TICK_SECONDS):
            try:
                self._sweep()
            except WorldClosedError:
                return
            except Exception:
                _log.exception("Looking after human loops failed")

    def close(self) -> None:
        """Look after them no more."""
        self._closed.set()

    def _sweep(self) -> None:
        moment = now()
        with self._world.reading() as kept:
            stopping = [
                loop.name
                for loop in kept.loops
                if loop.stopping_since
                and loop.status == "Stopping"
                and (moment - loop.stopping_since).total_seconds() >= a2i_world.STOP_SECONDS
            ]
            expired = [
                loop.name for loop in kept.loops if loop.status == "InProgress" and loop.expires_at <= moment
            ]
        for name in stopping:
            self._end(name, "Stopped")
        for name in expired:
            self._end(name, "Failed", "Expired", "The task expired before enough workers had answered.")

    def _complete(self, name: str) -> Loop:
        with self._world.reading() as kept:
            loop, flow = _found(kept, name)
            uri, output = _output_uri(loop, flow), _output(loop)
        try:
            store_of(flow).write(uri, json.dumps(output, ensure_ascii=False).encode("utf-8"))
        except (RoleRefusedError, ObjectUnreadableError) as error:
            return self._end(name, "Failed", "ValidationError", str(error))
        return self._end(name, "Completed", output_uri=uri)

    def _end(
        self, name: str, status: LoopState, code: str = "", failure: str = "", *, output_uri: str = ""
    ) -> Loop:
        with self._world.changing() as kept:
            loop, _ = _found(kept, name)
            if loop.status in ENDED:
                raise LoopRefusedError(f"The human loop {name} is {loop.status}.")
            loop.failure_code, loop.failure, loop.output_uri = code, failure[:1024], output_uri
            loop.status = status
        self.tell(name)
        return loop


def _found(kept: KeptA2i, name: str) -> tuple[Loop, Flow]:
    loop = kept.loop(name)
    if loop is None:
        raise LoopRefusedError(f"There is no human loop {name}.")
    flow = kept.flow(loop.flow_arn)
    if flow is None:
        raise LoopRefusedError(f"The flow definition of the human loop {name} was deleted.")
    return loop, flow


def _output_uri(loop: Loop, flow: Flow) -> str:
    path = f"s3://{loop.bucket}/a2i" if flow.is_built_in else str(flow.output["S3OutputPath"]).rstrip("/")
    return f"{path}/{flow.name}/{loop.created_at:%Y/%m/%d/%H/%M/%S}/{loop.name}/output.json"


def _output(loop: Loop) -> dict[str, Any]:
    return {
        "flowDefinitionArn": loop.flow_arn,
        "humanAnswers": [
            {
                "acceptanceTime": _moment(answer.accepted_at),
                "answerContent": answer.content,
                "submissionTime": _moment(answer.submitted_at),
                "timeSpentInSeconds": (answer.submitted_at - answer.accepted_at).total_seconds(),
                "workerId": answer.worker,
                "workerMetadata": {
                    "identityData": {
                        "identityProviderType": "Storycast local stand-in",
                        "issuer": "http://127.0.0.1",
                        "sub": answer.worker,
                    }
                },
            }
            for answer in loop.answers
        ],
        "humanLoopName": loop.name,
        "inputContent": json.loads(loop.content),
    }


def _event(loop: Loop) -> dict[str, Any]:
    """An entry of ``PutEvents``, of which the emulator makes what AWS sends."""
    detail = {
        "creationTime": _moment(loop.created_at),
        "failureCode": loop.failure_code or None,
        "failureReason": loop.failure or None,
        "flowDefinitionArn": loop.flow_arn,
        "humanLoopArn": loop.arn,
        "humanLoopName": loop.name,
        "humanLoopOutput": {"outputS3Uri": loop.output_uri} if loop.output_uri else None,
        "humanLoopStatus": loop.status,
    }
    return {
        "Source": A2I_STANDIN_SOURCE,
        "DetailType": DETAIL_TYPE,
        "Resources": [loop.arn],
        "Detail": json.dumps(detail),
    }


def loop_arn(region: str, name: str) -> str:
    """The ARN of a human loop."""
    return f"arn:aws:sagemaker:{region}:{ACCOUNT}:human-loop/{name}"


def _moment(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
