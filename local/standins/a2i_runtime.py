"""Amazon A2I's stand-in: human loops."""

from __future__ import annotations

import datetime as dt
import json

from local.standins.a2i_world import AVAILABLE_SECONDS, Loop
from local.standins.bedrock_world import now
from local.standins.errors import ModelledError
from local.standins.human_loops import ENDED, LoopRefusedError, loop_arn
from local.standins.paging import page
from local.standins.service import Call, Params, Service, paid, without_none


class A2iRuntime(Service):
    """Starts, describes, lists, stops and deletes human loops; its worker page is in a2i_pages.py."""

    service_name = "sagemaker-a2i-runtime"

    @paid
    def start_human_loop(self, params: Params, call: Call) -> Params:
        """Start a loop; a name is taken until its loop is deleted."""
        name, content = params["HumanLoopName"], params["HumanLoopInput"]["InputContent"]
        call.model = params["FlowDefinitionArn"]
        try:
            is_object = isinstance(json.loads(content), dict)
        except ValueError:
            is_object = False
        if not is_object:
            raise ModelledError("ValidationException", "The provided InputContent is not a JSON object.")
        with self.world.a2i.changing() as kept:
            flow = kept.flow(params["FlowDefinitionArn"])
            if flow is None:
                raise ModelledError(
                    "ValidationException", f"There is no flow definition {params['FlowDefinitionArn']}."
                )
            if flow.status != "Active":
                raise ModelledError("ValidationException", f"The flow definition {flow.name} is {flow.status}.")
            if kept.loop(name):
                raise ModelledError("ConflictException", f"A human loop with the name {name} exists already.")
            moment = now()
            available_s = flow.config.get("TaskAvailabilityLifetimeInSeconds", AVAILABLE_SECONDS)
            loop = Loop(
                name=name,
                arn=loop_arn(call.region, name),
                flow_arn=flow.arn,
                content=content,
                created_at=moment,
                expires_at=moment + dt.timedelta(seconds=available_s),
            )
            if flow.is_built_in and not loop.bucket:
                message = (
                    "The local stand-in's own flow definition writes answers to the bucket of the pictures, and "
                    "InputContent has no s3://<bucket>/<key>."
                )
                raise ModelledError("ValidationException", message)
            kept.loops.append(loop)
        return {"HumanLoopArn": loop.arn}

    def describe_human_loop(self, params: Params, call: Call) -> Params:
        """Describe a loop."""
        with self.world.a2i.reading() as kept:
            loop = _found(kept.loop(params["HumanLoopName"]), params["HumanLoopName"])
            call.model = loop.flow_arn
            return without_none(
                {
                    "CreationTime": loop.created_at,
                    "FailureReason": loop.failure or None,
                    "FailureCode": loop.failure_code or None,
                    "HumanLoopStatus": loop.status,
                    "HumanLoopName": loop.name,
                    "HumanLoopArn": loop.arn,
                    "FlowDefinitionArn": loop.flow_arn,
                    "HumanLoopOutput": {"OutputS3Uri": loop.output_uri} if loop.output_uri else None,
                }
            )

    def list_human_loops(self, params: Params, call: Call) -> Params:
        """List the loops of a flow definition, newest first."""
        call.model = params["FlowDefinitionArn"]
        with self.world.a2i.reading() as kept:
            loops = [loop for loop in kept.loops if loop.flow_arn == params["FlowDefinitionArn"]]
            shown, more = page(loops, {name[0].lower() + name[1:]: value for name, value in params.items()})
            return {
                "HumanLoopSummaries": [
                    without_none(
                        {
                            "HumanLoopName": loop.name,
                            "HumanLoopStatus": loop.status,
                            "CreationTime": loop.created_at,
                            "FailureReason": loop.failure or None,
                            "FlowDefinitionArn": loop.flow_arn,
                        }
                    )
                    for loop in shown
                ],
                **({"NextToken": more["nextToken"]} if more else {}),
            }

    def stop_human_loop(self, params: Params, _call: Call) -> Params:
        """Begin to stop a loop; it is ``Stopping`` for a moment."""
        with self.world.a2i.reading() as kept:
            _found(kept.loop(params["HumanLoopName"]), params["HumanLoopName"])
        try:
            self.world.human_loops.stop(params["HumanLoopName"])
        except LoopRefusedError as error:
            raise ModelledError("ValidationException", str(error)) from error
        return {}

    def delete_human_loop(self, params: Params, _call: Call) -> Params:
        """Delete a loop that has ended, which frees its name."""
        with self.world.a2i.changing() as kept:
            loop = _found(kept.loop(params["HumanLoopName"]), params["HumanLoopName"])
            if loop.status not in ENDED:
                raise ModelledError("ValidationException", f"The human loop {loop.name} is {loop.status}.")
            kept.loops = [one for one in kept.loops if one is not loop]
        return {}


def _found(loop: Loop | None, name: str) -> Loop:
    if loop is None:
        raise ModelledError("ResourceNotFoundException", f"There is no human loop {name}.")
    return loop
