"""Service Quotas: how much an account may host by the hour, and how many machines it may train on."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from storycast.adapters.clients import client

_WORDS = ("no-commitment", "custom model")
"""In the quota's name, "Model units no-commitment Provisioned Throughputs across custom models"."""


class SageMakerQuotas:
    """Quotas of Amazon SageMaker AI, as far as this identity may see them."""

    def __init__(self, quotas: Any = None) -> None:
        self._quotas = quotas or client("service-quotas")

    def instances(self, name: str) -> float | None:
        """Return the value of a quota by its name, such as ``ml.g5.xlarge for spot training job usage``.

        Returns:
            None where nobody tells, as :meth:`BedrockQuotas.hosting_units` does.
        """
        return _value(self._quotas, "sagemaker", lambda quota_name: quota_name == name.lower())


class BedrockQuotas:
    """Quotas of Amazon Bedrock, as far as this identity may see them."""

    def __init__(self, quotas: Any = None) -> None:
        self._quotas = quotas or client("service-quotas")

    def hosting_units(self) -> float | None:
        """Return how many model units of trained models may be hosted without commitment.

        Returns:
            None where nobody tells: Service Quotas refuses, does not answer, or has no quota of that name.
        """
        return _value(self._quotas, "bedrock", lambda name: all(word in name for word in _WORDS))


def _value(quotas: Any, service: str, is_meant: Callable[[str], bool]) -> float | None:
    """Return the value of the first quota of a service whose name, in lower case, is meant; None where unseen."""
    try:
        for page in quotas.get_paginator("list_service_quotas").paginate(ServiceCode=service):
            for quota in page.get("Quotas", ()):
                if is_meant(quota.get("QuotaName", "").lower()):
                    return float(quota["Value"])
    except (BotoCoreError, ClientError):
        # Whether the quota is seen decides nothing: what needs it says itself if there is none.
        return None
    return None
