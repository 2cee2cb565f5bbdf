"""What is billed as long as it lives: training jobs and hosting, each with a row before the call that makes it.

The rows, in the table, are the truth; ``billing`` in ``run.json`` is a copy of them for readers.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

from storycast.footage import Record

INTENT_GRACE = timedelta(minutes=5)
"""How long after the last intent a call may still make the resource: longer than any function that makes one
lives, two minutes."""

BilledKind = Literal[
    "customization_job", "provisioned_throughput", "training_job", "drawing_job", "custom_labels_model"
]
"""The first two on Bedrock, the next two on SageMaker, the last one on Rekognition."""
TARGETS: Final[Mapping[BilledKind, Literal["bedrock", "sagemaker"]]] = {
    "customization_job": "bedrock",
    "provisioned_throughput": "bedrock",
    "training_job": "sagemaker",
    "drawing_job": "sagemaker",
}
"""Which ``training.target`` makes them; a Custom Labels model belongs to none."""
BilledState = Literal["intended", "live", "ending", "ended"]


class Billed(Record):
    """One billed resource. It only ever moves forward: intended, live, ending, ended.

    ``intended``: a call which makes it may have been made. From ``ending`` on nobody may make it any more; neither
    may anybody make something for a session that a teardown has closed.
    """

    name: str
    """Its name at the service, which no other resource of the account has had or will have."""
    kind: BilledKind
    run_id: str
    training_id: str = ""
    """Empty for what no training needs."""
    session_id: str
    execution_arn: str
    state: BilledState
    intended_at: datetime
    """When somebody last meant to make it."""
    expires_at: datetime
    """When the sweep ends it, whatever its run is doing."""
    model_units: int = 0
    """Of hosting, and of a Custom Labels model, whose are called inference units: each is billed by the hour."""
    image_count: int = 0
    """Of a job: pictures that it sees if it goes to its end, steps times batch size; each is billed."""
    instance_type: str = ""
    """Of a SageMaker job."""
    max_run_s: int = 0
    """Of a SageMaker job: seconds after which AWS itself ends it."""
    billable_s: int | None = None
    """Of a SageMaker job that has ended: seconds that are billed at the list price, spot already taken off."""
    arn: str | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""
    """Why it ended."""

    @property
    def is_training(self) -> bool:
        """Whether a model comes of it; of the others come pictures."""
        return self.kind in {"customization_job", "training_job"}

    @property
    def is_open(self) -> bool:
        """Whether it may still be billed."""
        return self.state != "ended"
