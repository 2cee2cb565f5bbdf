"""The gateway: hands on byte for byte, knows what is asked and by whom, and does wrong what it is told."""

import hashlib
import http.client
import http.server
import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from local.embedded_aws import EmbeddedAws
from local.gateway.callers import Caller, functions_by_key
from local.gateway.messages import Head
from local.gateway.operations import Asked, asked_by, signed_by
from local.gateway.server import Gateway
from tests.local.conftest import eventually, invoke, small_aws
from tests.local.gateways import ROOT_KEY, running_gateway

KEY = "AKIAAAAAAAAAAAAAAAAA"
AUTHORIZATION = f"AWS4-HMAC-SHA256 Credential={KEY}/20261126/us-east-1/s3/aws4_request, Signature=x"
ODD_KEYS = ["a b/c+d%41.txt", "Über den Fluß/🚢.mp4", "x//y/./..z", "k" * 1000, "q?x=1&y#z"]


class Upstream(http.server.BaseHTTPRequestHandler):
    """Remembers what came, and answers what the test wants, when it wants."""

    protocol_version = "HTTP/1.1"
    came: list[tuple[str, str, dict[str, str], bytes]] = []  # noqa: RUF012 -- one for all connections
    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"")
    may_answer = threading.Event()

    def _serve(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline() != b"\r\n":
                pass
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.came.append((self.command, self.path, dict(self.headers), body))
        self.may_answer.wait(30)
        status, headers, content = self.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("x-amzn-requestid", "1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = _serve  # noqa: N815 -- http.server's names

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def upstream() -> Iterator[type[Upstream]]:
    Upstream.came, Upstream.answer = [], (200, {}, b"")
    Upstream.may_answer.set()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    Upstream.port = server.server_address[1]  # type: ignore[attr-defined]
    yield Upstream
    Upstream.may_answer.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def gateway(upstream: type[Upstream], tmp_path: Path) -> Iterator[Gateway]:
    port: int = upstream.port  # type: ignore[attr-defined]
    with running_gateway(tmp_path, emulator=port, standins=port) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Callable[..., Any]]:
    """Real clients that neither retry nor know of anybody's settings."""
    made = []

    def make(service: Any, key: str = KEY, **more: Any) -> Any:
        config = Config(proxies={}, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **more)
        session = boto3.Session(key, "secret", region_name="us-east-1")
        made.append(session.client(service, endpoint_url=gateway.url, config=config))
        return made[-1]

    yield make
    for one in made:
        one.close()


def lines(folder: Path, count: int = 1) -> list[dict[str, Any]]:
    """Return what was written down, once it is so many lines: a caller may have its answer a moment before."""

    def written() -> list[dict[str, Any]]:
        return [json.loads(line) for line in (folder / "gateway.jsonl").read_text().splitlines()]

    return eventually(lambda: found if len(found := written()) >= count else None)


def put_rules(gateway: Gateway, *rules: dict[str, Any]) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    connection.request("POST", "/_gateway/faults", json.dumps(rules))
    answer = connection.getresponse()
    told = answer.status, json.loads(answer.read())
    connection.close()
    return told


@pytest.mark.parametrize("key", ODD_KEYS)
def test_any_key_and_body_arrive_as_they_were_sent(
    client: Callable[..., Any], upstream: type[Upstream], tmp_path: Path, key: str
) -> None:
    body = bytes(range(256)) * 3000
    client("s3").put_object(Bucket="media", Key=key, Body=body)
    ((method, path, headers, came),) = upstream.came
    assert method == "PUT"
    assert headers["Host"].startswith("127.0.0.1:"), "as it was signed"
    assert headers["Host"] != f"127.0.0.1:{upstream.port}"  # type: ignore[attr-defined]
    assert body in came, "in a chunk, it may be"
    assert "?" not in path
    (line,) = lines(tmp_path)
    assert line["operation"] == "PutObject"
    assert line["resources"] == [f"media/{key}"]
    assert line["status"] == 200
    assert line["request_bytes"] > len(body)
    assert urllib.parse.unquote(path) == f"/media/{key}"


def test_answers_come_back_as_they_were_given(
    client: Callable[..., Any], upstream: type[Upstream], tmp_path: Path
) -> None:
    content = b"\x00\xff" * 400_000
    upstream.answer = (200, {"ETag": '"e"', "Content-Type": "image/jpeg"}, content)
    assert client("s3").get_object(Bucket="media", Key="a")["Body"].read() == content
    assert client("s3").head_object(Bucket="media", Key="a")["ContentLength"] == len(content)
    get, head = lines(tmp_path, 2)
    assert (get["operation"], head["operation"]) == ("GetObject", "HeadObject")
    assert get["response_bytes"] > len(content) > head["response_bytes"]


def test_one_connection_serves_many_requests_one_after_the_other(
    gateway: Gateway, upstream: type[Upstream]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    for number in range(20):
        connection.request("GET", f"/bucket/{number}")
        assert connection.getresponse().read() == b""
    connection.close()
    assert [path for _, path, _, _ in upstream.came] == [f"/bucket/{number}" for number in range(20)]


def test_errors_are_named(client: Callable[..., Any], upstream: type[Upstream], tmp_path: Path) -> None:
    upstream.answer = (404, {}, b"<Error><Code>NoSuchKey</Code></Error>")
    with pytest.raises(ClientError):
        client("s3").get_object(Bucket="media", Key="a")
    upstream.answer = (400, {}, b'{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}')
    with pytest.raises(ClientError):
        client("dynamodb").put_item(TableName="rows", Item={"pk": {"S": "1"}})
    assert [line["error"] for line in lines(tmp_path, 2)] == ["NoSuchKey", "ConditionalCheckFailedException"]


ASKED: list[tuple[str, str, dict[str, Any], tuple[str, ...]]] = [
    ("s3", "list_objects_v2", {"Bucket": "media", "Prefix": "runs/"}, ("media",)),
    ("s3", "copy_object", {"Bucket": "m", "Key": "to", "CopySource": "m/from x"}, ("m/to", "m/from x")),
    ("s3", "delete_objects", {"Bucket": "m", "Delete": {"Objects": [{"Key": "k"}]}}, ("m",)),
    (
        "s3",
        "upload_part",
        {"Bucket": "m", "Key": "k", "PartNumber": 1, "UploadId": "u", "Body": b"x"},
        ("m/k",),
    ),
    ("s3", "create_multipart_upload", {"Bucket": "m", "Key": "k"}, ("m/k",)),
    (
        "dynamodb",
        "query",
        {"TableName": "rows", "IndexName": "by-x", "KeyConditionExpression": "a = :a"},
        ("rows/index/by-x", "rows"),
    ),
    ("sns", "publish", {"TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": "m"}, ("arn:aws:sns:us-east-1:1:t",)),
    ("iam", "get_role", {"RoleName": "r"}, ("r",)),
    ("sts", "get_caller_identity", {}, ()),
    ("stepfunctions", "send_task_success", {"taskToken": "x", "output": "{}"}, ()),
    ("ecr", "describe_images", {"repositoryName": "repo"}, ("repo",)),
    ("service-quotas", "get_service_quota", {"ServiceCode": "sagemaker", "QuotaCode": "L-1"}, ("L-1",)),
    ("bedrock", "get_foundation_model", {"modelIdentifier": "amazon.nova-pro-v1:0"}, ("amazon.nova-pro-v1:0",)),
    ("bedrock-runtime", "invoke_model", {"modelId": "a.b-v1:0", "body": b"{}"}, ("a.b-v1:0",)),
    (
        "rekognition",
        "detect_labels",
        {"Image": {"S3Object": {"Bucket": "media", "Name": "a b.jpg"}}},
        ("media/a b.jpg",),
    ),
    (
        "rekognition",
        "search_faces_by_image",
        {"CollectionId": "c", "Image": {"Bytes": b"x"}},
        ("c",),
    ),
    ("sagemaker", "describe_training_job", {"TrainingJobName": "j"}, ("j",)),
    ("sagemaker-a2i-runtime", "describe_human_loop", {"HumanLoopName": "l"}, ("l",)),
    ("lambda", "list_functions", {}, ()),
]


@pytest.mark.parametrize(("service", "method", "params", "resources"), ASKED, ids=lambda value: str(value)[:24])
def test_operations_and_what_they_are_about_are_told(
    client: Callable[..., Any],
    upstream: type[Upstream],
    tmp_path: Path,
    service: str,
    method: str,
    params: dict[str, Any],
    resources: tuple[str, ...],
) -> None:
    made = client(service)
    upstream.answer = (400, {}, b"{}")  # whatever the service's answer looks like: an error
    with pytest.raises((ClientError, BotoCoreError, ResponseParserError)):
        getattr(made, method)(**params)
    (line,) = lines(tmp_path)
    assert (line["service"], line["operation"]) == (service, made.meta.method_to_api_mapping[method])
    assert tuple(line["resources"]) == resources


def test_a_url_that_was_signed_beforehand_has_a_signer(client: Callable[..., Any]) -> None:
    for version in ("s3v4", "s3"):
        s3 = client("s3", signature_version=version)
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "m", "Key": "k"})
        head = Head(b"", ("GET", "/" + url.split("/", 3)[3], "HTTP/1.1"), {})
        assert (signed_by(head).access_key_id, signed_by(head).signing_name) == (KEY, "s3")
    assert signed_by(Head(b"", ("GET", "/", "HTTP/1.1"), {})).access_key_id == ""
    assert asked_by(Head(b"", ("GET", "/", "HTTP/1.1"), {}), b"", "") == Asked()


