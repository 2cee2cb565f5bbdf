"""AWS's quotas that a run meets: their defaults in us-east-1, what they are called, and who says so."""

from dataclasses import dataclass

AS_OF = "2026-11-26"
"""Day on which they were looked up."""


@dataclass(frozen=True, slots=True)
class Quota:
    """One quota of an account in a region."""

    key: str
    service: str
    name: str
    """As Service Quotas has it, for the request."""
    default: float
    unit: str
    source: str
    is_seen: bool
    """Whether AWS's own words were seen; else others', or nobody's."""
    new_account: str = ""
    """What is told of new accounts."""


QUOTAS = (
    Quota(
        "lambda_concurrency",
        "AWS Lambda",
        "Concurrent executions",
        1_000,
        "at once",
        "AWS Lambda, Developer Guide, scaling behaviour",
        True,
        "10 are reported",
    ),
    Quota(
        "lambda_scaling",
        "AWS Lambda",
        "Scaling rate of a function (fixed)",
        100,
        "more a second",
        "AWS Lambda, Developer Guide: 1,000 every 10 s",
        True,
    ),
    Quota(
        "detect_labels",
        "Amazon Rekognition",
        "Transactions per second per account for DetectLabels",
        50,
        "a second",
        "others' reports for us-east-1, us-west-2 and eu-west-1; 5 in most other regions",
        False,
    ),
    Quota(
        "embeddings",
        "Amazon Bedrock",
        "On-demand model inference requests per minute for Amazon Titan Multimodal Embeddings G1",
        2_000,
        "a minute",
        "AWS's table as remembered; that embedding models are throttled by requests: Bedrock User Guide, Titan",
        False,
        "less is reported of other models",
    ),
    Quota(
        "caption_tokens",
        "Amazon Bedrock",
        "On-demand model inference tokens per minute for Amazon Nova Pro (L-CE33604C)",
        1_000_000,
        "tokens a minute",
        "others' accounts, 2026-01; that tokens count, the answer's limit included: Bedrock User Guide, quotas",
        False,
        "0 in some, lifted by AWS Support alone",
    ),
    Quota(
        "transitions",
        "AWS Step Functions",
        "StateTransition throttle token refill rate per second",
        5_000,
        "a second",
        "AWS's table as remembered, us-east-1, us-west-2, eu-west-1 (800 elsewhere); Express is not counted",
        False,
        "less, raised with use (Developer Guide, service quotas)",
    ),
    Quota(
        "starts",
        "AWS Step Functions",
        "StartExecution throttle token refill rate per second",
        300,
        "a second",
        "AWS's table as remembered, same regions",
        False,
    ),
    Quota(
        "map_runs",
        "AWS Step Functions",
        "Open Map Runs",
        1_000,
        "at once",
        "AWS Step Functions, Developer Guide, service quotas",
        True,
    ),
    Quota(
        "map_children",
        "AWS Step Functions",
        "Parallel Map Run child executions (fixed)",
        10_000,
        "at once, of one map",
        "AWS Step Functions, Developer Guide, Distributed Map",
        True,
    ),
    Quota(
        "history",
        "AWS Step Functions",
        "Events in an execution's history (fixed)",
        25_000,
        "events",
        "AWS Step Functions, Developer Guide, service quotas",
        True,
    ),
    Quota(
        "object_writes",
        "Amazon S3",
        "PUT, COPY, POST, DELETE of a prefix (grows by itself)",
        3_500,
        "a second",
        "Amazon S3 User Guide, performance, as remembered",
        False,
    ),
    Quota(
        "object_reads",
        "Amazon S3",
        "GET, HEAD of a prefix (grows by itself)",
        5_500,
        "a second",
        "Amazon S3 User Guide, performance, as remembered",
        False,
    ),
    Quota(
        "table_writes",
        "Amazon DynamoDB",
        "Writes of a new on-demand table (grows by itself)",
        4_000,
        "a second",
        "Amazon DynamoDB, Developer Guide, on-demand capacity, as remembered",
        False,
    ),
    Quota(
        "training_instances",
        "Amazon SageMaker",
        "ml.g5.xlarge for spot training job usage",
        0,
        "at once",
        "others' reports: new accounts have none",
        False,
    ),
    Quota(
        "model_units",
        "Amazon Bedrock",
        "Model units no-commitment Provisioned Throughputs across custom models",
        0,
        "at once",
        "others' reports: new accounts have none",
        False,
    ),
)


def quota(key: str) -> Quota:
    """Return a quota by its key."""
    return next(one for one in QUOTAS if one.key == key)
