"""What SageMaker tells of training jobs; answers fit AWS's own model."""

from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from tests.cli.bedrock import MADE_AT


class FakeSageMaker:
    """Lists what a test put into :attr:`jobs`."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.is_refused = False
        self._model = botocore.session.get_session().get_service_model("sagemaker")

    def train(self, name: str, status: str = "InProgress") -> str:
        """Put a job there and return its ARN."""
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name}"
        self.jobs.append(
            {
                "TrainingJobName": name,
                "TrainingJobArn": arn,
                "CreationTime": MADE_AT,
                "TrainingJobStatus": status,
            }
        )
        return arn

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_training_jobs"
        fake = self

        class Pages:
            def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
                return fake.pages(request)

        return Pages()

    def pages(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield a page for each job that has the status."""
        if self.is_refused:
            raise ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "ListTrainingJobs"
            )
        model = self._model.operation_model("ListTrainingJobs")
        self._check(model.input_shape, request)
        for one in self.jobs:
            if request["StatusEquals"] == one["TrainingJobStatus"]:
                page = {"TrainingJobSummaries": [one]}
                self._check(model.output_shape, page)
                yield page

    @staticmethod
    def _check(shape: Any, data: dict[str, Any]) -> None:
        report = ParamValidator().validate(data, shape)
        assert not report.has_errors(), report.generate_report()
