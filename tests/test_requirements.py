"""All that is installed anywhere is pinned to one content: versions, hashes, and no index of somebody's own."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLACES = ("requirements", "layers/*", "functions/*", "training")
LOCKS = sorted(
    path
    for place in PLACES
    for path in ROOT.glob(f"{place}/*.txt")
    if place == "requirements" or path.name.startswith("requirements")
)
PIN = re.compile(r"^[a-z0-9][a-z0-9._-]*(\[[a-z0-9,._-]+\])?==[A-Za-z0-9.+!_-]+( ; [^\\]+)?$")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")

INSTALL = re.compile(r"\bpip3? (?:install|sync|download)\b|\$\(TRAINING_PIP\) ")
WITHOUT_HASHES = {
    "--no-deps --no-build-isolation --editable .": "our own code, and nothing else",
    "sed -n 's/^\\(torch==": "torch's build for the CPU is none of the files that the lock has hashes of; its "
    "version is the lock's",
}
"""What may be installed without hashes, by words in the line, and why."""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def requirements(lock: Path) -> list[list[str]]:
    """Return each requirement of a lock as its line and its options, comments left out."""
    text = re.sub(r"^\s*#.*$", "", lock.read_text(), flags=re.MULTILINE)
    joined = re.sub(r" *\\\n *", "\t", text)
    return [entry.split("\t") for entry in joined.splitlines() if entry.strip()]


def commands() -> Iterator[tuple[str, str]]:
    """Yield each line that installs something, with the file that it stands in; continued lines are one."""
    files = [ROOT / "Makefile", ROOT / ".ci/run", *ROOT.glob("tests/sam/base/*.sh")]
    files += [*ROOT.glob("functions/*/Dockerfile"), *ROOT.glob("training/Dockerfile")]
    for file in files:
        for line in re.sub(r"\\\n\s*", "", file.read_text()).splitlines():
            # A variable's value is looked at where it is used.
            if INSTALL.search(line) and not re.match(r"\s*(#|[A-Z_]+ *:=)", line):
                yield name(file), line.strip()
    for notebook in ROOT.glob("notebooks/*.ipynb"):
        for cell in json.loads(notebook.read_text())["cells"]:
            for line in "".join(cell["source"]).splitlines():
                if cell["cell_type"] == "code" and INSTALL.search(line):
                    yield name(notebook), line.strip()


def test_there_are_locks_and_installs() -> None:
    """What the tests below look at is there: a renamed folder would leave them nothing to fail on."""
    assert {"requirements/cli.txt", "layers/imaging/requirements.txt", "training/requirements.txt"} <= {
        name(lock) for lock in LOCKS
    }
    assert {file for file, _ in commands()} >= {
        "Makefile",
        "functions/sample_frames/Dockerfile",
        "training/Dockerfile",
    }


@pytest.mark.parametrize("lock", LOCKS, ids=name)
def test_a_lock_has_pins_with_hashes_and_nothing_else(lock: Path) -> None:
    entries = requirements(lock)
    assert entries
    for pin, *options in entries:
        assert PIN.fullmatch(pin), f"{name(lock)}: {pin}"
        assert options, f"{name(lock)}: {pin} has no hash"
        assert all(HASH.fullmatch(option) for option in options), f"{name(lock)}: {pin}"


@pytest.mark.parametrize(
    "line",
    [
        "boto3>=1.4",
        "boto3",
        "boto3 @ https://example.org/boto3.whl",
        "--index-url https://example.org",
        "-r other.txt",
    ],
)
def test_what_is_no_pin_is_found(line: str) -> None:
    assert not PIN.fullmatch(line)


def test_each_lock_is_made_of_a_file_and_by_make() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = re.search(r"^LOCKS +:= ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    assert named
    made = {*named[1].replace("\\\n", "").split(), *re.findall(r"-o (training/\S+\.txt)", makefile)}
    assert {name(lock) for lock in LOCKS} == made
    assert all(lock.with_suffix(".in").exists() or name(lock) == "training/requirements-cpu.txt" for lock in LOCKS)


def test_everything_is_installed_by_hash() -> None:
    used = set()
    for file, line in commands():
        if "--require-hashes" in line:
            continue
        excuse = next((words for words in WITHOUT_HASHES if words in line), None)
        assert excuse, f"{file} installs without hashes: {line}"
        used.add(excuse)
    assert used == set(WITHOUT_HASHES), "an excuse that nothing needs"


def test_torch_alone_has_another_build() -> None:
    """The lock for the CPU has the same versions as the whole one, and lacks only what belongs to a GPU."""
    whole, cpu = (
        {pin.split(" ;")[0] for pin, *_ in requirements(ROOT / f"training/{file}.txt")}
        for file in ("requirements", "requirements-cpu")
    )
    assert cpu <= whole
    assert all(re.match(r"(torch|triton|bitsandbytes|nvidia-|cuda-)", pin) for pin in whole - cpu)
