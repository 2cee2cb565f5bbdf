"""botocore's models of services: which there are, and what the paths of their operations look like."""

from __future__ import annotations

import re
from functools import cache

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import ServiceModel


@cache
def service_model(service: str) -> ServiceModel | None:
    """Return the model of a service by botocore's name of it; None if there is none such."""
    try:
        return botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        return None


def path_pattern(template: str) -> tuple[re.Pattern[str], int]:
    """Return what a path with labels such as `/{Bucket}/{Key+}` matches, and how many characters are no labels."""
    parts = re.split(r"\{([A-Za-z0-9_-]+\+?)\}", template)
    pattern = "".join(
        re.escape(part)
        if number % 2 == 0
        else f"(?P<{part.rstrip('+')}>{'.+' if part.endswith('+') else '[^/]+'})"
        for number, part in enumerate(parts)
    )
    return re.compile(pattern), sum(map(len, parts[0::2]))
