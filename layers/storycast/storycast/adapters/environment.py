"""What the template tells a function through its environment, as adapters; made once per process."""

import os
import time
from datetime import UTC, datetime, timedelta
from functools import cache

from storycast import keys
from storycast.adapters.billing_book import DynamoBillingBook
from storycast.adapters.dynamodb import DynamoClaims
from storycast.adapters.review_log import DynamoReviewLog
from storycast.adapters.s3 import S3Store
from storycast.adapters.sns import SnsNotifier
from storycast.cast import Cast
from storycast.plan import RunPlan, read_plan
from storycast.runs import ModelUsed, read_run
from storycast.training import TrainingPlan, read_training_plan
from storycast.turns import Turns

LONGEST_CALL = timedelta(minutes=2)
"""What a call that is paid takes at most, its retries within boto3 included."""


@cache
def store() -> S3Store:
    """Return the media bucket."""
    return S3Store(os.environ["MEDIA_BUCKET"])


def turns(run_id: str, limit_ms: int) -> Turns:
    """Return a run's turns in a function that has so long; half of it may pass with waiting for others."""
    limit = timedelta(milliseconds=limit_ms)
    return Turns(
        run_id,
        store(),
        # Nobody is at work for longer than its function may be; of a long one no single call takes longer.
        lapse=min(limit, LONGEST_CALL),
        until=datetime.now(UTC) + limit / 2,
        now=lambda: datetime.now(UTC),
        pause=time.sleep,
    )


@cache
def claims() -> DynamoClaims:
    """Return the claims table."""
    return DynamoClaims(os.environ["TABLE_NAME"])


@cache
def book() -> DynamoBillingBook:
    """Return the billing book, which lies in the same table."""
    return DynamoBillingBook(os.environ["TABLE_NAME"])


@cache
def review_log() -> DynamoReviewLog:
    """Return the review log."""
    return DynamoReviewLog(os.environ["REVIEW_TABLE_NAME"])


@cache
def notifier() -> SnsNotifier:
    """Return the topic."""
    return SnsNotifier(os.environ["TOPIC_ARN"])


@cache
def plan(run_id: str) -> RunPlan:
    """Return a run's plan. It never changes once it is written, so each process reads it once."""
    return read_plan(store(), run_id)


@cache
def training_plan(run_id: str, training_id: str, session_id: str) -> TrainingPlan:
    """Return the plan of a training session, which never changes once it is written."""
    return read_training_plan(store(), run_id, training_id, session_id)


@cache
def model(run_id: str, model_id: str) -> ModelUsed:
    """Return who answers as a model in a run, which ``CheckPlan`` wrote down before anyone asks."""
    return read_run(store(), run_id).model(model_id)


@cache
def cast(run_id: str) -> Cast:
    """Return a run's cast, which never changes once it is written either."""
    return Cast.model_validate_json(store().get(keys.run_file(run_id, "cast.json")))
