"""The stand-ins as a process of their own, and their own routes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import boto3

from local.standins.__main__ import main


def test_a_process_from_start_to_sigterm(tmp_path):
    command = [sys.executable, "-m", "local.standins", "--port", "0", "--state", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        ready = tmp_path / "standins.json"
        deadline = time.monotonic() + 20
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        place = json.loads(ready.read_text("utf-8"))
        assert place["pid"] == process.pid
        url = f"http://127.0.0.1:{place['port']}"
        with urllib.request.urlopen(f"{url}/_storycast/health", timeout=5) as answer:
            services = ["bedrock", "bedrock-runtime", "rekognition", "sagemaker", "sagemaker-a2i-runtime"]
            assert json.load(answer) == {"ready": True, "services": services}
        keys = {"aws_access_key_id": "AKIAPROCESS", "aws_secret_access_key": "x", "region_name": "eu-west-1"}
        boto3.client("bedrock", endpoint_url=url, **keys).list_foundation_models()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=10)
        assert process.returncode == 0
        assert said == ""
    assert not ready.exists()
    (line,) = (tmp_path / "calls.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["access_key_id"] == "AKIAPROCESS"


def test_a_taken_port_is_named(tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port), "--state", str(tmp_path)]) == 2
    assert f"127.0.0.1:{port}" in capsys.readouterr().err


def test_only_the_loopback_is_bound(standins):
    assert standins._socket.getsockname()[0] == "127.0.0.1"


def test_reading_the_log_over_http(own, client):
    before = own("GET", "calls")[1]["next"]
    client("bedrock").list_foundation_models()
    status, answer = own("GET", f"calls?since={before}")
    assert status == 200
    assert [line["operation"] for line in answer["calls"]] == ["ListFoundationModels"]
    assert answer["next"] == before + 1
    assert own("GET", "calls?since=x")[0] == 400
    assert own("GET", "nothing")[0] == 404
