"""Walls that import-linter cannot see: third-party packages, the environment, and how long a handler is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.files import ROOT

PACKAGE = ROOT / "layers/storycast/storycast"
MODULES = sorted(PACKAGE.rglob("*.py"))
HANDLERS = sorted((ROOT / "functions").glob("*/app.py"))
MAX_HANDLER_LINES = 55


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def _roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in _imports(path)}


def _calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_adapters_know_boto3_and_the_environment(path: Path) -> None:
    if path.parent.name == "adapters":
        return
    assert not _roots(path) & {"boto3", "botocore", "os", "aws_lambda_powertools", "requests", "urllib", "socket"}
    assert not {name for name in _imports(path) if name.startswith("storycast.adapters")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_outside_the_adapters_is_no_clock_and_no_chance(path: Path) -> None:
    if path.parent.name == "adapters":
        return
    assert not _roots(path) & {"random", "secrets", "uuid", "time"}
    assert not {call for call in _calls(path) if call.endswith((".now", ".utcnow", ".today"))}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_image_knows_video_and_only_layers_with_pixels_know_numpy(path: Path) -> None:
    roots = _roots(path)
    if path.parent.name != "video":
        assert not roots & {"av", "cv2"}
    if path.parent.name == "adapters":
        assert not roots & {"numpy", "PIL"}


def _needed(module: str, seen: set[str]) -> set[str]:
    """Return the third-party packages that importing a module of ours brings in."""
    path = PACKAGE.parent / (module.replace(".", "/") + ".py")
    if not path.is_file():
        path = path.with_suffix("") / "__init__.py"
    if module in seen or not path.is_file():
        return set()
    seen.add(module)
    needed = set()
    for name in _imports(path):
        if name.startswith("storycast"):
            needed |= _needed(name, seen)
        else:
            needed.add(name.partition(".")[0])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "storycast":
            for alias in node.names:
                needed |= _needed(f"storycast.{alias.name}", seen)
    return needed


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_a_function_has_the_layers_that_its_imports_need(path: Path) -> None:
    from tests.workflow.files import resources

    name = "".join(word.title() for word in path.parent.name.split("_")) + "Function"
    facts = resources("AWS::Serverless::Function")[name]["Properties"]
    needed: set[str] = set()
    for module in _imports(path):
        needed |= _needed(module, set())
    pixels, video = bool(needed & {"numpy", "PIL"}), bool(needed & {"av", "cv2"})
    if facts.get("PackageType") == "Image":
        assert video
    else:
        assert not video
        assert ({"Ref": "ImagingLayer"} in facts["Layers"]) == pixels


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_a_handler_is_thin(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_HANDLER_LINES
    functions = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    assert functions == ["handler"]
    assert not _roots(path) & {"boto3", "botocore", "numpy", "PIL", "av", "cv2"}
    assert text.count("logger.info(") == 1, "one line per call: a silent one is slow on the emulator"
