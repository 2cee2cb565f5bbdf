"""Amazon A2I: human loops, in which workers look at batches of pictures."""

from typing import Any

from botocore.exceptions import ClientError

from storycast.adapters.clients import client
from storycast.adapters.faults import translated
from storycast.errors import HumanReviewFailedError
from storycast.ports import LoopFacts

_REFUSED = {
    "AccessDeniedException",
    "ResourceNotFoundException",
    "ServiceQuotaExceededException",
    "ValidationException",
}
"""Waiting helps against none of these."""


class A2iHumanReviews:
    """:class:`~storycast.ports.HumanReviews` over the A2I runtime."""

    def __init__(self, a2i: Any = None) -> None:
        self._a2i = a2i or client("sagemaker-a2i-runtime")

    def start(self, name: str, flow_definition_arn: str, content: str) -> bool:
        """Start a human loop; False where there is one of this name already."""
        with translated(f"StartHumanLoop {name}"):
            try:
                self._a2i.start_human_loop(
                    HumanLoopName=name,
                    FlowDefinitionArn=flow_definition_arn,
                    HumanLoopInput={"InputContent": content},
                )
            except ClientError as error:
                code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
                if code == "ConflictException":
                    return False
                if code in _REFUSED:
                    raise HumanReviewFailedError(
                        f"Amazon A2I refuses to show {name} to its workers ({code}: {message}). It takes no new "
                        "customers. Look at the flow definition in the console, or set review.mode: page, and "
                        "start the run again: nothing is paid twice."
                    ) from error
                raise
        return True

    def facts(self, name: str) -> LoopFacts | None:
        """Return what is known of a loop, None where there is none of this name."""
        with translated(f"DescribeHumanLoop {name}"):
            try:
                told = self._a2i.describe_human_loop(HumanLoopName=name)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ResourceNotFoundException":
                    return None
                raise
        return LoopFacts(
            name=told["HumanLoopName"],
            status=told["HumanLoopStatus"],
            flow_definition_arn=told["FlowDefinitionArn"],
            failure=told.get("FailureReason", ""),
            output_uri=told.get("HumanLoopOutput", {}).get("OutputS3Uri", ""),
        )

    def stop(self, name: str) -> None:
        """Stop a loop; one that has ended or is gone is no fault."""
        with translated(f"StopHumanLoop {name}"):
            try:
                self._a2i.stop_human_loop(HumanLoopName=name)
            except ClientError as error:
                if error.response["Error"]["Code"] not in {"ResourceNotFoundException", "ValidationException"}:
                    raise