def test_a_functions_key_is_the_emulators() -> None:
    function = {"FunctionArn": "arn:f", "Role": "arn:aws:iam::1:role/the-role", "FunctionName": "f"}
    (key,) = functions_by_key([function])
    assert key == "ASIA" + hashlib.sha256(b"arn:f:arn:aws:iam::1:role/the-role").hexdigest()[:16].upper()
    assert functions_by_key([function])[key] == Caller("the-role", "f")


# ---- faults ---------------------------------------------------------------------------------------


PUT = {"service": "s3", "operation": "PutObject"}
GET = {"service": "s3", "operation": "GetObject"}


def test_a_services_own_errors(client: Callable[..., Any], gateway: Gateway, upstream: type[Upstream]) -> None:
    rules = [
        ({"service": "s3", "operation": "GetObject", "error": "SlowDown"}, 503),
        ({"service": "dynamodb", "operation": "GetItem", "error": "ProvisionedThroughputExceededException"}, 400),
        ({"service": "sns", "operation": "Publish", "error": "InternalError"}, 500),
        ({"service": "bedrock", "operation": "GetFoundationModel", "error": "ThrottlingException"}, 429),
    ]
    assert put_rules(gateway, *[rule for rule, _ in rules]) == (200, {"rules": 4})
    asks: list[Callable[[], Any]] = [
        lambda: client("s3").get_object(Bucket="m", Key="k"),
        lambda: client("dynamodb").get_item(TableName="t", Key={"pk": {"S": "1"}}),
        lambda: client("sns").publish(TopicArn="arn:aws:sns:us-east-1:1:t", Message="m"),
        lambda: client("bedrock").get_foundation_model(modelIdentifier="m"),
    ]
    for ask, (rule, status) in zip(asks, rules, strict=True):
        with pytest.raises(ClientError) as caught:
            ask()
        assert caught.value.response["Error"]["Code"] == rule["error"]
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert caught.value.response["ResponseMetadata"]["RequestId"], "as every service tells it"
    assert upstream.came == []


