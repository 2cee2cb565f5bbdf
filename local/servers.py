"""What an instance runs: the emulator, the stand-ins and perhaps the gateway, with commands and environments."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from local.instance import Server
from local.tools import Tools

REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
#: The emulator's account root. Everybody else's keys come from `sts:AssumeRole` and are held to their role.
ROOT_KEY = "test"
ROOT_SECRET = "test"  # noqa: S105 -- the emulator is on loopback and checks no signature of this key

#: Services that the emulator lacks, by the name that both boto3 and its endpoint variable use.
STOOD_IN = ("bedrock", "bedrock-runtime", "rekognition", "sagemaker", "sagemaker-a2i-runtime")

#: Of the caller's own environment only this goes on, so that an instance works alike for everyone.
_INHERITED = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT")


@dataclass(frozen=True)
class Endpoints:
    """Where an instance's servers listen, on loopback only; without a gateway, its port is 0."""

    emulator_port: int
    standins_port: int
    gateway_port: int = 0

    @property
    def emulator(self) -> str:
        """The emulator's URL. An address, not a name, makes boto3 put buckets into the path."""
        return f"http://127.0.0.1:{self.emulator_port}"

    @property
    def standins(self) -> str:
        """The stand-ins' URL."""
        return f"http://127.0.0.1:{self.standins_port}"

    @property
    def gateway(self) -> str:
        """The gateway's URL; empty where there is none."""
        return f"http://127.0.0.1:{self.gateway_port}" if self.gateway_port else ""

    def of(self, service: str) -> str:
        """Return the URL of a service by its boto3 name."""
        return self.gateway or (self.standins if service in STOOD_IN else self.emulator)

    def variables(self) -> dict[str, str]:
        """Return what the AWS SDKs and tools need to find the servers, and to find nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.gateway or self.emulator,
            **{f"AWS_ENDPOINT_URL_{name.replace('-', '_').upper()}": self.of(name) for name in STOOD_IN},
            "AWS_ACCESS_KEY_ID": ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_SECRET,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            # The user's own profiles and a cloud machine's role must play no part.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }


def free_endpoints(wanted: Endpoints | None = None, *, watched: bool = False) -> Endpoints:
    """Return free ports: those wanted, such as last time's, if they still are free; one more for a gateway.

    The ports are picked before the servers start, since each has to know the other's.
    """
    ports = []
    with socket.socket() as first, socket.socket() as second, socket.socket() as third:
        for probe, port in (
            (first, wanted and wanted.emulator_port),
            (second, wanted and wanted.standins_port),
            *([(third, wanted and wanted.gateway_port)] if watched else []),
        ):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port or 0))
            except OSError:
                probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    return Endpoints(*ports)


def servers(
    state_dir: Path, tools: Tools, endpoints: Endpoints, *, wait_scale: float, standins: str
) -> list[Server]:
    """Describe the programs of an instance.

    Args:
        state_dir: The instance's folder; nothing is written outside it.
        tools: Where the programs are.
        endpoints: Where they shall listen.
        wait_scale: Factor on the waits and retry intervals of Step Functions.
        standins: Module that serves the AI services.

    Returns:
        The stand-ins and the emulator, and the gateway where the endpoints have one.
    """
    scratch = state_dir / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    common = {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        **endpoints.variables(),
        "HOME": str(state_dir),
        "TMPDIR": str(scratch),
        "PYTHONUNBUFFERED": "1",
    }
    own_settings = {name: value for name, value in os.environ.items() if name.startswith("STORYCAST_")}
    emulator = {
        # IAM policies are enforced.
        "AUTH": "true",
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "MINISTACK_REGION": REGION,
        "MINISTACK_HOST": "127.0.0.1",
        # It listens on every interface otherwise, on port 8883 for MQTT, too.
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(endpoints.emulator_port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # It removes the containers of every other instance on the machine otherwise, at start and end.
        "DOCKER_HOST": f"unix://{state_dir}/no-docker.sock",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state_dir / "aws"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state_dir / "s3"),
        "SFN_WAIT_SCALE": str(wait_scale),
        "LOG_LEVEL": "INFO",
    }
    standins_command = [
        *(str(tools.python), "-m", standins),
        *("--port", str(endpoints.standins_port), "--state", str(state_dir)),
    ]
    running = [
        Server("standins", standins_command, {**common, **own_settings, "PYTHONPATH": str(tools.repository)}),
        Server("emulator", [str(tools.ministack)], {**common, **emulator}),
    ]
    if endpoints.gateway_port:
        command = [str(tools.python), "-m", "local.gateway", "--port", str(endpoints.gateway_port)]
        command += ["--emulator-port", str(endpoints.emulator_port)]
        command += ["--standins-port", str(endpoints.standins_port), "--state", str(state_dir)]
        running.append(Server("gateway", command, {**common, "PYTHONPATH": str(tools.repository)}))
    return running
