"""What goes wrong with a call, as rules for the gateway and the stand-ins; and which calls there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local.faults import ANSWER_LOST, CONNECTION_CUT, GARBAGE, TRUNCATED
from storycast.adapters.clients import CAPTION_S, MODEL_S, STORAGE_S

type Operation = tuple[str, str]
"""A service by botocore's name, and an operation."""

OPERATIONS: tuple[Operation, ...] = (
    ("s3", "GetObject"),
    ("s3", "HeadObject"),
    ("s3", "ListObjectsV2"),
    ("s3", "PutObject"),
    ("dynamodb", "PutItem"),
    ("bedrock", "GetFoundationModel"),
    ("rekognition", "DescribeCollection"),
    ("rekognition", "CreateCollection"),
    ("rekognition", "ListFaces"),
    ("rekognition", "DetectFaces"),
    ("rekognition", "IndexFaces"),
    ("bedrock-runtime", "InvokeModel"),
    ("rekognition", "DetectLabels"),
    ("rekognition", "SearchFacesByImage"),
    ("bedrock-runtime", "Converse"),
    ("dynamodb", "GetItem"),
    ("sns", "Publish"),
    ("dynamodb", "Query"),
    ("iam", "GetRole"),
    ("bedrock", "ListModelCustomizationJobs"),
    ("dynamodb", "UpdateItem"),
    ("bedrock", "CreateModelCustomizationJob"),
    ("bedrock", "GetModelCustomizationJob"),
    ("bedrock", "ListProvisionedModelThroughputs"),
    ("bedrock", "CreateProvisionedModelThroughput"),
    ("bedrock", "GetProvisionedModelThroughput"),
    ("bedrock", "DeleteProvisionedModelThroughput"),
)
"""All that a run with every method, a training and a storyboard on Bedrock calls, in the order of the first call.

A test compares it with what such a run did call.
"""

_MODELS = ("bedrock", "bedrock-runtime", "rekognition")
_CODES: dict[str, dict[str, str]] = {
    "throttle": {
        **dict.fromkeys(_MODELS, "ThrottlingException"),
        "s3": "SlowDown",
        "dynamodb": "ProvisionedThroughputExceededException",
        "sns": "Throttling",
        "iam": "Throttling",
    },
    "failure": {
        **dict.fromkeys(_MODELS, "InternalServerException"),
        "rekognition": "InternalServerError",
        "s3": "InternalError",
        "dynamodb": "InternalServerError",
        "sns": "InternalError",
        "iam": "ServiceFailure",
    },
}
"""What a service says of it in its own words."""
TIMEOUT_SCALE = 0.1
"""Factor on the clients' time limits where answers are waited for in vain; the limits have tests of their own."""


@dataclass(frozen=True)
class Kind:
    """One way of going wrong, and what it is in a rule.

    Attributes:
        name: Its column in the table.
        errors: What a rule has for it, one after the other.
        delay_ms: How long the call is held back.
    """

    name: str
    errors: tuple[str | None, ...] = (None,)
    delay_ms: int = 0

    def rules(self, operation: Operation, count: int | None) -> list[dict[str, Any]]:
        """Return the rules that do it to ``count`` calls of an operation each, or to all of them."""
        service, name = operation
        found = []
        for each in self.errors:
            error = _CODES.get(each or "", {}).get(service, each)
            rule = {"service": service, "operation": name, "error": error, "count": count}
            found.append({**rule, "delay_ms": self.delay_ms or self._patience_ms(operation)})
        return found

    def _patience_ms(self, operation: Operation) -> int:
        """For longer than a client waits, where that is what goes wrong."""
        if self.name != "time-out":
            return 0
        answer_s = STORAGE_S if operation[0] in ("s3", "dynamodb", "sns") else MODEL_S
        answer_s = CAPTION_S if operation[1] == "Converse" else answer_s
        return round((answer_s * TIMEOUT_SCALE + 0.3) * 1000)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("throttle", ("throttle",)),
        Kind("500", ("failure",)),
        Kind("time-out", (CONNECTION_CUT,)),
        Kind("malformed", (GARBAGE, TRUNCATED)),
        Kind("cut", (CONNECTION_CUT,)),
        Kind("answer lost", (ANSWER_LOST,)),
        Kind("slow", (None,), delay_ms=300),
    )
}


MANY = {("bedrock-runtime", "InvokeModel"), ("rekognition", "DetectFaces")}
"""Called by several functions, of which none shall get all that goes wrong: each is tried six times."""


def one_after_the_other(kinds: Sequence[Kind]) -> list[dict[str, Any]]:
    """Return rules by which each operation goes wrong once in each of the ways of the kinds."""
    found = []
    for operation in OPERATIONS:
        rules = [rule for kind in kinds for rule in kind.rules(operation, 1)]
        apart = 3 if operation in MANY else 0
        found += [{**rule, "skip": apart if number else 0} for number, rule in enumerate(rules)]
    return found