def test_what_is_done_and_what_is_not(
    client: Callable[..., Any], gateway: Gateway, upstream: type[Upstream], tmp_path: Path
) -> None:
    put_rules(gateway, {**PUT, "error": "connection_cut", "count": 1}, {**PUT, "error": "answer_lost", "count": 1})
    for done in (0, 1):
        with pytest.raises(ConnectionClosedError):
            client("s3").put_object(Bucket="m", Key="k", Body=b"x")
        assert len(upstream.came) == done
    client("s3").put_object(Bucket="m", Key="k", Body=b"x")
    told = [(line["fault"], line["status"]) for line in lines(tmp_path, 3)]
    assert told == [("connection_cut", 0), ("answer_lost", 0), (None, 200)]


def test_half_an_answer_and_a_page_in_its_place(
    client: Callable[..., Any], gateway: Gateway, upstream: type[Upstream]
) -> None:
    upstream.answer = (200, {"ETag": '"e"'}, b"0123456789" * 1000)
    put_rules(gateway, {**GET, "error": "truncated", "count": 1}, {**GET, "error": "garbage", "count": 1})
    with pytest.raises(BotoCoreError):
        client("s3").get_object(Bucket="m", Key="k")["Body"].read()
    assert client("s3").get_object(Bucket="m", Key="k")["Body"].read().startswith(b"<html>")
    assert client("s3").get_object(Bucket="m", Key="k")["Body"].read() == upstream.answer[2]


def test_a_page_in_place_of_an_answer_to_head_leaves_the_connection_whole(gateway: Gateway) -> None:
    put_rules(gateway, {"service": "s3", "operation": "HeadObject", "error": "garbage"})
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    connection.connect()
    with closing(connection.sock):
        asked = f"/m/k HTTP/1.1\r\nHost: x\r\nAuthorization: {AUTHORIZATION}\r\n"
        connection.sock.sendall(f"HEAD {asked}\r\nGET {asked}Connection: close\r\n\r\n".encode())
        told = b""
        while piece := connection.sock.recv(65536):
            told += piece
    assert b"<html>" not in told
    assert told.count(b"HTTP/1.1 200") == 2


