"""SampleFrames: chooses and stores the frames of one segment."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from storycast.adapters import environment
from storycast.footage import Segment
from storycast.requests import read_event
from storycast.stages.sample_frames import sample_frames

logger = Logger(service="sample_frames")


class Event(BaseModel):
    """One segment of a run."""

    run_id: str
    segment: Segment


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Return how many frames were kept and dropped."""
    asked = read_event(event, Event)
    sampled = sample_frames(asked.segment, store=environment.store())
    logger.info("sampled", run_id=asked.run_id, segment=asked.segment.segment, **sampled)
    return sampled
