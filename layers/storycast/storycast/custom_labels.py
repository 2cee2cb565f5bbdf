"""Custom Labels of Amazon Rekognition: a model that bills by the hour while it runs, and the runs that need it."""

from typing import Protocol

from storycast.ports import Labels


class CustomLabelDetector(Protocol):
    """A running Custom Labels model."""

    def detect(self, key: str, *, min_confidence: float | None) -> Labels:
        """Return the model's labels that have boxes, in a picture of the media bucket.

        Args:
            key: Key of a JPEG or PNG.
            min_confidence: Confidence from which labels count, 0..100; None for the threshold that the model
                chose for each label when it was trained.

        Raises:
            FrameRefusedError: The service can't use this picture.
            DependencyUnavailableError: The model does not run.
        """
