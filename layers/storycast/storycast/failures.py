"""Failures: how an execution ended that did not end by itself, as EventBridge tells it."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

TRAIN_MODEL = "-train-model"
"""Ends the name of the machine that trains."""


class ExecutionEnd(BaseModel):
    """The ``detail`` of a ``Step Functions Execution Status Change`` event."""

    model_config = ConfigDict(frozen=True)

    execution_arn: str = Field(alias="executionArn")
    state_machine_arn: str = Field(default="", alias="stateMachineArn")
    status: str
    error: str | None = None
    cause: str | None = None

    @property
    def is_training(self) -> bool:
        """Whether it is an execution of ``train_model``."""
        return self.state_machine_arn.endswith(TRAIN_MODEL)

    @property
    def named(self) -> tuple[str, str]:
        """Its error and its cause, in words.

        A nested execution that failed is ``States.TaskFailed`` with the child's own description as cause; a
        function's cause is JSON with a stack trace. Of both, what went wrong is what is told.
        """
        error, cause = self.error or self.status, self.cause or ""
        for _ in range(3):
            told = _object(cause)
            if "Error" in told or "Cause" in told:
                error, cause = str(told.get("Error") or error), str(told.get("Cause") or "")
            elif "errorMessage" in told:
                return str(told.get("errorType") or error), str(told["errorMessage"])
            else:
                break
        return error, cause


class FailureEvent(BaseModel):
    """A ``Step Functions Execution Status Change`` event."""

    model_config = ConfigDict(frozen=True)

    detail: ExecutionEnd


def _object(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
