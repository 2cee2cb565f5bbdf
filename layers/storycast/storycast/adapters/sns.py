"""Telling people through SNS."""

from typing import Any

from storycast.adapters.clients import client
from storycast.adapters.faults import translated


class SnsNotifier:
    """A :class:`~storycast.ports.Notifier` over one topic."""

    def __init__(self, topic_arn: str, sns: Any = None) -> None:
        self._topic_arn = topic_arn
        self._sns = sns or client("sns")

    def tell(self, subject: str, message: str) -> None:
        """Publish a message."""
        plain = subject.encode("ascii", "replace").decode()[:100]
        with translated("telling the topic"):
            self._sns.publish(TopicArn=self._topic_arn, Subject=plain, Message=message)
