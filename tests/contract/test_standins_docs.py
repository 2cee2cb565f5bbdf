"""What the documents say of the stand-ins, against what is there."""

import hashlib
from pathlib import Path

import pytest

from local.standins.catalogue import models
from local.standins.inference import MODELS_DIR
from local.standins.server import SERVICES
from local.standins.service import World

PAGE = (Path(__file__).parents[2] / "docs" / "stand-ins.md").read_text("utf-8")


def test_the_page_names_every_operation_and_model():
    played = {name for kind in SERVICES for name in kind(World(Path("no-such-folder"))).operations}
    assert [name for name in sorted(played) if f"`{name}`" not in PAGE] == []
    assert [model.id for model in models() if model.played_by and model.id not in PAGE] == []


@pytest.mark.parametrize("path", sorted(MODELS_DIR.glob("*.onnx")), ids=lambda path: path.name)
def test_vendored_models_are_those_of_their_readme(path):
    readme = (MODELS_DIR / "README.md").read_text("utf-8")
    assert f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" in readme
    assert path.name in (MODELS_DIR / "NOTICE").read_text("utf-8")
