"""The stand-ins in a thread of the test process, real boto3 clients, a small S3, and what trainings need."""

import contextlib
import http.server
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.response import StreamingBody
from botocore.validate import ParamValidator

from local.standins import bedrock_world, customization
from local.standins.server import StandinServer, running
from tests.contract.cloud import Cloud, handler_of
from tests.contract.trainings import CANVAS, ROLE, StubRole, job_request, put_dataset

_CONFIG = Config(retries={"total_max_attempts": 1}, parameter_validation=False, read_timeout=30)


@contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """A small HTTP server in a thread; gives its URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def objects() -> dict[str, bytes]:
    """The objects of the small S3, by ``<bucket>/<key>``."""
    return {}


@pytest.fixture(scope="session")
def s3_url(objects: dict[str, bytes]) -> Iterator[str]:
    class Objects(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = objects.get(self.path.lstrip("/").partition("?")[0])
            status = 200 if content is not None else 404
            body = content if content is not None else b"<Error><Code>NoSuchKey</Code></Error>"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the stand-in does not read what is too large
                self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with serving(Objects) as url:
        yield url


@pytest.fixture(scope="package")
def environment(s3_url: str) -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIACONTRACT")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "STORYCAST_VLM_URL", "STORYCAST_STANDIN_TODAY"):
            patch.delenv(name, raising=False)
        yield patch


@pytest.fixture(scope="package")
def standins(environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandinServer]:
    with running(tmp_path_factory.mktemp("standins")) as server:
        yield server


@pytest.fixture(scope="package")
def client(standins: StandinServer) -> Callable[[str], BaseClient]:
    """Real clients by service name; they neither retry nor check parameters themselves."""
    made: dict[str, BaseClient] = {}

    def make(service: str) -> BaseClient:
        if service not in made:
            made[service] = boto3.client(service, endpoint_url=standins.url, config=_CONFIG)
        return made[service]

    return make


@pytest.fixture
def call(client: Callable[[str], BaseClient]) -> Callable[..., dict[str, Any]]:
    """Call an operation; the answer is checked against the service's model."""

    def checked(service: str, operation: str, **params: Any) -> dict[str, Any]:
        made = client(service)
        answer = getattr(made, _method(made, operation))(**params)
        answer.pop("ResponseMetadata")
        shape = made.meta.service_model.operation_model(operation).output_shape
        plain = {key: value.read() if isinstance(value, StreamingBody) else value for key, value in answer.items()}
        report = ParamValidator().validate(plain, shape)
        assert not report.has_errors(), report.generate_report()
        return plain

    return checked


def _method(made: BaseClient, operation: str) -> str:
    return next(name for name, api in made.meta.method_to_api_mapping.items() if api == operation)


@pytest.fixture
def own(standins: StandinServer) -> Callable[..., Any]:
    """Ask one of the stand-ins' own routes; gives the status and the JSON."""

    def ask(method: str, route: str, document: object = None) -> tuple[int, Any]:
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{standins.url}/_storycast/{route}", body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    return ask


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "standins" in request.fixturenames:
        server = request.getfixturevalue("standins")
        server.desk.faults.clear()
        server.world.outcomes.clear()


@pytest.fixture
def log(standins: StandinServer) -> Callable[[], list[dict[str, Any]]]:
    """The lines of the call log since the test began."""
    path = Path(standins.state) / "calls.jsonl"
    begun = len(path.read_text("utf-8").splitlines())
    return lambda: [json.loads(line) for line in path.read_text("utf-8").splitlines()[begun:]]


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch, objects: dict[str, bytes]) -> dict[str, bytes]:
    """A role that may read the small S3; gives what is written with it. Real ones: test_standins_job_role.py."""
    monkeypatch.setattr(bedrock_world, "JOB_SECONDS", 0.2)
    monkeypatch.setattr(bedrock_world, "HOSTING_SECONDS", 0.3)
    written: dict[str, bytes] = {}
    monkeypatch.setattr(customization, "JobRole", lambda arn, _job: StubRole(arn, objects, written))
    monkeypatch.setattr(customization, "trust_problem", lambda arn: "" if arn == ROLE else "it does not trust us")
    return written


@pytest.fixture
def cloud(objects: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An AWS that the stand-ins find, whose S3 is the small one."""
    found = Cloud(objects)
    with serving(handler_of(found)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
        monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
        monkeypatch.setattr(bedrock_world, "JOB_SECONDS", 0.0)
        yield found


@pytest.fixture
def active(own: Callable[..., Any]) -> Iterator[None]:
    """Nova Canvas is played as active."""
    assert own("POST", "catalogue", {"play_as_active": [CANVAS]})[0] == 200
    yield
    own("POST", "catalogue", {"play_as_active": []})


@pytest.fixture
def manifest(objects: dict[str, bytes]) -> str:
    """URI of a manifest with a few pictures of Mara and of Old Tom."""
    return put_dataset(objects)


@pytest.fixture
def create(call: Callable[..., dict[str, Any]], manifest: str) -> Callable[..., str]:
    """Start a job; gives its ARN."""

    def make(name: str, **more: Any) -> str:
        return call("bedrock", "CreateModelCustomizationJob", **(job_request(name, manifest) | more))["jobArn"]

    return make


@pytest.fixture
def ended(call: Callable[..., dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    """Wait until a job has ended; gives what is told of it."""

    def wait(arn: str) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            job = call("bedrock", "GetModelCustomizationJob", jobIdentifier=arn)
            if job["status"] not in {"InProgress", "Stopping"}:
                return job
            time.sleep(0.02)
        raise AssertionError(job)

    return wait


@pytest.fixture
def host(call: Callable[..., dict[str, Any]]) -> Callable[..., str]:
    """Begin to host a model; gives the hosting's ARN."""

    def make(name: str, model: str, **more: Any) -> str:
        asked = {"modelUnits": 1, "provisionedModelName": name, "clientRequestToken": name, "modelId": model}
        return call("bedrock", "CreateProvisionedModelThroughput", **(asked | more))["provisionedModelArn"]

    return make


@pytest.fixture
def reaches(call: Callable[..., dict[str, Any]]) -> Callable[[str, str], dict[str, Any]]:
    """Wait until a hosting has a status; gives what is told of it."""

    def wait(arn: str, status: str) -> dict[str, Any]:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            told = call("bedrock", "GetProvisionedModelThroughput", provisionedModelId=arn)
            if told["status"] == status:
                return told
            time.sleep(0.02)
        raise AssertionError(told)

    return wait


@pytest.fixture
def trained(create: Callable[..., str], ended: Callable[[str], dict[str, Any]]) -> Callable[..., str]:
    """Train a model; gives its ARN."""
    return lambda name, **more: ended(create(name, **more))["outputModelArn"]


@pytest.fixture
def hosted(
    trained: Callable[..., str], host: Callable[..., str], reaches: Callable[[str, str], dict[str, Any]]
) -> Callable[[str], str]:
    """Train a model and host it; gives the hosting's ARN."""
    return lambda name: reaches(host(name, trained(name)), "InService")["provisionedModelArn"]
