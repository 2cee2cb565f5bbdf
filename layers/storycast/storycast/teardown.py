"""Teardown: what is to be ended, as a request; made by a person, a state machine, the sweep, or a failure."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from storycast import names
from storycast.failures import FailureEvent
from storycast.names import RUN_ID_MAX_LENGTH, RUN_ID_PATTERN

if TYPE_CHECKING:
    from storycast.ports import Claims


class TearDownRequest(BaseModel):
    """What ``tear_down`` is started with.

    ``session`` and ``run`` end what belongs to them; ``expired`` what has outlived its ``expires_at``, and what an
    earlier teardown began to end and did not; ``all`` everything; ``none`` nothing.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    scope: Literal["session", "run", "expired", "all", "none"]
    run_id: Annotated[str, Field(pattern=f"^{RUN_ID_PATTERN}$", max_length=RUN_ID_MAX_LENGTH)] | None = None
    session_id: Annotated[str, Field(pattern=r"^[0-9a-f]{6}$")] | None = None
    reason: Annotated[str, Field(max_length=1000)] = "somebody asked for it"
    delete_model: bool = False
    failed: bool = False
    """Whether a failed execution is the cause, so that its report is written."""


def scope_of(request: TearDownRequest | FailureEvent, claims: "Claims") -> TearDownRequest:
    """Return what a failure leaves to tear down; a request as it is."""
    if isinstance(request, TearDownRequest):
        return request
    end = request.detail
    run_id = claims.run_of(end.execution_arn)
    reason = f"{end.status}: {end.error or 'no error is named'}"[:1000]
    if run_id is None:
        return TearDownRequest(scope="none", reason=reason, failed=True)
    if end.is_training:
        session_id = names.session_id(end.execution_arn)
        return TearDownRequest(scope="session", run_id=run_id, session_id=session_id, reason=reason, failed=True)
    return TearDownRequest(scope="run", run_id=run_id, reason=reason, failed=True)
