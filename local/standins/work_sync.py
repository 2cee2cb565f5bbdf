"""Keeps a job's folder of checkpoints in S3, as SageMaker does: there at the start, and back all the time."""

from __future__ import annotations

from pathlib import Path

from local.standins.container_root import safe_path
from local.standins.training_request import JobRole

type _Stamp = tuple[int, int]


class WorkSync:
    """A folder and a prefix; what is removed here is removed there, as the service documents it."""

    def __init__(self, role: JobRole, uri: str, folder: Path) -> None:
        """Prepare; ``uri`` ends with a slash."""
        self._role, self._uri, self._folder = role, uri, folder
        self._known: dict[str, _Stamp] = {}

    def fetch(self) -> int:
        """Bring what is there and return how many files; what is added there later does not come.

        Raises:
            RoleRefusedError: The role may not.
        """
        bucket, _, prefix = self._uri.removeprefix("s3://").partition("/")
        self._folder.mkdir(parents=True, exist_ok=True)
        for key in self._role.keys(self._uri):
            path = key[len(prefix) :]
            if not path or path.endswith("/"):
                continue
            file = self._folder / safe_path(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self._role.read(f"s3://{bucket}/{key}"))
            self._known[path] = _stamp(file)
        return len(self._known)

    def push(self) -> None:
        """Take what is new or has changed there, and what is gone away.

        Raises:
            RoleRefusedError: The role may not.
        """
        found = set()
        for file in sorted(self._folder.rglob("*")):
            path = file.relative_to(self._folder).as_posix()
            try:
                if not file.is_file():
                    continue
                found.add(path)
                stamp = _stamp(file)
                if self._known.get(path) == stamp:
                    continue
                content = file.read_bytes()
            except FileNotFoundError:  # renamed or removed by the job just now
                found.discard(path)
                continue
            self._role.write(f"{self._uri}{path}", content)
            self._known[path] = stamp
        for path in set(self._known) - found:
            self._role.remove(f"{self._uri}{path}")
            del self._known[path]


def _stamp(file: Path) -> _Stamp:
    told = file.stat()
    return told.st_mtime_ns, told.st_size
