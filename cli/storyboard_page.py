"""A page that shows what was drawn on this machine: each prompt by the trained model and by its base model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ title }}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; }
  h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
  .row { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); }
  figure { margin: 0; }
  img { display: block; height: auto; width: 100%; }
  .note, .refused { background: #fff3c4; color: #3a2a00; padding: .5rem .75rem; }
</style>
<h1>{{ title }}</h1>
{% for note in notes %}<p{% if note.is_warning %} class="note"{% endif %}>{{ note.text }}</p>
{% endfor %}{% for prompt in prompts %}<h2>{{ loop.index }}. {{ prompt.text }}</h2>
<div class="row">
{% for shown in prompt.pictures %}<figure><a href="{{ shown.src }}"><img src="{{ shown.src }}" loading="lazy"
  alt="{{ prompt.text }}, {{ shown.drawn_by }} model"></a>
  <figcaption>{{ shown.drawn_by }} model</figcaption></figure>
{% endfor %}</div>
{% for refused in prompt.refused %}<p class="refused">{{ refused }}</p>
{% endfor %}{% endfor %}</html>
"""


@dataclass(frozen=True, slots=True)
class Note:
    """A line below the title."""

    text: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A picture, and which model drew it."""

    src: str
    drawn_by: str


@dataclass(frozen=True, slots=True)
class ShownPrompt:
    """What was drawn for a prompt, and why there is less than was asked for."""

    text: str
    pictures: tuple[ShownPicture, ...]
    refused: tuple[str, ...]


def write_page(file: Path, title: str, notes: Sequence[Note], prompts: Sequence[ShownPrompt]) -> None:
    """Write the page; pictures are named relative to it."""
    page = Environment(autoescape=True).from_string(_PAGE).render(title=title, notes=notes, prompts=prompts)
    file.write_text(page, encoding="utf-8")
