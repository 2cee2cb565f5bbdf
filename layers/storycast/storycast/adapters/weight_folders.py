"""S3: which files a folder of weights holds, in the stack's bucket or another one."""

from typing import Any

from botocore.exceptions import ClientError

from storycast.adapters.clients import client
from storycast.adapters.faults import translated

MOST_NAMES = 1000
"""A model in diffusers' layout has some dozens of files; more are not looked at."""
_GONE = "NoSuchBucket"
_MAY_NOT_LOOK = frozenset({"AccessDenied", "AccessDeniedException", "AllAccessDisabled"})


class S3WeightFolders:
    """A :class:`~storycast.job_preflight.WeightFolders` over ListObjectsV2."""

    def __init__(self, s3: Any = None) -> None:
        self._s3 = s3 or client("s3")

    def names(self, uri: str) -> frozenset[str] | None:
        """Return the names of the files below an ``s3://bucket/prefix/``.

        Raises as :func:`~storycast.adapters.faults.translated` does.

        Returns:
            None where we may not look; no names where there is no such bucket.
        """
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        try:
            with translated(f"ListObjectsV2 {uri}"):
                page = self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=MOST_NAMES)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _MAY_NOT_LOOK:
                return None
            if code == _GONE:
                return frozenset()
            raise
        return frozenset(one["Key"].removeprefix(prefix) for one in page.get("Contents", ()))
