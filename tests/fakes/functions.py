"""The functions' own handlers, without AWS Lambda."""

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

FUNCTIONS = Path(__file__).parents[2] / "functions"
CONTEXT = SimpleNamespace(
    get_remaining_time_in_millis=lambda: 20_000,
    function_name="function",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:function",
    aws_request_id="52fdfc07-2182-154f-163f-5f0f9a621d72",
)
"""What Lambda hands over beside an event."""


def imported(name: str) -> ModuleType:
    """Import a function's module by its folder's name; anew each time, as a new container does."""
    spec = importlib.util.spec_from_file_location(f"{name}_app", FUNCTIONS / name / "app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
