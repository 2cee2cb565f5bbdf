"""What Bedrock tells of jobs and hosting; answers fit AWS's own model."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012"
MADE_AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class FakeBedrock:
    """Lists what a test put into :attr:`jobs` and :attr:`throughputs`."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.throughputs: list[dict[str, Any]] = []
        self.refused: set[str] = set()
        self._model = botocore.session.get_session().get_service_model("bedrock")

    def host(self, name: str, status: str = "InService") -> str:
        """Put a hosting there and return its ARN."""
        arn = f"{ACCOUNT}:provisioned-model/{len(self.throughputs):012d}"
        model = f"{ACCOUNT}:custom-model/amazon.nova-canvas-v1:0/{len(self.throughputs):012d}"
        self.throughputs.append(
            {
                "provisionedModelName": name,
                "provisionedModelArn": arn,
                **dict.fromkeys(("modelArn", "desiredModelArn", "foundationModelArn"), model),
                **dict.fromkeys(("modelUnits", "desiredModelUnits"), 1),
                "status": status,
                **dict.fromkeys(("creationTime", "lastModifiedTime"), MADE_AT),
            }
        )
        return arn

    def train(self, name: str, status: str = "InProgress") -> str:
        """Put a job there and return its ARN."""
        arn = f"{ACCOUNT}:model-customization-job/amazon.nova-canvas-v1:0/{len(self.jobs):012d}"
        self.jobs.append(
            {
                "jobArn": arn,
                "jobName": name,
                "status": status,
                "creationTime": MADE_AT,
                "baseModelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0",
            }
        )
        return arn

    def get_paginator(self, operation: str) -> Any:
        fake = self

        class Pages:
            def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
                return fake.pages(operation, request)

        return Pages()

    def pages(self, operation: str, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        name = "".join(word.capitalize() for word in operation.split("_"))
        if name in self.refused:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, name)
        model = self._model.operation_model(name)
        found = self.throughputs if "Throughput" in name else self.jobs
        key = "provisionedModelSummaries" if "Throughput" in name else "modelCustomizationJobSummaries"
        wanted = request.get("statusEquals")
        for one in found:  # a page each
            if wanted in (None, one["status"]):
                self._check(model.output_shape, {key: [one]})
                yield {key: [one]}
        self._check(model.input_shape, request)

    @staticmethod
    def _check(shape: Any, data: dict[str, Any]) -> None:
        report = ParamValidator().validate(data, shape)
        assert not report.has_errors(), report.generate_report()
