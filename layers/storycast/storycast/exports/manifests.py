"""``bedrock`` and ``walkthrough``: a manifest of S3 URIs with its pictures, for Amazon Bedrock."""

import re
import shlex
from collections.abc import Sequence
from typing import Literal

from storycast.exports.file_names import FileNames
from storycast.exports.layout import ExportPicture, Layout, halves
from storycast.manifest import ManifestRecord, write_manifest

MANIFEST = "manifest.jsonl"
HELD_OUT = "held_out.jsonl"
IMAGES = "images/"
_PREFIX = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\x00-\x1f\x7f]*)?")


def prefix_problem(prefix: str) -> str:
    """Return in words why pictures can't lie below an S3 URI; empty when they can."""
    if _PREFIX.fullmatch(prefix) and "//" not in prefix.removeprefix("s3://"):
        return ""
    return f"'{prefix}' is no S3 URI of a folder, such as s3://my-bucket/my-dataset/"


def lay_out_manifest(
    pictures: Sequence[ExportPicture], *, keys: Literal["bedrock", "walkthrough"], bucket_prefix: str | None
) -> Layout:
    """Lay out a manifest and its pictures.

    Args:
        pictures: The dataset.
        keys: Which names the manifest's keys have.
        bucket_prefix: S3 URI that the folder shall be uploaded to; None for the run's own pictures in its bucket.
    """
    names = FileNames()
    paths = {one.name: IMAGES + names.take_picture(one.name) for one in pictures}
    prefix = bucket_prefix.rstrip("/") + "/" if bucket_prefix else None

    def lines(part: Sequence[ExportPicture]) -> str:
        return write_manifest(
            (
                ManifestRecord(image_uri=prefix + paths[one.name] if prefix else one.uri, caption=one.caption)
                for one in part
            ),
            keys,
        ).decode()

    trained_on, held_out = halves(pictures)
    texts = {MANIFEST: lines(trained_on)}
    if held_out:
        texts[HELD_OUT] = lines(held_out)
    return Layout({path: name for name, path in paths.items()}, texts, _usage(prefix, bool(held_out)), {})


def _usage(prefix: str | None, has_held_out: bool) -> str:
    parts = [
        f"`{MANIFEST}` has one picture and caption a line, within the limits that Amazon documents to fine-tune "
        "image models on Bedrock."
    ]
    if has_held_out:
        parts.append(
            f"`{HELD_OUT}` has the pictures that are not trained on: whole shots, to grade what is drawn."
        )
    if prefix:
        parts.append(
            f"Upload this folder to where the manifest says that the pictures are:\n\n"
            f"```\naws s3 cp --recursive . {shlex.quote(prefix)}\n```\n\n"
            f"and give the job `{prefix}{MANIFEST}` as its training data. Its role must be allowed to read all of "
            "it."
        )
    else:
        parts.append(
            "Its S3 URIs are the run's own pictures, in the bucket of its stack. For another bucket export again "
            "with `--bucket-prefix s3://my-bucket/my-dataset/`."
        )
    parts.append(
        "Amazon's own image models have ended (Nova Canvas on 2026-09-30): make sure that your region has a model "
        "that takes such a dataset before you pay for anything."
    )
    return "\n\n".join(parts)
