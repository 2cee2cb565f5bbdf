"""Reviews of a target's runs: their desks, their pictures, and how far they are."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.exceptions import ClientError
from pydantic import ValidationError

from cli.problems import TargetUnusableError, is_refused
from cli.target import Target
from review.pictures import Pictures
from storycast import keys
from storycast.adapters.review_log import DynamoReviewLog
from storycast.adapters.s3 import S3Store
from storycast.adapters.stepfunctions import StepFunctionsCallbacks
from storycast.decisions import OPEN, picture, state_of
from storycast.errors import StorycastError
from storycast.review import Review, read_review
from storycast.review_desk import ReviewDesk

PAUSE_SECONDS = 2.0
"""Between two looks at how far a review is."""


@dataclass(frozen=True, slots=True)
class OpenedReview:
    """A run's review with all that is needed to decide in it."""

    review: Review
    desk: ReviewDesk
    pictures: Pictures


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a review is."""

    decided: int
    total: int
    since: datetime | None
    deadline: datetime | None
    """Since and until when the run waits; None where it does not yet."""
    by_workers: bool
    """Whether Amazon A2I's workers review it, and not people on the page."""

    def __str__(self) -> str:
        until = f" until {local_time(self.deadline)}" if self.deadline else ""
        return f"waits for review{until}, {self.decided} of {self.total} pictures decided"


def until(deadline: str | None) -> str:
    """Return in words until when a run waits, by its review's status."""
    return f"until {local_time(datetime.fromisoformat(deadline))}" if deadline else "for it"


def local_time(moment: datetime) -> str:
    """Return a moment as people here read it."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def open_review(target: Target, run_id: str) -> OpenedReview:
    """Sit down at the desk of a run's review, with this command's own credentials.

    Raises:
        RequestInvalidError: The run has no review yet.
        TargetUnusableError: Its review is of another release.
    """
    store = S3Store(target.bucket, target.s3)
    try:
        review = read_review(store, run_id)
    except ValidationError as error:
        raise TargetUnusableError(
            f"{target.uri(keys.review(run_id))} can't be read by this release of the command "
            f"({error.error_count()} problems, first: {error.errors()[0]['msg']}). Use the command of the release "
            "that the stack was deployed from."
        ) from None
    desk = ReviewDesk(
        review,
        log=DynamoReviewLog(target.review_table, target.dynamodb),
        callbacks=StepFunctionsCallbacks(target.stepfunctions),
        store=store,
        clock=lambda: datetime.now(UTC),
    )
    return OpenedReview(review, desk, Pictures(review, store))


class ReviewProgress:
    """Tells how far a run's review is, again and again; it reads only what is new, and not all the time.

    Args:
        target: Where the run is.
        run_id: The run.
        clock: Seconds that only grow.
    """

    def __init__(self, target: Target, run_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._run_id = run_id
        self._clock = clock
        self._looked_at = -PAUSE_SECONDS
        self._seen: Progress | None = None
        self._log = DynamoReviewLog(target.review_table, target.dynamodb)
        self._review: Review | None = None
        self._state = state_of({}, ())

    def look(self) -> Progress | None:
        """Return how far it is; None where that can't be told, such as to those who may not read reviews."""
        if self._clock() - self._looked_at >= PAUSE_SECONDS:
            self._seen = self._read()
            self._looked_at = self._clock()
        return self._seen

    def _read(self) -> Progress | None:
        try:
            if self._review is None:
                self._review = read_review(S3Store(self._target.bucket, self._target.s3), self._run_id)
                self._state = state_of(self._review.initial, ())
            for decision in self._log.read(self._run_id, self._state.seq):
                self._state.apply(decision)
            gate = self._log.gate(self._run_id)
        except (StorycastError, ValueError):
            return None  # it is not there yet, is of another release, or AWS is busy
        except ClientError as error:
            if not is_refused(error):
                raise
            return None
        verdicts = [self._state.text(picture(one.image.crop_id), "verdict") for one in self._review.pictures]
        return Progress(
            decided=sum(verdict != OPEN for verdict in verdicts),
            total=len(verdicts),
            since=gate.opened_at if gate else None,
            deadline=gate.deadline if gate else None,
            by_workers=self._review.mode == "a2i",
        )
