"""The image as AWS runs it and SAM does not: not root, nothing writable but /tmp; and what it is made of."""

import json
import re
from pathlib import Path

import pytest
import yaml

from local.tools import REPOSITORY
from tests.sam.base import IMAGE, Base
from tests.sam.conftest import Say
from tests.sam.engine import Engine
from tests.sam.film import SECONDS_PER_SHOT

REQUIREMENTS = REPOSITORY / "functions/sample_frames/requirements.txt"
DOCKERFILE = REPOSITORY / "functions/sample_frames/Dockerfile"
#: What our own files and packages may add to the base. AWS takes 10 GB; a cold start reads what it imports.
LARGEST_BYTES = 500_000_000
PYTHON = ("--entrypoint", "/var/lang/bin/python")

DECODE = f"""
import json, os, pathlib
import av, boto3, cv2, numpy, yaml, pydantic, aws_lambda_powertools
import probe_footage.app, sample_frames.app
from storycast.footage import FootageSource, Segment
from storycast.video import Sample, read_header, sample
path = pathlib.Path("/film/two shots.mp4")
source = FootageSource(footage_id="f", name=path.name, key="k", size_bytes=1, etag="e")
segment = Segment(source=source, segment=0, start_ms=0, end_ms={2 * SECONDS_PER_SHOT * 1000}, interval_ms=500,
                  pick="sharpest", fingerprint="f")
with path.open("rb") as file:
    header = read_header(file, path.name)
report = Sample()
with path.open("rb") as file:
    kept = [frame for frame in sample(file, path.name, segment, report) if frame.jpeg]
try:
    pathlib.Path("/var/task/x").write_text("x")
    writable = True
except OSError:
    writable = False
pathlib.Path("/tmp/x").write_text("x")
said = dict(uid=os.getuid(), codec=header.codec, kept=len(kept), cuts_ms=report.cuts_ms, writable=writable)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def image(built: Path) -> str:
    """The one image of both functions."""
    resources = yaml.safe_load(built.read_text())["Resources"]
    uris = {resources[name]["Properties"]["ImageUri"] for name in ("SampleFramesFunction", "ProbeFootageFunction")}
    [uri] = uris
    assert isinstance(uri, str)
    return uri


def test_it_works_as_aws_runs_it(image: str, engine: Engine, film: Path) -> None:
    said = engine.docker(
        *("run", "--rm", "--read-only", "--tmpfs", "/tmp", "--user", "993:990", "--network", "none"),
        *("--env", "AWS_DEFAULT_REGION=us-east-1", "--env", "MEDIA_BUCKET=b"),
        *("--volume", f"{film.parent}:/film:ro", *PYTHON, image, "-c", DECODE),
    )
    assert json.loads(said.splitlines()[-1]) == {
        "uid": 993,
        "codec": "h264",
        "kept": pytest.approx(2 * 2 * SECONDS_PER_SHOT, abs=2),
        "cuts_ms": [SECONDS_PER_SHOT * 1000],
        "writable": False,
    }


def test_it_is_not_root_by_default(image: str, engine: Engine) -> None:
    assert engine.docker("run", "--rm", "--entrypoint", "id", image, "-u").strip() == "993"


def test_it_is_compiled(image: str, engine: Engine) -> None:
    """Nothing can be written on AWS, so what is not compiled is compiled at every cold start."""
    program = "import importlib.util as u, pathlib as p; print([str(f) for f in p.Path().rglob('*.py')"
    program += " if not p.Path(u.cache_from_source(f)).exists()])"
    assert engine.docker("run", "--rm", *PYTHON, image, "-c", program).strip() == "[]"


def test_it_holds_what_is_pinned(image: str, engine: Engine) -> None:
    """Every package comes from the hashed requirements; the base's own are the only others."""
    program = "import importlib.metadata as m, json; "
    program += "print(json.dumps([[d.name, d.version] for d in m.distributions()]))"
    there, base = (
        {
            _plain(name): version
            for name, version in json.loads(engine.docker("run", "--rm", *PYTHON, tag, "-c", program))
        }
        for tag in (image, IMAGE)
    )
    pinned = re.findall(r"^([\w.-]+)==([\w.]+)(?! ;)", REQUIREMENTS.read_text(), re.MULTILINE)
    pins = {_plain(name): version for name, version in pinned}
    assert {name: there.get(name) for name in pins} == pins
    assert set(there) - set(pins) <= set(base)


def test_its_requirements_are_hashed(image: str) -> None:
    """Every `pip install` of the Dockerfile insists on hashes, and on wheels."""
    installs = re.findall(r"pip install [^\n]+", DOCKERFILE.read_text())
    assert installs
    for install in installs:
        assert "--require-hashes" in install
        assert "--only-binary=:all:" in install


def test_its_size(image: str, engine: Engine, base_image: Base, say: Say) -> None:
    whole, base = (int(engine.docker("image", "inspect", "--format", "{{.Size}}", tag)) for tag in (image, IMAGE))
    say(f"image: {whole / 1e6:.0f} MB, of which the base {base / 1e6:.0f} MB")
    assert whole - base < LARGEST_BYTES


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
