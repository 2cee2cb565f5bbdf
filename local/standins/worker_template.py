"""Worker templates of Amazon A2I: Liquid, with the filters that AWS adds, escaping by itself as there."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any

from liquid import Environment
from liquid.exceptions import LiquidError
from markupsafe import Markup

#: Where Amazon's elements come from; the stand-in has its own, of which there are as many as our template needs.
CROWD_ELEMENTS = "https://assets.crowd.aws/crowd-html-elements.js"
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


class TemplateRefusedError(Exception):
    """A template can't be read or filled in; the message says why."""


def check_template(content: str) -> None:
    """Check that a template can be read.

    Raises:
        TemplateRefusedError: It is no Liquid, or uses a filter that the stand-in does not have.
    """
    template = _parsed(content, lambda uri: uri)
    unknown = sorted(set(template.analyze().filters) - set(template.env.filters))
    if unknown:
        raise TemplateRefusedError(f"The stand-in has no filter {', '.join(unknown)} for the worker template.")


def fill_in(content: str, task_input: Any, grant: Callable[[str], str], elements: str) -> str:
    """Fill a template in.

    Args:
        content: The template.
        task_input: What it finds as ``task.input``.
        grant: Gives the address under which a worker may read an S3 URI.
        elements: Address of what stands in for Amazon's elements.

    Raises:
        TemplateRefusedError: It can't be filled in.
    """
    template = _parsed(content.replace(CROWD_ELEMENTS, elements), grant)
    try:
        return str(template.render(task={"input": task_input}))
    except LiquidError as error:
        raise TemplateRefusedError(f"The worker template can't be filled in: {error}") from error


def style_hashes(content: str) -> list[str]:
    """The hashes by which a Content-Security-Policy allows a template's own styles and no others."""
    return [
        f"'sha256-{base64.b64encode(hashlib.sha256(style.encode('utf-8')).digest()).decode('ascii')}'"
        for style in _STYLE.findall(content)
    ]


def _parsed(content: str, grant: Callable[[str], str]) -> Any:
    environment = Environment(autoescape=True, strict_filters=True)
    environment.add_filter("grant_read_access", lambda uri: Markup.escape(grant(str(uri))))
    try:
        return environment.from_string(content)
    except LiquidError as error:
        raise TemplateRefusedError(f"The worker template is no Liquid that can be read: {error}") from error
