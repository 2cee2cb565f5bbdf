"""Names in captions and prompts: capitalised words that are not merely the first of a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

_WORD = re.compile(r"[^\W\d_][\w'’-]*")
#: Capitalised words one after the other, with a number behind them: ``Old Tom``, ``Character 2``.
_RUN = re.compile(r"\b[A-Z][\w'’-]*(?: (?:[A-Z][\w'’-]*|\d+))*")
_POSSESSIVE = re.compile(r"['’]s$")


class CaptionNames:
    """What the captions of a dataset call somebody; nothing but the captions is known."""

    def __init__(self, captions: Iterable[str]) -> None:
        """Read the captions of a dataset."""
        self._captions = list(captions)

    def of(self, text: str) -> list[str]:
        """The names in a text, each once, in order.

        A run of capitalised words is a name, without those that some caption also writes small: ``The`` of
        ``The Bear`` is none where a caption says ``the``. A word that begins a sentence and is never written
        small cannot be told from a name.
        """
        found: dict[str, None] = {}
        for run in _RUN.findall(text):
            words = [_POSSESSIVE.sub("", word) for word in run.split(" ")]
            while words and (words[0].lower() in self._small or words[0].isdecimal()):
                words.pop(0)
            if words:
                found[" ".join(words)] = None
        return list(found)

    @cached_property
    def known(self) -> list[str]:
        """All names of the captions, sorted."""
        return sorted({name for caption in self._captions for name in self.of(caption)})

    @cached_property
    def _small(self) -> set[str]:
        """The words that some caption writes small."""
        return {word for caption in self._captions for word in words_of(caption) if word[0].islower()}


def words_of(text: str) -> list[str]:
    """The words of a text as they are written; numbers are none."""
    return _WORD.findall(text)