def test_a_call_that_is_held_when_the_gateway_ends_is_written_down(
    upstream: type[Upstream], tmp_path: Path
) -> None:
    port: int = upstream.port  # type: ignore[attr-defined]
    upstream.may_answer.clear()
    with running_gateway(tmp_path, emulator=port, standins=port) as gateway:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
        connection.request("GET", "/m/k", headers={"Authorization": AUTHORIZATION})
        eventually(lambda: upstream.came)
    connection.close()
    (line,) = lines(tmp_path)
    assert (line["operation"], line["status"]) == ("GetObject", 0)


def test_slow_and_longer_than_anybody_waits(client: Callable[..., Any], gateway: Gateway) -> None:
    put_rules(gateway, {**PUT, "delay_ms": 300, "count": 1}, {**PUT, "error": "connection_cut", "delay_ms": 1500})
    begun = time.monotonic()
    client("s3").put_object(Bucket="m", Key="k", Body=b"x")
    assert time.monotonic() - begun >= 0.3
    with pytest.raises(ReadTimeoutError):
        client("s3", read_timeout=0.5).put_object(Bucket="m", Key="k", Body=b"x")


def test_a_share_of_the_calls_is_the_same_share_each_time(client: Callable[..., Any], gateway: Gateway) -> None:
    def outcomes() -> list[bool]:
        gateway.faults.clear()
        put_rules(gateway, {**GET, "error": "SlowDown", "rate": 0.4})
        found = []
        for _ in range(40):
            try:
                client_of_gets.get_object(Bucket="m", Key="k")
                found.append(True)
            except ClientError:
                found.append(False)
        return found

    client_of_gets = client("s3")
    first = outcomes()
    assert 8 <= first.count(False) <= 24
    assert outcomes() == first


def test_the_root_is_spared(client: Callable[..., Any], gateway: Gateway, upstream: type[Upstream]) -> None:
    put_rules(gateway, {**PUT, "error": "SlowDown"})
    client("s3", key=ROOT_KEY).put_object(Bucket="m", Key="k", Body=b"x")
    assert len(upstream.came) == 1


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"service": "s4", "operation": "GetObject"}, "no such service: s4"),
        ({"service": "s3", "operation": "GetSubject"}, "s3 has no operation GetSubject"),
        ({**GET, "rate": 0}, "greater than 0"),
        ({**GET, "often": 1}, "often"),
    ],
)
def test_rules_that_cannot_be(gateway: Gateway, rule: dict[str, Any], says: str) -> None:
    status, told = put_rules(gateway, rule)
    assert status == 400
    assert says in told["message"]


# ---- on an instance -------------------------------------------------------------------------------


def test_an_instance_is_watched_from_its_functions_to_its_root(state_dir: Path) -> None:
    with small_aws(state_dir, watched=True) as aws:
        assert invoke(aws, "GreetItemFunctionArn", name="ann")["text"] == "Hello ann"
        assert "AccessDenied" in invoke(aws, "GreetItemFunctionArn", name="x", key="no")["errorMessage"]
        bucket, table = aws.outputs["BucketName"], aws.outputs["TableName"]
        called = eventually(lambda: found if len(found := of_functions(state_dir)) >= 3 else None)
        assert [(one["service"], one["operation"], one["resources"], one["error"]) for one in called] == [
            ("s3", "PutObject", [f"{bucket}/results/ann.txt"], None),
            ("dynamodb", "PutItem", [table], None),
            ("s3", "PutObject", [f"{bucket}/no"], "AccessDenied"),
        ]
        assert {one["function"].split("-")[1] for one in called} == {"GreetItemFunction"}
        assert {one["role"].split("-")[1] for one in called} == {"GreetItemFunctionRole"}
        _assert_assumed_roles_are_known(aws, state_dir, called[0]["role"])
        ports = aws.endpoints
        assert aws.environment()["AWS_ENDPOINT_URL"] == ports.gateway != ports.emulator
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", ports.gateway_port, timeout=5).connect()


def of_functions(state_dir: Path) -> list[dict[str, Any]]:
    return [line for line in lines(state_dir) if line["function"]]


def _assert_assumed_roles_are_known(aws: EmbeddedAws, state_dir: Path, role: str) -> None:
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName="somebody", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    keys = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="somebody")["Credentials"]
    session = boto3.Session(
        keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name="us-east-1"
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        session.client("s3", endpoint_url=aws.endpoints.gateway).list_buckets()
    (line,) = eventually(lambda: [line for line in lines(state_dir) if line["operation"] == "ListBuckets"])
    assert (line["role"], line["function"]) == ("somebody", None)
    assert role != "somebody"
