"""Names made for people and for services: slugs, run ids, footage ids, working names."""

import hashlib
import re
import unicodedata
from datetime import datetime

RUN_ID_MAX_LENGTH = 40
"""Leaves room for suffixes in the names of loops, jobs, models and throughput (63 characters, no ``--``)."""

RUN_ID_PATTERN = r"[a-z0-9]+(-[a-z0-9]+)*"
_JOB_NAME = re.compile(rf"(?P<run>{RUN_ID_PATTERN})-t[0-9a-f]{{8}}-[0-9a-f]{{6}}(-h)?")
_UNSAFE = re.compile(r"[^a-z0-9]+")


def slug(text: str, *, max_length: int = 24, fallback: str = "film") -> str:
    """Return ``text`` as lower-case ASCII words joined by single hyphens.

    Args:
        text: Any text, such as a file name; accents are taken off, everything else is a separator.
        max_length: Characters at most, at least 1.
        fallback: Returned when nothing of ``text`` is left.
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _UNSAFE.sub("-", ascii_text).strip("-")[:max_length].strip("-") or fallback


def run_id(footage_name: str, started_at: datetime, execution: str) -> str:
    """Return the id of a run: what it is about, the day, and a hash that keeps two apart.

    Args:
        footage_name: File name of the first footage.
        started_at: When the execution started.
        execution: What tells this run from any other, such as the execution's ARN.

    Returns:
        A name that matches :data:`RUN_ID_PATTERN`, at most :data:`RUN_ID_MAX_LENGTH` characters, the same
        for the same arguments.
    """
    stem = footage_name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    suffix = hashlib.sha256(execution.encode()).hexdigest()[:6]
    return f"{slug(stem, max_length=RUN_ID_MAX_LENGTH - 16)}-{started_at:%Y%m%d}-{suffix}"


def session_id(execution: str) -> str:
    """Return the id of one training session: six hexadecimal digits of the execution's ARN."""
    return hashlib.sha256(execution.encode()).hexdigest()[:6]


def training_id(fingerprint: str) -> str:
    """Return the id of a training within a run: the same for the same dataset, base model and values."""
    return f"t{fingerprint[:8]}"


def job_name(run: str, training: str, session: str) -> str:
    """Return the name of a session's job, model and throughput: at most 57 of the 63 characters."""
    return f"{run}-{training}-{session}"


def is_job_name(text: str) -> bool:
    """Tell whether a job or a hosting of a session could be called so, of this stack or of another one."""
    match = _JOB_NAME.fullmatch(text)
    return match is not None and len(match["run"]) <= RUN_ID_MAX_LENGTH


def human_loop_name(run: str, batch: int) -> str:
    """Return the name of the human loop that a batch of a run's review is: the same whenever it is started."""
    return f"{run}-review-{batch}"


def is_run_id(text: str) -> bool:
    """Tell whether ``text`` may serve as a run id."""
    return len(text) <= RUN_ID_MAX_LENGTH and re.fullmatch(RUN_ID_PATTERN, text) is not None


def footage_id(etag: str, size_bytes: int) -> str:
    """Return the id of one video's content, shared by all runs over it.

    S3's ETag is a hash of the content and of how it was cut into parts, so the same file sent by the same
    tool has one id wherever it lies; sent in parts of another size it gets a second one, and is paid again.
    """
    return hashlib.sha256(f"{etag.strip('"')}:{size_bytes}".encode()).hexdigest()[:12]


def frame_id(footage: str, time_ms: int) -> str:
    """Return the id of the frame of ``footage`` at ``time_ms`` milliseconds."""
    return f"{footage}-{time_ms:09d}"


def crop_id(frame: str, number: int) -> str:
    """Return the id of crop ``number`` (0-based, by position of its box) of a frame."""
    return f"{frame}-{number:02d}"


def frame_of(crop: str) -> str:
    """Return the id of the frame that a crop is of."""
    return crop.rpartition("-")[0]


def working_name(number: int) -> str:
    """Return what a discovered character is called until a person names it; ``number`` starts at 1."""
    return f"Character {number}"
