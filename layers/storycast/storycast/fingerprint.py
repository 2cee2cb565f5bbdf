"""Fingerprints: a short hash of all that a result depends on, so that nothing is computed or paid twice."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

FINGERPRINT_LENGTH = 12
"""Hexadecimal digits kept of SHA-256: 48 bits, far beyond the number of settings one bucket will ever see."""


def fingerprint(**parts: Any) -> str:
    """Return the fingerprint of named, JSON-representable parts.

    Args:
        **parts: What the result depends on; the names and their values count, their order does not.

    Returns:
        Lower-case hexadecimal digits, :data:`FINGERPRINT_LENGTH` of them.

    Raises:
        TypeError: A part is not representable as JSON.
    """
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()[:FINGERPRINT_LENGTH]


def canonical_json(value: Mapping[str, Any]) -> str:
    """Return ``value`` as JSON with sorted keys and no spaces, so that equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
