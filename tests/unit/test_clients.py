"""The clients' time limits and retries, and what they take for no answer at all."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest

from local.template import read_template
from local.tools import REPOSITORY
from storycast.adapters import clients
from storycast.adapters.answers import refuse_before_reading, refuse_what_is_none
from storycast.adapters.clients import ATTEMPTS, CAPTION_S, CONNECT_S, MODEL_S, STORAGE_S
from storycast.errors import DependencyUnavailableError

DENIED = b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code></Error></ErrorResponse>"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    made = (clients.client, clients.client_without_retries, clients.paid_client)
    for one in made:
        one.cache_clear()
    yield
    for one in made:
        one.cache_clear()


def test_time_limits_fit_into_the_functions() -> None:
    """A call that hangs is given up, and named, while its function still runs."""
    template = read_template(REPOSITORY / "template.yaml")
    shared = template["Globals"]["Function"]["Timeout"]
    timeouts = {
        name.removesuffix("Function"): one["Properties"].get("Timeout", shared)
        for name, one in template["Resources"].items()
        if one["Type"] == "AWS::Serverless::Function"
    }
    backoff_s = 1 + 2
    assert ATTEMPTS * STORAGE_S + backoff_s < min(timeouts.values())
    assert CONNECT_S + MODEL_S < min(timeouts.values()) == timeouts["DetectCharacters"]
    assert timeouts["CaptionImages"] > CONNECT_S + CAPTION_S
    # Calls that ask for nothing paid are made by functions that have more time.
    unpaid = {name: s for name, s in timeouts.items() if name not in ("DetectCharacters", "CropCharacters")}
    assert ATTEMPTS * (MODEL_S + CONNECT_S) + backoff_s <= min(unpaid.values())


def test_what_is_paid_is_asked_again_only_where_it_was_refused() -> None:
    again = clients._again_if_refused

    def refused(code: str, status: int = 400) -> tuple[Any, dict[str, Any]]:
        return SimpleNamespace(status_code=status), {"Error": {"Code": code}}

    assert 0 <= (again(refused("ThrottlingException"), attempts=1) or 0) <= 1
    assert again(refused("ThrottlingException"), attempts=1) is not None
    assert again(refused("InternalServerException", 500), attempts=2) is not None
    assert again(refused("ThrottlingException"), attempts=ATTEMPTS) is None
    assert again(refused("ValidationException"), attempts=1) is None
    assert again(None, attempts=1) is None, "no answer came: it may be done and paid"
    assert again((SimpleNamespace(status_code=200), {}), attempts=1) is None
    paid = clients.paid_client("bedrock-runtime", CAPTION_S)
    assert paid.meta.config.retries["total_max_attempts"] == 1
    assert paid.meta.config.read_timeout == CAPTION_S


def test_a_page_in_place_of_a_query_services_answer_is_not_read() -> None:
    """botocore would raise ``KeyError: 'GetRoleResult'``."""
    page: dict[str, Any] = {"status_code": 200, "headers": {"content-type": "text/html"}, "body": b"<html/>"}
    with pytest.raises(DependencyUnavailableError, match=r"IAM GetRole: what answered is not AWS \(text/html\)"):
        refuse_before_reading(_operation("iam", "GetRole"), page)
    refuse_before_reading(_operation("iam", "GetRole"), {**page, "headers": {"x-amzn-requestid": "1"}})
    refuse_before_reading(_operation("iam", "GetRole"), {**page, "status_code": 503})
    refuse_before_reading(_operation("iam", "GetRole"), {**page, "status_code": 403, "body": DENIED})
    with pytest.raises(DependencyUnavailableError):
        refuse_before_reading(_operation("iam", "GetRole"), {**page, "status_code": 403})
    with pytest.raises(DependencyUnavailableError):
        refuse_before_reading(_operation("iam", "GetRole"), {**page, "body": DENIED})
    refuse_before_reading(_operation("s3", "GetObject"), page)


def test_what_is_no_answer_is_asked_for_again() -> None:
    again, get = clients._again_if_no_answer, _operation("s3", "GetObject")
    page, true = _answer(b"<html>"), _answer(b"", x_amz_request_id="1")
    assert again((page, {}), get, attempts=1) is not None
    assert again((page, {}), get, attempts=ATTEMPTS) is None
    assert again((true, {}), get, attempts=1) is None
    assert again(None, get, attempts=1) is None


@pytest.mark.parametrize(
    ("service", "seconds"), [("s3", STORAGE_S), ("dynamodb", STORAGE_S), ("bedrock", MODEL_S)]
)
def test_a_service_is_waited_for_as_long_as_it_takes(service: str, seconds: float) -> None:
    config = clients.client(service).meta.config
    assert config.read_timeout == seconds
    assert config.retries == {"mode": "standard", "total_max_attempts": ATTEMPTS}


def _operation(service: str, name: str) -> Any:
    return botocore.session.get_session().get_service_model(service).operation_model(name)


def _answer(content: bytes, status: int = 200, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return SimpleNamespace(status_code=status, headers=named, content=content)


@pytest.mark.parametrize(
    ("operation", "answer", "says"),
    [
        (("dynamodb", "GetItem"), _answer(b"<html>", content_type="text/html"), "is not AWS (text/html)"),
        (("s3", "GetObject"), _answer(b"<html>", content_type="text/html"), "S3 GetObject: what answered"),
        (("s3", "PutObject"), _answer(b""), "is not AWS (nothing)"),
        (("rekognition", "DetectLabels"), _answer(b'{"Labels": [', x_amzn_requestid="1"), "ends in the middle"),
        (("dynamodb", "PutItem"), _answer(b"[]", x_amzn_requestid="1"), "is no JSON"),
        (("rekognition", "DetectLabels"), _answer(b'{"__type":', 400, x_amzn_requestid="1"), "ends in the middle"),
        (("bedrock-runtime", "InvokeModel"), _answer(b'{"mess', 429, x_amzn_requestid="1"), "ends in the middle"),
        (("s3", "GetObject"), _answer(b"<html>", 403, content_type="text/html"), "is not AWS"),
        (("bedrock-runtime", "Converse"), _answer(b'"', x_amzn_requestid="1"), "ends in the middle"),
        (("s3", "HeadObject"), _answer(b"", 404), "is not AWS"),
        (("dynamodb", "GetItem"), _answer(b"{", 403, x_amzn_errortype="X"), "ends in the middle"),
        (("s3", "PutObject"), _answer(b"<Error><Code>AccessDenied</Code></Error>"), "is not AWS"),
    ],
)
def test_what_no_service_answers_is_refused(operation: tuple[str, str], answer: Any, says: str) -> None:
    with pytest.raises(DependencyUnavailableError) as refused:
        refuse_what_is_none(answer, _operation(*operation), parsed={})
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("operation", "answer"),
    [
        (("dynamodb", "GetItem"), _answer(b"{}", x_amzn_requestid="1")),
        (("s3", "GetObject"), _answer(b"<html>", x_amz_request_id="1")),
        (("s3", "HeadObject"), _answer(b"", x_amz_id_2="1")),
        (("bedrock", "DeleteProvisionedModelThroughput"), _answer(b"", x_amzn_requestid="1")),
        (("bedrock-runtime", "InvokeModel"), _answer(b"{", x_amzn_requestid="1")),
        (("s3", "GetObject"), _answer(b"no answer", status=503)),
        # Refusals before a request has its id: of the emulator, and in front of a service.
        (("s3", "GetObject"), _answer(b"<Error><Code>AccessDenied</Code><Message>No</Message></Error>", 403)),
        (("iam", "GetRole"), _answer(DENIED, 403)),
        (("dynamodb", "GetItem"), _answer(b"{}", 403, x_amzn_errortype="AccessDeniedException")),
        (("s3", "HeadObject"), _answer(b"", 403)),
    ],
)
def test_what_a_service_answers_is_taken(operation: tuple[str, str], answer: Any) -> None:
    refuse_what_is_none(answer, _operation(*operation), parsed={})
