"""As much of the stand-ins as starting an instance needs: health, and the end on SIGTERM."""

import argparse
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_storycast/health" else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"emulator": os.environ["AWS_ENDPOINT_URL"]}).encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--state", type=Path)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    HTTPServer(("127.0.0.1", arguments.port), Health).serve_forever()
