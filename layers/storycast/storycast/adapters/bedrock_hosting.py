"""Amazon Bedrock's hosting by the hour: provisioned throughput without commitment."""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from storycast.adapters.clients import client
from storycast.adapters.faults import translated
from storycast.errors import DependencyUnavailableError, HostingFailedError, StorycastError, TrainingAccessError
from storycast.ports import ThroughputFacts

_REFUSED: dict[str, type[StorycastError]] = {
    "AccessDeniedException": TrainingAccessError,
    "ResourceNotFoundException": HostingFailedError,
    "ServiceQuotaExceededException": TrainingAccessError,
    "TooManyTagsException": HostingFailedError,
    "ValidationException": HostingFailedError,
}


class BedrockHost:
    """A :class:`~storycast.ports.ModelHost` over provisioned throughput."""

    def __init__(self, bedrock: Any = None) -> None:
        self._bedrock = bedrock or client("bedrock")

    def create(self, name: str, model_arn: str, model_units: int, tags: Mapping[str, str]) -> str:
        """Begin to host a model by the hour; ``commitmentDuration`` is left out, which means no commitment."""
        with translated(f"CreateProvisionedModelThroughput {name}", _REFUSED):
            answer = self._bedrock.create_provisioned_model_throughput(
                clientRequestToken=name,
                modelUnits=model_units,
                provisionedModelName=name,
                modelId=model_arn,
                tags=[{"key": key, "value": value} for key, value in tags.items()],
            )
        return str(answer["provisionedModelArn"])

    def find(self, name: str) -> ThroughputFacts | None:
        """Return the hosting of exactly this name, over all pages: ``nameContains`` also finds longer names."""
        return next((one for one in self._listed(nameContains=name) if one.name == name), None)

    def get(self, arn: str) -> ThroughputFacts | None:
        """Return what is known of a hosting; None where it is gone."""
        with translated(f"GetProvisionedModelThroughput {arn}"):
            try:
                return _facts(self._bedrock.get_provisioned_model_throughput(provisionedModelId=arn))
            except ClientError as error:
                if error.response["Error"]["Code"] == "ResourceNotFoundException":
                    return None
                raise

    def delete(self, arn: str) -> None:
        """End a hosting; one that is gone is no fault, one that can't be ended yet is asked again later."""
        busy: dict[str, type[StorycastError]] = {"ConflictException": DependencyUnavailableError}
        with translated(f"DeleteProvisionedModelThroughput {arn}", busy):
            try:
                self._bedrock.delete_provisioned_model_throughput(provisionedModelId=arn)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise

    def all(self) -> Iterator[ThroughputFacts]:
        """Yield every hosting of the account in this region."""
        yield from self._listed()

    def _listed(self, **wanted: str) -> Iterator[ThroughputFacts]:
        with translated("ListProvisionedModelThroughputs"):
            pages = self._bedrock.get_paginator("list_provisioned_model_throughputs").paginate(**wanted)
            for page in pages:
                for summary in page.get("provisionedModelSummaries", ()):
                    yield _facts(summary)


def _facts(hosting: Mapping[str, Any]) -> ThroughputFacts:
    return ThroughputFacts(
        name=hosting["provisionedModelName"],
        arn=hosting["provisionedModelArn"],
        status=hosting["status"],
        model_arn=hosting["modelArn"],
        model_units=hosting["modelUnits"],
        created_at=hosting["creationTime"],
        failure=hosting.get("failureMessage", ""),
        commitment=hosting.get("commitmentDuration", ""),
    )
