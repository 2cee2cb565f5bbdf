"""What the caption lint found, for the terminal."""

from collections.abc import Iterator

from pydantic import ValidationError

from cli.objects import read
from cli.target import Target
from storycast import keys
from storycast.caption_lint.findings import Finding, Lint
from storycast.runs import Run

MOST_FINDINGS = 5
"""Findings that are told one by one; the rest is counted."""


def told_of_captions(target: Target, run: Run) -> Iterator[str]:
    """Yield what of a run's captions stands against a training, a line each."""
    if not run.counts.get("caption_findings_that_block"):
        return
    content = read(target, keys.run_file(run.run_id, keys.LINT))
    try:
        found = Lint.model_validate_json(content) if content else None
    except ValidationError:
        return  # written by another release
    if found is not None:
        yield from lines_of(found.blocking())


def lines_of(blocking: tuple[Finding, ...]) -> Iterator[str]:
    """Yield findings that stand against a training, a line each."""
    for one in blocking[:MOST_FINDINGS]:
        yield f"Captions, {one.rule}: {one.message} {one.suggestion}"
    if len(blocking) > MOST_FINDINGS:
        yield f"Captions: and {len(blocking) - MOST_FINDINGS} more findings, all of them in {keys.LINT}."
