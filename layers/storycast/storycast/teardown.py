"""Teardown: what is to be ended, as a request; made by a person, a state machine, the sweep, or a failure."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from storycast.names import RUN_ID_MAX_LENGTH, RUN_ID_PATTERN


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
