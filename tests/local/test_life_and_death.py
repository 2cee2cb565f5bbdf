"""Processes of an instance: tied or not, killed or not, none outlives its time and no stranger is hit."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from local.embedded_aws import EmbeddedAws
from local.instance import Instance, InstanceError, Server
from local.servers import Endpoints
from local.tools import Tools
from tests.local.conftest import eventually

#: A server with a child, as the emulator has its Lambda workers.
FAMILY = (
    "import subprocess, sys, time; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    "open(sys.argv[1], 'w').write(str(child.pid)); time.sleep(600)"
)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    with suppress(FileNotFoundError):
        return not state.parent.parent.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def family(folder: Path) -> Server:
    return Server("family", [sys.executable, "-c", FAMILY, str(folder / "child")], {"PATH": os.environ["PATH"]})


def child(folder: Path) -> int:
    def written() -> str | None:
        return (folder / "child").read_text() if (folder / "child").exists() else None

    return int(eventually(written))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    instance = Instance(tmp_path, Tools())
    yield instance
    instance.kill()


def test_down_ends_servers_and_their_children(instance: Instance) -> None:
    instance.start([family(instance.state_dir)], {}, tied=False)
    worker = child(instance.state_dir)
    assert instance.is_up
    assert alive(worker)
    instance.stop()
    assert not instance.is_up
    eventually(lambda: not alive(worker))


def test_down_twice_and_without_up_does_nothing(instance: Instance) -> None:
    instance.stop()
    instance.start([family(instance.state_dir)], {}, tied=False)
    instance.stop()
    instance.stop()
    assert instance.record() == {}


def test_only_one_set_of_processes_works_for_a_folder(instance: Instance, tmp_path: Path) -> None:
    instance.start([family(tmp_path)], {"port": 1}, tied=False)
    with pytest.raises(InstanceError, match="in use"):
        Instance(tmp_path, Tools()).start([family(tmp_path)], {"port": 2}, tied=False)
    assert instance.record()["port"] == 1


def test_another_process_finds_it_and_ends_it(instance: Instance, tmp_path: Path) -> None:
    instance.start([family(tmp_path)], {"port": 1}, tied=False)
    other = Instance(tmp_path, Tools())
    assert other.record()["port"] == 1
    other.stop()
    assert not instance.is_up


def test_what_an_older_release_started_is_found_and_ended(instance: Instance) -> None:
    """Its record knows no gateway."""
    ports = {"emulator_port": 9, "standins_port": 9}
    instance.start([family(instance.state_dir)], ports, tied=False)
    worker = child(instance.state_dir)
    newer = EmbeddedAws(instance.state_dir)
    status = newer.status()
    assert (status.up, status.outputs) == (True, {})
    assert status.endpoints == Endpoints(9, 9, 0)
    newer.down()
    eventually(lambda: not alive(worker))


def test_a_pid_that_went_to_another_program_is_not_touched(instance: Instance) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    ) as stranger:
        (instance.state_dir / "instance.json").write_text(json.dumps({"pid": stranger.pid}))
        (instance.state_dir / "instance.lock").touch()
        assert not instance.is_up
        instance.stop()
        assert stranger.poll() is None
        instance.start([family(instance.state_dir)], {}, tied=False)
        assert instance.record()["pid"] != stranger.pid
        stranger.kill()


def test_a_server_that_ends_takes_the_others_along(instance: Instance) -> None:
    brief = Server("brief", [sys.executable, "-c", "print('no luck')"], {})
    instance.start([family(instance.state_dir), brief], {}, tied=False)
    eventually(lambda: not instance.is_up)
    assert "no luck" in instance.log_tail()
    assert "brief ended by itself with 0" in instance.log_tail()


def test_an_instance_ends_when_its_folder_is_removed(instance: Instance) -> None:
    instance.start([family(instance.state_dir)], {}, tied=False)
    worker = child(instance.state_dir)
    shutil.rmtree(instance.state_dir)
    eventually(lambda: not alive(worker))


def test_servers_without_a_supervisor_are_still_ended(instance: Instance) -> None:
    instance.start([family(instance.state_dir)], {}, tied=False)
    worker = child(instance.state_dir)
    os.kill(instance.record()["pid"], signal.SIGKILL)
    time.sleep(0.1)
    assert instance.is_up  # the server holds the lock, too
    instance.stop()
    eventually(lambda: not alive(worker))


@pytest.mark.parametrize("tied", [True, False])
def test_a_killed_parent_takes_a_tied_instance_along(instance: Instance, tied: bool) -> None:
    code = (
        "import sys, time; from pathlib import Path; from local.instance import Instance; "
        "from local.tools import Tools; from tests.local.test_life_and_death import family; "
        "folder = Path(sys.argv[1]); instance = Instance(folder, Tools()); "
        f"instance.start([family(folder)], {{}}, tied={tied}); print('started', flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(instance.state_dir)], stdout=subprocess.PIPE, cwd=Tools().repository
    ) as parent:
        assert parent.stdout
        parent.stdout.readline()
        worker = child(instance.state_dir)
        parent.send_signal(signal.SIGKILL)
    if tied:
        eventually(lambda: not instance.is_up)
        eventually(lambda: not alive(worker))
    else:
        time.sleep(0.5)
        assert instance.is_up
        assert alive(worker)
