"""As much of S3 as a training job's role meets: objects are listed, read, written, removed, and may be denied."""

import http.server
import re
import urllib.parse
from typing import Any
from xml.sax.saxutils import escape

from tests.contract.cloud import TRUST, Cloud

_DENIED = 403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


class SmallS3(Cloud):
    """Buckets with objects, and a role that may do all but what is denied: ``<METHOD> <bucket>/<key>``."""

    def __init__(self, buckets: set[str]) -> None:
        super().__init__({})
        self.buckets = buckets
        self.statements = [TRUST | {"Principal": {"Service": "sagemaker.amazonaws.com"}}]
        self.denied: set[str] = set()
        self.done: list[tuple[str, str, str]] = []
        """Who did what with which object."""

    def s3(self, method: str, path: str, query: dict[str, str], who: str, body: bytes) -> tuple[int, bytes]:
        bucket, _, key = path.partition("/")
        if bucket not in self.buckets:
            return 404, b"<Error><Code>NoSuchBucket</Code><Message>no bucket</Message></Error>"
        if "list-type" in query:
            return self._list(bucket, query, who)
        if not key:
            return 200, b""
        self.done.append((who, method, path))
        if f"{method} {path}" in self.denied and who == "ASIAROLE":
            return _DENIED
        if method == "PUT":
            self.objects[path] = body
            return 200, b""
        if method == "DELETE":
            self.objects.pop(path, None)
            return 204, b""
        content = self.objects.get(path)
        missing = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
        return (404, missing) if content is None else (200, content)

    def _list(self, bucket: str, query: dict[str, str], who: str) -> tuple[int, bytes]:
        if f"LIST {bucket}" in self.denied and who == "ASIAROLE":
            return _DENIED
        prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
        found = sorted(
            path.partition("/")[2] for path in list(self.objects) if path.startswith(f"{bucket}/{prefix}")
        )
        page = [key for key in found if key > after][:3]
        more = (
            f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if page[-1:] != found[-1:] else ""
        )
        rows = "".join(f"<Contents><Key>{escape(key)}</Key><Size>1</Size></Contents>" for key in page)
        cut = f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>{more}"
        return 200, f"<ListBucketResult>{cut}{rows}</ListBucketResult>".encode()


def serves(cloud: SmallS3) -> type[http.server.BaseHTTPRequestHandler]:
    """Return what serves it on a port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = re.search(r"Credential=(\w+)/", self.headers["Authorization"])
            asked = urllib.parse.urlsplit(self.path)
            path = urllib.parse.unquote(asked.path.lstrip("/"))
            if path:
                query = dict(urllib.parse.parse_qsl(asked.query, keep_blank_values=True))
                status, answer = cloud.s3(self.command, path, query, found[1] if found else "", body)
            else:
                status, answer = cloud.query(dict(urllib.parse.parse_qsl(body.decode())))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _do  # noqa: N815

        def log_message(self, *_: Any) -> None: ...

    return Handler
