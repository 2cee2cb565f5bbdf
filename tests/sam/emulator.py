"""An AWS that containers can reach: the emulator, listening on the engine's own bridge."""

import contextlib
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from local.tools import Tools
from tests.sam.base import IMAGE
from tests.sam.commands import TIED
from tests.sam.engine import Engine

REGION = "us-east-1"
_START_S = 60


@dataclass(frozen=True)
class Emulator:
    """The emulator that was started.

    Attributes:
        url: Where containers find it.
        local_url: Where this process finds it.
    """

    url: str
    local_url: str

    @property
    def variables(self) -> dict[str, str]:
        """What `sam local` needs in its environment: it asks who it is, and hands its credentials on."""
        return {
            "AWS_ENDPOINT_URL": self.local_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def topic_arn(self) -> str:
        """A topic that is there."""
        arn: str = self.client("sns").create_topic(Name="storycast")["TopicArn"]  # the same one again
        return arn

    def client(self, service: Any) -> Any:
        """Return a boto3 client of it."""
        return boto3.client(
            service,
            endpoint_url=self.local_url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@contextlib.contextmanager
def an_emulator(engine: Engine, folder: Path) -> Iterator[Emulator]:
    """Run the emulator for the block."""
    host = _host_as_containers_see_it(engine)
    bind, port = _free_port(host)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DOCKER_"))},
        "BIND_HOST": bind,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": host,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # It would take the engine's other containers for its own.
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }
    with (folder / "emulator.log").open("wb") as log:
        process = subprocess.Popen(
            [*TIED, Tools().ministack],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        emulator = Emulator(f"http://{host}:{port}", f"http://{bind}:{port}")
        _wait(emulator, process, folder / "emulator.log")
        yield emulator
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _host_as_containers_see_it(engine: Engine) -> str:
    """Return an address, not a name: that makes boto3 put buckets into the path."""
    words = ["run", "--rm", "--add-host", "storage:host-gateway", "--entrypoint", "cat", IMAGE, "/etc/hosts"]
    lines = [line.split() for line in engine.docker(*words).splitlines()]
    return next(line[0] for line in lines if "storage" in line)


def _free_port(host: str) -> tuple[str, int]:
    """Return where to listen: on the bridge, or, where containers live in a machine of their own, on loopback."""
    for address in (host, "127.0.0.1"):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((address, 0))
            return address, probe.getsockname()[1]
    raise OSError("no free port")


def _wait(emulator: Emulator, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"{emulator.local_url}/_ministack/ready", timeout=5).close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"The emulator did not start:\n{log.read_text(errors='replace')[-3000:]}")
