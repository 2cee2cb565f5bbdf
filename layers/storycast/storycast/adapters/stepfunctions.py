"""Executions of our own state machines: stopping them, and letting those go on that wait for a token."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from storycast.adapters.clients import client
from storycast.adapters.faults import translated

_ENDED = {"ExecutionDoesNotExist", "ValidationException"}
"""AWS takes a second stop in silence; the emulator and Express machines refuse it."""

_TOKEN_OVER = {"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"}


class StepFunctionsExecutions:
    """An :class:`~storycast.ports.Executions` over Step Functions."""

    def __init__(self, stepfunctions: Any = None) -> None:
        self._stepfunctions = stepfunctions or client("stepfunctions")

    def stop(self, execution_arn: str, error: str, cause: str) -> None:
        """Stop an execution; one that has ended or is unknown is no fault."""
        with translated(f"stopping {execution_arn}"):
            try:
                self._stepfunctions.stop_execution(executionArn=execution_arn, error=error, cause=cause)
            except ClientError as refused:
                if refused.response["Error"]["Code"] not in _ENDED:
                    raise


class StepFunctionsCallbacks:
    """:class:`~storycast.ports.Callbacks` over Step Functions."""

    def __init__(self, stepfunctions: Any = None) -> None:
        self._stepfunctions = stepfunctions or client("stepfunctions")

    def succeed(self, task_token: str, output: Mapping[str, Any]) -> bool:
        """Let the execution go on; False where nobody waits for this token any more."""
        with translated("letting the execution go on"):
            try:
                self._stepfunctions.send_task_success(taskToken=task_token, output=json.dumps(output))
            except ClientError as refused:
                if refused.response["Error"]["Code"] in _TOKEN_OVER:
                    return False
                raise
        return True
