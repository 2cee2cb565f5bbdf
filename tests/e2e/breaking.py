"""Functions that are broken for a while, and workers that are killed."""

import json
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.stack import Stack

_DENIAL = "BrokenByATest"
_NOTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})


def physical_name(stack: Stack, function: str) -> str:
    """Return the deployed name of a function: ``PrepareRun`` is the resource ``PrepareRunFunction``."""
    told = stack.aws.client("cloudformation").describe_stack_resource(
        StackName="storycast", LogicalResourceId=f"{function}Function"
    )
    return str(told["StackResourceDetail"]["PhysicalResourceId"])


@contextmanager
def denied(stack: Stack, function: str) -> Iterator[None]:
    """Deny a function everything within the block, as a permission that somebody took away."""
    iam = stack.aws.client("iam")
    told = stack.aws.client("lambda").get_function_configuration(FunctionName=physical_name(stack, function))
    role = told["Role"].rpartition("/")[2]
    iam.put_role_policy(RoleName=role, PolicyName=_DENIAL, PolicyDocument=_NOTHING)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName=_DENIAL)


def workers(stack: Stack, function: str) -> list[int]:
    """Return the processes of a function's workers on this very instance."""
    wanted = f"AWS_LAMBDA_FUNCTION_NAME={physical_name(stack, function)}".encode()
    group = stack.aws.status().pid
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if os.getpgid(int(folder.name)) == group and wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:  # It has ended meanwhile, or is somebody else's.
            continue
    return found


def kill_workers_at_work(stack: Stack, function: str) -> int:
    """Kill up to two of a function's workers that have called AWS, and return how many that were.

    One that has just begun is let begin: where the emulator sees a worker die before it asked for its first event,
    it tells an error that AWS has not.
    """
    connected = _sockets_to(stack.aws.endpoints.gateway_port)
    found = [pid for pid in workers(stack, function) if _sockets_of(pid) & connected][:2]
    return sum(_kill(pid) for pid in found)


def _kill(pid: int) -> bool:
    """Kill a process; return whether it still was there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def ended_in_the_middle(stack: Stack) -> Counter[str]:
    """Return how many workers of each function the emulator saw end at work, by the deployed names."""
    log = (stack.aws.state_dir / "logs" / "emulator.log").read_text(errors="replace")
    return Counter(re.findall(r"Lambda (\S+): (?:Runtime exited before|Task timed out)", log))


def _sockets_to(port: int) -> set[str]:
    """Return the inodes of this machine's sockets that are connected to a port on loopback."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if int(row[2].rpartition(":")[2], 16) == port and row[3] == "01"}


def _sockets_of(pid: int) -> set[str]:
    try:
        opened = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return set()
    return {name[len("socket:[") : -1] for name in opened if name.startswith("socket:[")}
