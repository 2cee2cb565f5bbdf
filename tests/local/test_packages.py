"""What is packed, what a fingerprint depends on, and what set-up has to have made."""

import subprocess
from pathlib import Path

import pytest

from local.packages import Packages
from local.servers import Endpoints, free_endpoints
from local.template import LocalTemplate
from local.tools import SetupMissingError, Tools


def packages(app: Path, folder: Path) -> Packages:
    return Packages(LocalTemplate(app / "template.yaml", Tools()), Tools(), folder)


def test_the_fingerprint_depends_on_content_alone(app: Path, tmp_path: Path) -> None:
    first = packages(app, tmp_path / "one").fingerprint
    (app / "functions/greet_item/__pycache__").mkdir()
    (app / "functions/greet_item/__pycache__/app.cpython-313.pyc").write_bytes(b"")
    (app / "functions/greet_item/app.py").touch()
    assert packages(app, tmp_path / "two").fingerprint == first


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("template.yaml", "Timeout: 20", "Timeout: 21"),
        ("greet_all.asl.json", "Greets", "Welcomes"),
        ("functions/greet_item/app.py", "Greets", "Welcomes"),
        ("functions/shout_item/app.py", "upper", "lower"),
        ("layers/storycast/greeting/__init__.py", "Hello", "Hi"),
    ],
)
def test_the_fingerprint_depends_on_every_part(app: Path, tmp_path: Path, file: str, old: str, new: str) -> None:
    first = packages(app, tmp_path).fingerprint
    assert old in (app / file).read_text()
    (app / file).write_text((app / file).read_text().replace(old, new))
    assert packages(app, tmp_path).fingerprint != first


def test_a_package_is_the_function_its_bytecode_and_a_bootstrap(app: Path, tmp_path: Path) -> None:
    template = packages(app, tmp_path).write()
    files = {str(path.relative_to(template.parent)) for path in template.parent.rglob("*") if path.is_file()}
    assert {name for name in files if name.startswith("GreetItemFunction")} == {
        "GreetItemFunction/app.py",
        "GreetItemFunction/__pycache__/app.cpython-313.pyc",
        "GreetItemFunction/bootstrap",
    }
    assert "ShoutItemFunction/shout_item/app.py" in files
    assert "ShoutItemFunction/greeting/__init__.py" in files
    assert not [name for name in files if "Dockerfile" in name or "requirements" in name]
    assert "GreetAllMachine.asl.json" in files


def test_layers_that_were_removed_are_missed_and_written_again(app: Path, tmp_path: Path) -> None:
    tools = Tools(tmp_path / "checkout")
    made = Packages(LocalTemplate(app / "template.yaml", tools), tools, tmp_path / "out")
    assert not made.has_layers
    made.write()
    assert made.has_layers
    (layer,) = tools.code.glob("storycast-*")
    assert {path.name for path in layer.rglob("*")} == {
        "greeting",
        "__init__.py",
        "__pycache__",
        "__init__.cpython-313.pyc",
    }


def test_a_bootstrap_stands_a_path_with_blanks_and_quotes(app: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "it's a checkout"
    python = checkout / ".tools/lambda/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$PYTHONPATH|$*"\n')
    python.chmod(0o755)
    tools = Tools(checkout)
    template = Packages(LocalTemplate(app / "template.yaml", tools), tools, tmp_path / "out").write()
    answer = subprocess.run(
        [template.parent / "ShoutItemFunction/bootstrap"],
        env={"LAMBDA_TASK_ROOT": "/task root", "_HANDLER": "shout_item.app.handler"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert (
        answer == f"/task root:{checkout}/.storycast/layers/image/python|-m awslambdaric shout_item.app.handler\n"
    )


def test_missing_set_up_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(SetupMissingError, match=r"\.venv/bin/python is missing: run `make setup`"):
        Tools(tmp_path).require()


def test_last_times_ports_are_taken_again_if_they_are_free() -> None:
    first = free_endpoints()
    assert first.emulator_port != first.standins_port
    assert free_endpoints(first) == first


def test_only_stood_in_services_go_to_the_standins() -> None:
    endpoints = Endpoints(1, 2)
    assert endpoints.of("s3") == "http://127.0.0.1:1"
    assert endpoints.of("bedrock-runtime") == "http://127.0.0.1:2"
    variables = endpoints.variables()
    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert variables["AWS_ENDPOINT_URL_SAGEMAKER_A2I_RUNTIME"] == "http://127.0.0.1:2"


def test_no_lock_file_names_a_host() -> None:
    root = Tools().repository
    locks = [*root.glob("requirements/*.txt"), *root.glob("layers/*/requirements.txt")]
    locks.append(root / "functions/sample_frames/requirements.txt")
    assert len(locks) == 12
    for lock in locks:
        text = lock.read_text()
        assert "://" not in text
        assert "--index" not in text
        assert "--find-links" not in text
