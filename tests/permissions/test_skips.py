"""Checks that are let pass: each has its reason, and none is let pass that would pass by itself."""

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.permissions.granted import translated
from tests.workflow.files import ROOT, template

SETTINGS = (ROOT / ".checkov.yaml").read_text("utf-8")
FOR_ALL = [str(check) for check in yaml.safe_load(SETTINGS)["skip-check"]]
BY_RESOURCE = {
    (name, skip["id"]): skip["comment"]
    for name, one in template()["Resources"].items()
    for skip in one.get("Metadata", {}).get("checkov", {}).get("skip", ())
}


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """The checks that fail where none is let pass, each with how many resources it fails for."""
    folder = tmp_path_factory.mktemp("checkov")
    bare = json.loads(json.dumps(translated(), default=str))
    for one in bare["Resources"].values():
        one.get("Metadata", {}).pop("checkov", None)
    (folder / "bare.json").write_text(json.dumps(bare))
    return Counter(
        f"{one['check_id']} {one['resource'].rpartition('.')[2]}"
        for one in _failed(["--file", str(folder / "bare.json"), "--framework", "cloudformation"], folder)
    )


def _failed(arguments: list[str], folder: Path) -> list[dict[str, Any]]:
    """Return what checkov finds with no settings file: started elsewhere, it finds none."""
    command = [str(ROOT / ".tools/lint/bin/checkov"), "--output", "json", "--quiet", "--skip-download", *arguments]
    done = subprocess.run(command, cwd=folder, env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False)
    told = json.loads(done.stdout)
    found: list[dict[str, Any]] = told["results"]["failed_checks"]
    return found


def test_a_check_that_is_let_pass_for_all_still_fails_for_some(failing: Counter[str]) -> None:
    by_check = {one.partition(" ")[0] for one in failing}
    assert set(FOR_ALL) <= by_check, "would pass: let it be checked"


def test_a_check_that_is_let_pass_for_one_resource_still_fails_there(failing: Counter[str]) -> None:
    needless = [(name, check) for name, check in BY_RESOURCE if f"{check} {name}" not in failing]
    assert not needless, "would pass: let it be checked"


def test_nothing_fails_that_is_not_let_pass(failing: Counter[str]) -> None:
    let_pass = {f"{check} {name}" for name, check in BY_RESOURCE}
    assert not [one for one in failing if one not in let_pass and one.partition(" ")[0] not in FOR_ALL]


@pytest.mark.parametrize("dockerfile", ["functions/sample_frames/Dockerfile", "training/Dockerfile"])
def test_the_same_holds_for_images(dockerfile: str, tmp_path: Path) -> None:
    text = (ROOT / dockerfile).read_text("utf-8")
    skips = dict(re.findall(r"#\s*checkov:skip=(CKV\w+):\s*(.+)", text))
    assert all(len(reason) > 20 for reason in skips.values())
    (tmp_path / "Dockerfile").write_text(re.sub(r"#\s*checkov:skip=.*", "#", text))
    arguments = ["--file", str(tmp_path / "Dockerfile"), "--framework", "dockerfile"]
    assert {one["check_id"] for one in _failed(arguments, tmp_path)} == set(skips)


def test_cfn_lint_lets_nothing_pass() -> None:
    assert not list(ROOT.glob(".cfnlintrc*"))
    assert "cfn-lint" not in json.dumps(template().get("Metadata", {}))
    for name, one in template()["Resources"].items():
        assert "cfn-lint" not in one.get("Metadata", {}), name
