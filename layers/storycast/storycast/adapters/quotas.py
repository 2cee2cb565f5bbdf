"""Service Quotas: how much an account may host by the hour, and how many machines it may train on."""

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
        try:
            for page in self._quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker"):
                for quota in page.get("Quotas", ()):
                    if quota.get("QuotaName", "").lower() == name.lower():
                        return float(quota["Value"])
        except (BotoCoreError, ClientError):
            # The job's own call says if there is none.
            return None
        return None


class BedrockQuotas:
    """Quotas of Amazon Bedrock, as far as this identity may see them."""

    def __init__(self, quotas: Any = None) -> None:
        self._quotas = quotas or client("service-quotas")

    def hosting_units(self) -> float | None:
        """Return how many model units of trained models may be hosted without commitment.

        Returns:
            None where nobody tells: Service Quotas refuses, does not answer, or has no quota of that name.
        """
        try:
            for page in self._quotas.get_paginator("list_service_quotas").paginate(ServiceCode="bedrock"):
                for quota in page.get("Quotas", ()):
                    if all(word in quota.get("QuotaName", "").lower() for word in _WORDS):
                        return float(quota["Value"])
        except (BotoCoreError, ClientError):
            # Whether the quota is seen decides nothing: the hosting's own call says if there is none.
            return None
        return None
