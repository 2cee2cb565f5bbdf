"""Custom Labels models over AWS's services; made when a function needs them."""

import os
from datetime import datetime

from storycast.adapters import environment
from storycast.adapters.custom_labels import RekognitionCustomLabels, RekognitionVersions
from storycast.adapters.lease_book import DynamoLeaseBook
from storycast.detector_leases import DetectorLeases
from storycast.plan import RunPlan


def leases(now: datetime) -> DetectorLeases:
    """Return the way to models and their leases, as of a moment."""
    book = DynamoLeaseBook(os.environ["TABLE_NAME"])
    return DetectorLeases(book, environment.book(), RekognitionVersions(), now=now)


def custom_labels(plan: RunPlan) -> RekognitionCustomLabels | None:
    """Return the model that a run asks for; None where it asks for none."""
    arn = plan.settings.detection.custom_labels_model
    return RekognitionCustomLabels(environment.store().bucket, arn) if arn else None
