"""Nothing of the product is tuned to the demo: its characters' names stand in none of it."""

import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent


def test_the_demos_characters_are_named_nowhere_in_the_product() -> None:
    project = yaml.safe_load((ROOT / "examples/demo/project.yaml").read_text())
    names = [character["name"] for character in project["characters"]]
    assert len(names) >= 3
    outside = [f":!{folder}" for folder in ("examples", "tests", "docs", "benchmarks", "training/tests")]
    patterns = [argument for name in names for argument in ("-e", name)]
    found = subprocess.run(
        ["git", "grep", "-i", "-l", "-w", *patterns, "--", ".", *outside],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1, f"named in: {found.stdout}{found.stderr}"
