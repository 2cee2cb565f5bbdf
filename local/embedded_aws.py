"""The embedded AWS as one object: start it, use it, stop it."""

import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.connection import Connection
from local.deployment import Deployment
from local.instance import Instance, InstanceError
from local.servers import Endpoints, free_endpoints, servers
from local.tools import REPOSITORY, Tools

_START_SECONDS = 60.0


@dataclass(frozen=True)
class Status:
    """What is known of an instance.

    Attributes:
        up: Whether its processes live.
        pid: The supervisor's process, 0 when down.
        endpoints: Where it listens, None when down.
        tied: Whether it ends with the process that started it.
        outputs: The stack's outputs; empty when down or not deployed.
    """

    up: bool
    pid: int = 0
    endpoints: Endpoints | None = None
    tied: bool = False
    outputs: Mapping[str, str] = field(default_factory=dict)


class EmbeddedAws:
    """An AWS of one's own: the emulator, the stand-ins for the AI services, and the deployed stack.

    As a context manager it is up inside the block, and tied to this process; an instance that was up
    before is used as it is and left up. `up()` alone starts one that stays until `down()`.
    What was stored survives `down()`: the next `up()` of the same folder finds it again.

    Args:
        state_dir: Its folder: data, logs, packages. Two folders make two instances, side by side.
        repository: The checkout whose tools, and by default whose template, are used.
        template: The template to deploy; `template.yaml` of the checkout by default.
        stack_name: Name of the stack.
        parameters: Values for the template's parameters.
        wait_scale: Factor on the waits and retry intervals of Step Functions; taken at the start.
        standins: Module that serves the AI services.
        tied: Whether `up()`, too, ties the instance to this process, however that ends.
        watched: Whether all calls go through a gateway, which writes them down in the folder's `gateway.jsonl` and
            can be asked to do some wrong (`local.gateway`); taken at the start.
    """

    def __init__(
        self,
        state_dir: Path,
        repository: Path = REPOSITORY,
        *,
        template: Path | None = None,
        stack_name: str = "storycast",
        parameters: Mapping[str, str] | None = None,
        wait_scale: float = 0.01,
        standins: str = "local.standins",
        tied: bool = False,
        watched: bool = False,
    ) -> None:
        self.state_dir = state_dir.resolve()
        self._tools = Tools(repository)
        self._template = template or repository / "template.yaml"
        self._stack_name = stack_name
        self._parameters = parameters or {}
        self._wait_scale = wait_scale
        self._standins = standins
        self._tied = tied
        self._watched = watched
        self._started_here = False
        self._instance = Instance(self.state_dir, self._tools)
        self._connection: Connection | None = None

    def up(self) -> Self:
        """Start what is not up and deploy what is not deployed; return when all of it answers.

        Raises:
            SetupMissingError: `make setup` has not been run.
            InstanceError: A server did not start; the message holds the ends of the logs.
            DeploymentError: The template could not be deployed.
        """
        self._tools.require()
        with self._instance.exclusive():
            starting = not self._instance.is_up
            if starting:
                self._start()
            try:
                self._wait_until_ready()
                deployment = self._deployment()
                if not deployment.is_current:
                    deployment.deploy()
                    if starting:
                        self._restart()
            except BaseException:
                if starting:
                    # What is saved now stays as it was: half a deployment would stand in the way of the next.
                    self._instance.kill()
                raise
            self._started_here = self._started_here or starting
        return self

    @property
    def started_here(self) -> bool:
        """Whether this object brought it up, so that it goes down with this object's block."""
        return self._started_here

    def down(self) -> None:
        """Stop the instance, whoever started it, and keep its data; do nothing when it is not up."""
        self._instance.stop()
        self._started_here = False

    def status(self) -> Status:
        """Return what is known of the instance."""
        record = self._instance.record()
        if not record:
            return Status(up=False)
        endpoints = _endpoints(record)
        outputs = self._deployment().outputs() if _answers(f"{endpoints.emulator}/_ministack/health") else {}
        return Status(True, record["pid"], endpoints, record["tied"], outputs)

    def __enter__(self) -> Self:
        self._tied = True
        return self.up()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._started_here:
            self.down()

    @property
    def endpoints(self) -> Endpoints:
        """Where the servers listen.

        Raises:
            InstanceError: The instance is not up.
        """
        record = self._instance.record()
        if not record:
            raise InstanceError(
                f"The embedded AWS of {self.state_dir} is not up: call up(), or `storycast local up`."
            )
        return _endpoints(record)

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        return self._deployment().outputs()

    def client(self, service: str) -> Any:
        """Return a boto3 client of the account's root; made once per service, good in any thread.

        Args:
            service: boto3's name of the service, such as `s3` or `stepfunctions`.
        """
        return self._connect().client(service)

    def environment(self) -> dict[str, str]:
        """Return the variables by which a child process, or any AWS SDK or tool, finds the instance."""
        return self.endpoints.variables()

    def _start(self) -> None:
        last = self.state_dir / "ports"
        wanted = Endpoints(*map(int, last.read_text().split())) if last.exists() else None
        endpoints = free_endpoints(wanted, watched=self._watched)
        ports = asdict(endpoints)
        last.write_text(" ".join(map(str, ports.values())))
        self._instance.start(
            servers(self.state_dir, self._tools, endpoints, wait_scale=self._wait_scale, standins=self._standins),
            ports,
            tied=self._tied,
        )

    def _restart(self) -> None:
        """Have the emulator save what was deployed: it does so only when it ends; a crash may come first."""
        self._instance.stop()
        self._start()
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        endpoints = self.endpoints
        urls = [f"{endpoints.emulator}/_ministack/ready", f"{endpoints.standins}/_storycast/health"]
        for url in [*urls, *([f"{endpoints.gateway}/_gateway/health"] if endpoints.gateway else [])]:
            while not _answers(url):
                if not self._instance.is_up:
                    raise InstanceError(f"The embedded AWS ended while starting.\n{self._instance.log_tail()}")
                if time.monotonic() > deadline:
                    raise InstanceError(
                        f"{url} did not answer in {_START_SECONDS:g} s.\n{self._instance.log_tail()}"
                    )
                time.sleep(0.05)

    def _connect(self) -> Connection:
        endpoints = self.endpoints
        if self._connection is None or self._connection.endpoints != endpoints:
            self._connection = Connection(endpoints)
        return self._connection

    def _deployment(self) -> Deployment:
        return Deployment(
            self._template,
            self._stack_name,
            self._parameters,
            folder=self.state_dir / "deployment",
            tools=self._tools,
            connection=self._connect(),
        )


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _endpoints(record: Mapping[str, Any]) -> Endpoints:
    return Endpoints(record["emulator_port"], record["standins_port"], record.get("gateway_port", 0))


def _answers(url: str) -> bool:
    try:
        with _opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False
