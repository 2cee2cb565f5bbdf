"""Folders of base models in S3, in whichever bucket they lie."""

from collections.abc import Collection
from typing import Any

from botocore.exceptions import ClientError

from storycast.adapters.clients import client
from storycast.adapters.faults import translated

_MAY_NOT_LOOK = {"AccessDenied", "AccessDeniedException", "AllAccessDisabled"}


class S3WeightFolders:
    """A :class:`~storycast.job_preflight.WeightFolders` over ListObjectsV2."""

    def __init__(self, s3: Any = None) -> None:
        self._given = s3

    def names(self, uri: str) -> Collection[str] | None:
        """Return the names of the files below an ``s3://bucket/prefix/``, from the prefix on.

        Returns:
            Nothing where the bucket is not there, either; None where we may not look.
        """
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        pages = (self._given or client("s3")).get_paginator("list_objects_v2")
        with translated(f"listing {uri}"):
            try:
                return [
                    item["Key"].removeprefix(prefix)
                    for page in pages.paginate(Bucket=bucket, Prefix=prefix)
                    for item in page.get("Contents", ())
                ]
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "NoSuchBucket":
                    return []
                if code in _MAY_NOT_LOOK:
                    return None
                raise
