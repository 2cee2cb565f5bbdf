"""The repository's own template, in its local form, without an emulator."""

import json
import subprocess
from pathlib import Path

import pytest

from local.packages import Packages
from local.template import DEFAULT_CONCURRENCY, LocalTemplate, read_template
from local.tools import Tools
from storycast.settings import Concurrency

TOOLS = Tools()
TEMPLATE = TOOLS.repository / "template.yaml"
FUNCTIONS = sorted(LocalTemplate(TEMPLATE, TOOLS).functions)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with template, definitions and packages, as `sam deploy` gets it."""
    return Packages(LocalTemplate(TEMPLATE, TOOLS), TOOLS, tmp_path_factory.mktemp("real")).write().parent


def test_literal_concurrency_is_the_settings_default() -> None:
    assert Concurrency().model_dump() == DEFAULT_CONCURRENCY


def test_no_value_is_left_to_a_path_that_the_emulator_ignores(build: Path) -> None:
    definitions = [*build.glob("*.asl.json")]
    assert definitions
    for definition in definitions:
        text = definition.read_text()
        for name in ("MaxConcurrencyPath", "TimeoutSecondsPath", "HeartbeatSecondsPath", "ToleratedFailure"):
            assert f'"{name}"' not in text


def test_only_layers_and_denials_of_http_leave_the_template() -> None:
    real = read_template(TEMPLATE)["Resources"]
    gone = set(real) - set(LocalTemplate(TEMPLATE, TOOLS).document["Resources"])
    denials = {"MediaBucketPolicy", "TopicPolicy"}
    assert gone == {"StorycastLayer", "ImagingLayer", *denials}
    for name in denials:
        assert "aws:SecureTransport" in json.dumps(real[name])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_finds_all_it_imports_in_the_layers_it_lists(build: Path, function: str) -> None:
    folder = build / function
    handler = json.loads((build / "template.json").read_text())["Resources"][function]["Properties"]["Handler"]
    bootstrap = (folder / "bootstrap").read_text()
    importing = bootstrap.replace('-m awslambdaric "$_HANDLER"', '-c "import $MODULE"')
    assert importing != bootstrap
    result = subprocess.run(
        ["/bin/sh", "-c", importing],
        cwd=folder,
        env={
            "LAMBDA_TASK_ROOT": str(folder),
            "MODULE": handler.rpartition(".")[0],
            "AWS_DEFAULT_REGION": "us-east-1",
            "MEDIA_BUCKET": "bucket",
            "TABLE_NAME": "table",
            "TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:topic",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
