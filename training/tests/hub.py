"""A model hub on this machine: as much of its interface as a download of a snapshot asks for."""

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

REFUSALS = {403: "GatedRepo", 404: "RepoNotFound"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Serves one model out of a folder, and notes which files were asked for."""

    def __init__(self, folder: Path, model: str, status: int = 200) -> None:
        self.asked: set[str] = set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(with_content=True)

            def do_HEAD(self) -> None:
                self._answer(with_content=False)

            def log_message(self, *_: object) -> None:
                pass

            def _answer(self, *, with_content: bool) -> None:
                path = self.path.split("?")[0]
                start = f"/{model}/resolve/{COMMIT}/"
                if status != 200:
                    self._send(status, b"{}", {"X-Error-Code": REFUSALS[status]}, with_content)
                elif path == f"/api/models/{model}/revision/main":
                    self._send(
                        200, json.dumps({"id": model, "sha": COMMIT, "siblings": []}).encode(), {}, with_content
                    )
                elif path == f"/api/models/{model}/tree/{COMMIT}":
                    self._send(200, json.dumps(self._tree()).encode(), {}, with_content)
                elif path.startswith(start) and (folder / path.removeprefix(start)).is_file():
                    content = (folder / path.removeprefix(start)).read_bytes()
                    if with_content:
                        hub.asked.add(path.removeprefix(start))
                    head = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
                    self._send(200, content, head, with_content)
                else:
                    self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, with_content)

            def _tree(self) -> list[dict[str, object]]:
                files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
                return [
                    {
                        "type": "file",
                        "path": file.relative_to(folder).as_posix(),
                        "size": file.stat().st_size,
                        "oid": hashlib.sha1(file.read_bytes()).hexdigest(),
                    }
                    for file in files
                ]

            def _send(self, code: int, content: bytes, head: dict[str, str], with_content: bool) -> None:
                self.send_response(code)
                for name, value in {"Content-Type": "application/json", **head}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if with_content:
                    self.wfile.write(content)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
