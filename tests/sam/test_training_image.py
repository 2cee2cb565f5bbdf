"""The trainer's image: what SageMaker relies on. Its base is a stand-in, with PyTorch for the CPU."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.tools import REPOSITORY
from tests.sam.commands import CommandError, run
from tests.sam.conftest import Say
from tests.sam.engine import Engine

PYTHON = REPOSITORY / ".tools/training/bin/python"
BASE = re.compile(r"^FROM public\.ecr\.aws/docker/library/python:3\.11-slim-bookworm(@sha256:\w+)?$", re.M)
STAND_IN = "storycast-training-base:stand-in"
TAG = "storycast-training:test"
HERE = Path(__file__).parent / "base"


@pytest.fixture(scope="module")
def image(engine: Engine, folder: Path, say: Say) -> Iterator[str]:
    """The image by its Dockerfile, but for the base; of the requirements, those that need no GPU.

    The real base would bring CUDA's libraries, which have several GB.
    """
    dockerfile = (REPOSITORY / "training/Dockerfile").read_text()
    assert len(BASE.findall(dockerfile)) == 1
    if not PYTHON.exists():
        raise CommandError(f"{PYTHON} is missing: run `make setup-training`.")
    began = time.monotonic()
    run([HERE / "build_training_base.sh", PYTHON, STAND_IN], env=engine.env)
    context = folder / "training-image"
    shutil.copytree(REPOSITORY / "training/trainer", context / "training/trainer")
    shutil.copy(REPOSITORY / ".dockerignore", context)
    shutil.copy(REPOSITORY / "training/requirements-cpu.txt", context / "training/requirements.txt")
    (context / "training/Dockerfile").write_text(BASE.sub(f"FROM {STAND_IN}", dockerfile))
    (context / "training/secret.txt").write_text("must not reach the engine")
    engine.docker(
        *("build", "--network", "none", "--file", context / "training/Dockerfile", "--tag", TAG, context),
        timeout_s=600,
    )
    how = "a STAND-IN made of this machine's programs, with PyTorch for the CPU"
    say(f"the trainer's image: {time.monotonic() - began:.0f} s; its base: {how}")
    yield TAG
    engine.docker("image", "rm", "--force", TAG, STAND_IN, check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What SageMaker mounts at /opt/ml, with a tiny model and a drawing to do."""
    root = tmp_path / "ml"
    data = root / "input/data"
    data.mkdir(parents=True)
    run([PYTHON, "-m", "trainer.tiny", data / "weights"], env={"PYTHONPATH": str(REPOSITORY / "training")})
    job = json.loads((REPOSITORY / "training/tests/golden/draw.json").read_text())
    small = {"width_px": 64, "height_px": 64, "inference_steps": 1, "drawn_by": "base"}
    job["panels"] = [{**job["panels"][0], **small}]
    (data / "job").mkdir()
    (data / "job/job.json").write_text(json.dumps(job))
    return root


def test_it_does_a_job_as_sagemaker_runs_it(image: str, engine: Engine, root: Path) -> None:
    # The network is SageMaker's EnableNetworkIsolation; nothing but /opt/ml and /tmp may be written.
    said = engine.docker(
        *("run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp"),
        *("--volume", f"{root}:/opt/ml", image, "train"),
        timeout_s=300,
    )
    assert "picture=3/3" in said
    assert json.loads((root / "checkpoints/panels/0123456789ab.json").read_text())["refused"] == ""
    assert len(list((root / "checkpoints/panels").glob("*.png"))) == 3
    assert (root / "model/README.txt").exists()
    assert not (root / "output/failure").exists()


def test_any_user_may_run_it_and_a_failure_is_where_sagemaker_reads_it(
    image: str, engine: Engine, root: Path
) -> None:
    shutil.rmtree(root / "input")
    root.chmod(0o777)
    said = subprocess.run(
        ["docker", "run", "--rm", "--user", "1234:1234", "--volume", f"{root}:/opt/ml", image, "draw"],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **engine.env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert said.returncode == 1, said.stderr
    assert (root / "output/failure").read_text().startswith("JobInvalidError: /opt/ml/input/data/job/job.json")


def test_it_ends_when_it_is_asked_to(image: str, engine: Engine, root: Path) -> None:
    job = root / "input/data/job/job.json"
    asked = json.loads(job.read_text())
    asked["panels"][0] |= {"inference_steps": 900, "width_px": 512, "height_px": 512}
    job.write_text(json.dumps(asked))
    name = engine.docker("run", "--detach", "--volume", f"{root}:/opt/ml", image, "train").strip()
    try:
        deadline = time.monotonic() + 120
        progress = root / "checkpoints/progress.json"
        while not (progress.exists() and json.loads(progress.read_text())["phase"] == "drawing"):
            assert time.monotonic() < deadline, engine.docker("logs", name)
            time.sleep(0.2)
        began = time.monotonic()
        engine.docker("stop", "--time", "100", name, timeout_s=110)
        assert time.monotonic() - began < 30
        assert engine.docker("inspect", "--format", "{{.State.ExitCode}}", name).strip() == "143"
    finally:
        engine.docker("rm", "--force", name, check=False)


def test_only_what_it_needs_is_in_it(image: str, engine: Engine) -> None:
    look = "import os; print(sorted(os.listdir('.')), sorted(os.listdir('trainer'))[:2], os.environ['HF_HOME'])"
    said = engine.docker("run", "--rm", "--entrypoint", "python", image, "-c", look).strip()
    assert said == "['requirements.txt', 'trainer'] ['__init__.py', '__main__.py'] /tmp/huggingface"
