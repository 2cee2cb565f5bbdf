"""The role of a job, assumed through an STS: who may be assumed, and what the job may then read and write."""

import http.server
import json
import re
import urllib.parse
from collections.abc import Iterator

import pytest

from local.standins import bedrock_world
from tests.contract.conftest import serving
from tests.contract.trainings import BUCKET, PICTURES

TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "bedrock.amazonaws.com"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}},
}
pytestmark = pytest.mark.usefixtures("active")


class Cloud:
    """As much of STS, IAM and S3 as a job's role meets."""

    def __init__(self, objects):
        self.objects = objects
        self.statements = [TRUST]
        self.denied = set()
        self.written = {}
        self.read_by = set()
        self.iam_error = self.sts_error = None

    def query(self, asked):
        """Answer STS and IAM."""
        if asked["Action"] == "AssumeRole":
            if self.sts_error:
                return self._error(self.sts_error)
            self.session = asked["RoleSessionName"]
            return self._answer(
                "AssumeRole",
                "<Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
                "<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>",
            )
        if self.iam_error:
            return self._error(self.iam_error)
        policy = urllib.parse.quote(json.dumps({"Version": "2012-10-17", "Statement": self.statements}))
        name = asked["RoleName"]
        return self._answer(
            "GetRole",
            f"<Role><Path>/</Path><RoleName>{name}</RoleName><RoleId>AROA</RoleId><Arn>arn:aws:iam::0:role/{name}</Arn>"
            f"<CreateDate>2026-01-01T00:00:00Z</CreateDate>"
            f"<AssumeRolePolicyDocument>{policy}</AssumeRolePolicyDocument></Role>",
        )

    @staticmethod
    def _answer(action, inner):
        return 200, f"<{action}Response><{action}Result>{inner}</{action}Result></{action}Response>".encode()

    @staticmethod
    def _error(code):
        return (
            403,
            f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>".encode(),
        )

    def object(self, method, key, who, body):
        """Answer S3."""
        self.read_by.add(who)
        if key in self.denied:
            return 403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        if method == "PUT":
            self.written[key] = body
            return 200, b""
        content = self.objects.get(key)
        return (404, b"<Error><Code>NoSuchKey</Code></Error>") if content is None else (200, content)


@pytest.fixture
def cloud(objects, monkeypatch) -> Iterator[Cloud]:
    found = Cloud(objects)

    class Handler(http.server.BaseHTTPRequestHandler):
        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            who = re.search(r"Credential=(\w+)/", self.headers["Authorization"])[1]
            key = urllib.parse.unquote(self.path.lstrip("/").partition("?")[0])
            answer = found.object(self.command, key, who, body) if key else found.query(_form(body))
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def do_GET(self) -> None:
            self._do()

        def do_PUT(self) -> None:
            self._do()

        def do_POST(self) -> None:
            self._do()

        def log_message(self, *_: object) -> None: ...

    with serving(Handler) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
        monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
        monkeypatch.setattr(bedrock_world, "JOB_SECONDS", 0.0)
        yield found


def _form(body):
    return dict(urllib.parse.parse_qsl(body.decode()))


def test_a_job_reads_and_writes_as_its_role(create, ended, cloud):
    job = ended(create("by-role"))
    assert job["status"] == "Completed", job
    assert cloud.read_by == {"ASIAROLE"}, "not with the stand-ins' own keys"
    assert cloud.session == "bedrock-by-role"
    ((key, table),) = cloud.written.items()
    assert key.startswith(f"{BUCKET}/output/model-customization-job-")
    assert table.startswith(b"step_number,epoch_number,training_loss\n1,")


@pytest.mark.parametrize("key", ["manifest.jsonl", "images/3.png", f"images/{len(PICTURES) - 1}.png"])
def test_what_the_role_may_not_read_is_named(create, ended, cloud, key):
    cloud.denied.add(f"{BUCKET}/{key}")
    job = ended(create(f"denied-{key.translate(str.maketrans('/.', '--'))}"))
    assert job["status"] == "Failed"
    assert f"s3://{BUCKET}/{key} can't be read with the job's role" in job["failureMessage"]
    assert "AccessDenied" in job["failureMessage"]


def test_what_is_not_there_is_named(create, ended, cloud, manifest):
    cloud.objects.pop(f"{BUCKET}/images/2.png")
    job = ended(create("missing-picture"))
    assert f"s3://{BUCKET}/images/2.png" in job["failureMessage"]
    assert "NoSuchKey" in job["failureMessage"]


def test_a_uri_that_is_none_is_named(create, ended, cloud, manifest):
    line = json.dumps({"image-ref": "https://example.com/a.png", "caption": "Mara"}).encode()
    cloud.objects[f"{BUCKET}/manifest.jsonl"] = b"\n".join([line] * 6)
    assert "'https://example.com/a.png' is not s3://" in ended(create("no-uri"))["failureMessage"]


def test_metrics_that_the_role_may_not_write_fail_the_job(create, ended, cloud, call, monkeypatch):
    monkeypatch.setattr(cloud, "object", lambda method, *rest: _read_only(cloud, method, *rest))
    job = ended(create("read-only"))
    assert job["status"] == "Failed"
    assert re.search(r"step_wise_training_metrics.csv can't be written .*AccessDenied", job["failureMessage"])
    assert not call("bedrock", "ListCustomModels", nameContains="read-only")["modelSummaries"]


def _read_only(cloud, method, key, who, body):
    if method == "PUT":
        cloud.denied.add(key)
    return Cloud.object(cloud, method, key, who, body)


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Deny"},
        {"Principal": {"Service": "lambda.amazonaws.com"}},
        {"Principal": {"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}},
        {"Principal": {"AWS": "*"}},
        {"Principal": "*"},
        {"Action": "sts:TagSession"},
    ],
    ids=str,
)
def test_a_role_that_does_not_trust_bedrock_is_refused_at_once(create, client, cloud, call, statement):
    cloud.statements = [TRUST | statement]
    with pytest.raises(
        client("bedrock").exceptions.ValidationException, match="Could not assume provided IAM role"
    ):
        create("untrusted")
    found = call("bedrock", "ListModelCustomizationJobs", nameContains="untrusted")
    assert found["modelCustomizationJobSummaries"] == []


@pytest.mark.parametrize(
    "statements",
    [
        TRUST,
        [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}, TRUST],
        [
            TRUST
            | {"Principal": {"Service": ["lambda.amazonaws.com", "bedrock.amazonaws.com"]}, "Action": ["sts:*"]}
        ],
    ],
    ids=["one", "the second", "lists"],
)
def test_trust_is_found_however_it_is_written(create, cloud, statements, request):
    cloud.statements = statements
    assert create(f"trusted-{abs(hash(request.node.name)) % 10**8}")


def test_a_role_that_is_not_there_is_refused(create, client, cloud):
    cloud.iam_error = "NoSuchEntity"
    with pytest.raises(client("bedrock").exceptions.ValidationException, match="NoSuchEntity"):
        create("nobody")


def test_where_iam_tells_nothing_sts_decides(create, ended, cloud):
    cloud.iam_error, cloud.sts_error = "AccessDenied", "AccessDenied"
    job = ended(create("sts-decides"))
    assert job["status"] == "Failed"
    assert "Could not assume provided IAM role" in job["failureMessage"]


def test_without_an_emulator_there_is_no_role(create, client, environment, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(client("bedrock").exceptions.ValidationException, match="set AWS_ENDPOINT_URL"):
        create("no-emulator")
