"""Human loops: how a review is shown to Amazon A2I's workers, a batch of pictures at a time."""

import json
from collections.abc import Sequence
from typing import Any

from storycast import keys
from storycast.decisions import DROPPED, KEPT, OPEN, picture
from storycast.errors import HumanReviewFailedError, RequestInvalidError
from storycast.review import Review, ReviewPicture

MOST_BATCHES = 40
"""Human loops at once; the map over them is an inline one."""
BATCH_PICTURES = 10
"""Pictures of a human loop, more only where 40 loops would not do otherwise."""
MAX_INPUT_CONTENT = 3_145_728
"""Characters of what a human loop is given."""
KEEP, DROP = "keep", "drop"
"""What a worker says of a picture, as the worker template has it."""
SAID = {KEPT: KEEP, DROPPED: DROP, OPEN: ""}
"""Verdicts as the worker template has them."""


def batch_count(picture_count: int) -> int:
    """Return how many human loops so many pictures take."""
    return min(MOST_BATCHES, -(-picture_count // BATCH_PICTURES))


def batch_pictures(review: Review, batch: int) -> Sequence[ReviewPicture]:
    """Return the pictures of one batch, in the review's order; batches differ by one picture at most.

    Raises:
        RequestInvalidError: The review has no such batch.
    """
    count, total = batch_count(len(review.pictures)), len(review.pictures)
    if not 0 <= batch < count:
        raise RequestInvalidError(
            f"The review of {review.run_id} has {count} batches, and so none numbered {batch}."
        )
    return review.pictures[total * batch // count : total * (batch + 1) // count]


def open_batches(review: Review) -> list[int]:
    """Return the batches that workers are shown: those in which something is not decided yet.

    What people decided in an earlier run of the project holds. So a run that is started again after its review
    pays its workers nothing.
    """
    initial = review.initial
    return [
        batch
        for batch in range(batch_count(len(review.pictures)))
        if any(initial[picture(one.image.crop_id), "verdict"] == OPEN for one in batch_pictures(review, batch))
    ]


def input_content(review: Review, batch: int, bucket: str) -> dict[str, Any]:
    """Return what the worker template is filled in with.

    Args:
        review: What is reviewed.
        batch: Which batch, from 0.
        bucket: The bucket that holds the pictures; the template asks for access to each by its S3 URI.

    Raises:
        HumanReviewFailedError: It is more than Amazon A2I takes.
        RequestInvalidError: The review has no such batch.
    """
    initial = review.initial
    described = {member.name: member.description for member in review.characters}
    content = {
        "run": review.run_id,
        "project": review.project,
        "batch": batch + 1,
        "batches": batch_count(len(review.pictures)),
        "words": list(review.words),
        "pictures": [
            {
                "crop_id": one.image.crop_id,
                "picture": f"s3://{bucket}/{keys.run_file(review.run_id, f'{keys.IMAGES}{one.file_name}')}",
                "character": one.image.character,
                "description": described.get(one.image.character, ""),
                "in_picture": ", ".join(one.image.in_picture),
                "framing": one.image.framing,
                "caption": initial[picture(one.image.crop_id), "caption"],
                "flags": list(one.flags),
                "said_before": SAID[initial[picture(one.image.crop_id), "verdict"]],
            }
            for one in batch_pictures(review, batch)
        ],
    }
    length = len(content_text(content))
    if length > MAX_INPUT_CONTENT:
        raise HumanReviewFailedError(
            f"Batch {batch} of {review.run_id} has {length:,} characters; Amazon A2I takes {MAX_INPUT_CONTENT:,}. "
            "Set review.mode: page, or lower selection.images_per_character, and start again: nothing is paid "
            "twice."
        )
    return content


def content_text(content: Any) -> str:
    """Return a human loop's content as the text that is sent."""
    return json.dumps(content, ensure_ascii=False)
