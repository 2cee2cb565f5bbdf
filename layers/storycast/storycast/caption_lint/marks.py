"""Marks of what is no caption: found in one answer, which is then asked for again, and in a whole set by the lint.

No plain sentence about a picture has them, so each of them stands against a training.
"""

import re

ADDRESS = re.compile(r"\bhttps?://|\bwww\.\w", re.IGNORECASE)
CODE = re.compile(r"```|\{\s*['\"]\w|['\"]caption['\"]\s*:|^\s*[\[{].*[\]}]\s*$", re.DOTALL)
MARKUP = re.compile(r"</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>|\*\*\w|^#{1,6}\s|!?\[[^\]]+\]\([^)]+\)", re.IGNORECASE)
REFUSAL = re.compile(
    r"\b(?:(?:i['’]?m|i am) (?:sorry|unable|not able)\b|as an ai\b|ai (?:language )?model\b|"
    r"i (?:can['’]?t|cannot|can not|won['’]?t)\b|unable to (?:assist|help|identify|describe|provide)|"
    r"cannot (?:assist|help|fulfill?|identify|comply)|(?:here is|here['’]s) (?:a|the|your) caption)",
    re.IGNORECASE,
)
"""Wherever it stands: the model speaks of itself or of its task."""
