"""The image function: needs a library that is too large for a layer."""

from typing import Any

import av
from greeting import greet


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    print(av.__version__)
    return {"text": greet(event["name"]).upper()}
