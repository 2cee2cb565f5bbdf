"""As much of an AWS as the stand-ins meet when they work for somebody: STS, IAM, S3 and EventBridge."""

import http.server
import json
import re
import urllib.parse

TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "bedrock.amazonaws.com"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}},
}


class Cloud:
    """As much of STS, IAM and S3 as a job's role meets."""

    def __init__(self, objects):
        self.objects = objects
        self.statements = [TRUST]
        self.denied = set()
        self.written = {}
        self.read_by = set()
        self.iam_error = self.sts_error = None
        self.events = []

    def put_events(self, asked):
        """Answer EventBridge."""
        self.events += asked["Entries"]
        answer = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in asked["Entries"]]}
        return 200, json.dumps(answer).encode()

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


def handler_of(cloud):
    """Return what serves a cloud on a port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            who = re.search(r"Credential=(\w+)/", self.headers["Authorization"])[1]
            key = urllib.parse.unquote(self.path.lstrip("/").partition("?")[0])
            if self.headers.get("X-Amz-Target") == "AWSEvents.PutEvents":
                answer = cloud.put_events(json.loads(body))
            elif key:
                answer = cloud.object(self.command, key, who, body)
            else:
                answer = cloud.query(dict(urllib.parse.parse_qsl(body.decode())))
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

    return Handler
