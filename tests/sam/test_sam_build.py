"""What `sam build` makes of the template."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sam import sam
from tests.sam.base import architecture
from tests.sam.conftest import Say
from tests.sam.engine import Engine

#: AWS's limit for a zip function with its layers, unpacked.
LIMIT_BYTES = 250 * 1024 * 1024
#: `e_machine` of an ELF file, by Lambda's name of the instruction set.
MACHINES = {"x86_64": 62, "arm64": 183}


@pytest.fixture(scope="module")
def resources(built: Path) -> dict[str, Any]:
    resources: dict[str, Any] = yaml.safe_load(built.read_text())["Resources"]
    return resources


def test_everything_is_built(built: Path, resources: dict[str, Any]) -> None:
    for logical_id, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function" and properties.get("PackageType") != "Image":
            assert (built.parent / properties["CodeUri"] / "app.py").is_file(), logical_id
        elif resource["Type"] == "AWS::Serverless::Function":
            assert properties["ImageUri"].endswith(":video"), logical_id
        elif resource["Type"] == "AWS::Serverless::LayerVersion":
            assert (built.parent / properties["ContentUri"] / "python").is_dir(), logical_id
    assert (built.parent / resources["StorycastLayer"]["Properties"]["ContentUri"] / "python/storycast").is_dir()


def test_unpacked_sizes(built: Path, resources: dict[str, Any], say: Say) -> None:
    rows = ["function                        code   layers    total  (MB unpacked; AWS takes 262)"]
    too_large = []
    layers = {
        logical_id: _size(built.parent / resource["Properties"]["ContentUri"])
        for logical_id, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::LayerVersion"
    }
    for logical_id, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] != "AWS::Serverless::Function" or properties.get("PackageType") == "Image":
            continue
        code = _size(built.parent / properties["CodeUri"])
        behind = sum(layers[layer["Ref"]] for layer in properties.get("Layers", ()))
        rows.append(f"{logical_id:28} {code / 1e6:7.2f} {behind / 1e6:8.1f} {(code + behind) / 1e6:8.1f}")
        if code + behind > LIMIT_BYTES:
            too_large.append(logical_id)
    rows += [f"{logical_id:28} {'':7} {size / 1e6:8.1f}" for logical_id, size in layers.items()]
    say("\n".join(rows))
    assert not too_large


@pytest.mark.parametrize("wanted", ["x86_64", "arm64"])
def test_layers_follow_the_architecture(
    wanted: str, built: Path, resources: dict[str, Any], engine: Engine, folder: Path
) -> None:
    """`BuildArchitecture: !Ref Architecture` reaches pip: compiled modules are of the architecture asked for."""
    where = built.parent / resources["ImagingLayer"]["Properties"]["ContentUri"]
    if wanted != architecture():
        other = sam.build(engine, folder / wanted, "ImagingLayer", Architecture=wanted)
        where = other.parent / "ImagingLayer"
    modules = list(where.rglob("*.so"))
    assert modules
    assert {int.from_bytes(module.read_bytes()[18:20], "little") for module in modules} == {MACHINES[wanted]}


def test_nothing_of_the_checkout_slips_into_a_package(built: Path, resources: dict[str, Any]) -> None:
    for logical_id, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function" and "CodeUri" in properties:
            files = {path.name for path in (built.parent / properties["CodeUri"]).iterdir()}
            assert files - {"requirements.txt"} == {"app.py"}, logical_id


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
