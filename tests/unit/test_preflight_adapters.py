"""What the preflight asks AWS: a role's trust and a quota, through real clients."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from storycast.adapters.bedrock import BedrockCatalogue
from storycast.adapters.iam import IamRoles
from storycast.adapters.quotas import BedrockQuotas, SageMakerQuotas
from storycast.errors import ThrottledError

BEDROCK = "bedrock.amazonaws.com"
ARN = "arn:aws:iam::123456789012:role/service/customization"
TRUST: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": BEDROCK},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
}


@pytest.fixture
def iam() -> Iterator[Stubber]:
    with Stubber(boto3.client("iam", aws_access_key_id="a", aws_secret_access_key="b")) as stub:
        yield stub


def found(iam: Stubber, *statements: dict[str, Any], service: str = BEDROCK) -> list[str] | None:
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.add_response(
        "get_role",
        {
            "Role": {
                "Path": "/service/",
                "RoleName": "customization",
                "RoleId": "AROA0123456789ABCDEF",
                "Arn": ARN,
                "CreateDate": "2026-01-02T00:00:00Z",
                "AssumeRolePolicyDocument": quote(document),
            }
        },
        {"RoleName": "customization"},
    )
    return IamRoles(iam.client).problems(ARN, service)


@pytest.mark.parametrize(
    "statement",
    [
        TRUST,
        {**TRUST, "Principal": {"Service": ["lambda.amazonaws.com", BEDROCK]}},
        {**TRUST, "Action": ["sts:TagSession", "sts:AssumeRole"]},
        {**TRUST, "Action": "sts:*"},
        {**TRUST, "Principal": "*"},
    ],
)
def test_a_role_that_trusts_the_service(iam: Stubber, statement: dict[str, Any]) -> None:
    assert found(iam, statement) == []


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ([], "does not allow"),
        ([{**TRUST, "Principal": {"Service": "lambda.amazonaws.com"}}], "does not allow"),
        ([{**TRUST, "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}], "does not allow"),
        ([{**TRUST, "Action": "sts:TagSession"}], "does not allow"),
        ([TRUST, {**TRUST, "Effect": "Deny", "Condition": {}}], "denies"),
    ],
)
def test_a_role_that_does_not(iam: Stubber, statements: list[dict[str, Any]], said: str) -> None:
    (problem,) = found(iam, *statements) or []
    assert said in problem
    assert ARN in problem
    assert BEDROCK in problem


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "InvalidAction", "NotImplemented"])
def test_where_we_may_not_look_nothing_is_said(iam: Stubber, code: str) -> None:
    iam.add_client_error("get_role", code, http_status_code=403)
    assert IamRoles(iam.client).problems(ARN, BEDROCK) is None


def test_a_role_that_is_gone_is_a_problem(iam: Stubber) -> None:
    iam.add_client_error("get_role", "NoSuchEntity", http_status_code=404)
    assert IamRoles(iam.client).problems(ARN, BEDROCK) == [f"The role {ARN} does not exist."]


def test_other_faults_stay_what_they_are(iam: Stubber) -> None:
    iam.add_client_error("get_role", "Throttling", http_status_code=400)
    with pytest.raises(ThrottledError):
        IamRoles(iam.client).problems(ARN, BEDROCK)
    iam.add_client_error("get_role", "ValidationError", http_status_code=400)
    with pytest.raises(ClientError):
        IamRoles(iam.client).problems(ARN, BEDROCK)


@pytest.fixture
def quotas() -> Iterator[Stubber]:
    client = boto3.client(
        "service-quotas", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stub:
        yield stub


def test_the_quota_is_found_by_its_name_on_any_page(quotas: Stubber) -> None:
    names = (
        "Model units no-commitment Provisioned Throughputs across base models",
        "Model units no-commitment Provisioned Throughputs across custom models",
    )
    for number, name in enumerate(names):
        answer: dict[str, Any] = {"Quotas": [{"QuotaName": name, "Value": float(number + 1)}]}
        answer |= {"NextToken": "more"} if number == 0 else {}
        quotas.add_response("list_service_quotas", answer)
    assert BedrockQuotas(quotas.client).hosting_units() == 2


def test_a_quota_that_nobody_tells_is_none(quotas: Stubber) -> None:
    quotas.add_response("list_service_quotas", {"Quotas": [{"QuotaName": "Other", "Value": 3.0}]})
    assert BedrockQuotas(quotas.client).hosting_units() is None
    quotas.add_client_error("list_service_quotas", "AccessDeniedException", http_status_code=400)
    assert BedrockQuotas(quotas.client).hosting_units() is None


def test_the_catalogue_tells_what_a_model_can_do() -> None:
    client = boto3.client("bedrock", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        stub.add_response(
            "get_foundation_model",
            {
                "modelDetails": {
                    "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0",
                    "modelId": "amazon.nova-canvas-v1:0",
                    "customizationsSupported": ["FINE_TUNING"],
                    "inferenceTypesSupported": ["ON_DEMAND", "PROVISIONED"],
                    "modelLifecycle": {"status": "LEGACY"},
                }
            },
        )
        facts = BedrockCatalogue(client).facts("us.amazon.nova-canvas-v1:0")
    assert facts.customizations == ("FINE_TUNING",)
    assert facts.inference == ("ON_DEMAND", "PROVISIONED")
    assert facts.status == "LEGACY"


# ---- SageMaker ------------------------------------------------------------------------------------


def test_a_quota_of_sagemaker_is_found_by_its_whole_name(quotas: Stubber) -> None:
    named = [
        {"QuotaName": "ml.g5.xlarge for training job usage", "Value": 1.0},
        {"QuotaName": "ml.g5.xlarge for spot training job usage", "Value": 2.0},
    ]
    for name, value in (("ml.g5.xlarge for spot training job usage", 2.0), ("ml.g6.xlarge for x", None)):
        quotas.add_response("list_service_quotas", {"Quotas": named}, {"ServiceCode": "sagemaker"})
        assert SageMakerQuotas(quotas.client).instances(name) == value
    quotas.add_client_error("list_service_quotas", "AccessDeniedException")
    assert SageMakerQuotas(quotas.client).instances("ml.g5.xlarge for training job usage") is None
