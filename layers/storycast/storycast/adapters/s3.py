"""The media bucket on S3."""

from collections.abc import Iterator
from typing import IO, Any

from botocore.exceptions import ClientError

from storycast.adapters.clients import client
from storycast.adapters.faults import translated
from storycast.adapters.ranged_reader import open_ranged
from storycast.ports import ObjectChangedError, Reads, StoredObject

_MISSING = {"NoSuchKey", "NoSuchVersion", "404", "NotFound"}
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}
"""What S3 answers to a write whose condition does not hold; the last where the object was deleted."""


class S3Store:
    """An :class:`~storycast.ports.ObjectStore` over one bucket."""

    def __init__(self, bucket: str, s3: Any = None) -> None:
        self._bucket = bucket
        self._s3 = s3 or client("s3")

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return self._bucket

    def get(self, key: str) -> bytes:
        """Return an object's content; see :meth:`ObjectStore.get`."""
        return self.get_with_etag(key)[0]

    def get_with_etag(self, key: str) -> tuple[bytes, str]:
        """Return an object's content and its ETag; see :meth:`ObjectStore.get_with_etag`."""
        with translated(f"reading {key}"):
            try:
                found = self._s3.get_object(Bucket=self._bucket, Key=key)
                content: bytes = found["Body"].read()
            except ClientError as error:
                raise _missing(error, key) from error
        return content, found["ETag"].strip('"')

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Write an object, replacing what is there."""
        with translated(f"writing {key}"):
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type)

    def put_if(self, key: str, content: bytes, content_type: str, etag: str | None) -> None:
        """Write an object in place of one content alone; see :meth:`ObjectStore.put_if`."""
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": f'"{etag}"'}
        with translated(f"writing {key}"):
            try:
                self._s3.put_object(
                    Bucket=self._bucket, Key=key, Body=content, ContentType=content_type, **condition
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code", "") in _CHANGED:
                    raise ObjectChangedError(key) from error
                raise

    def head(self, key: str) -> StoredObject:
        """Return what is known of an object; see :meth:`ObjectStore.head`."""
        with translated(f"looking at {key}"):
            try:
                found = self._s3.head_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                raise _missing(error, key) from error
        return StoredObject(
            key,
            found["ContentLength"],
            found["ETag"].strip('"'),
            found.get("VersionId"),
            found.get("LastModified"),
        )

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects below a prefix, by key."""
        with translated(f"listing {prefix}"):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    etag, at = item["ETag"].strip('"'), item.get("LastModified")
                    yield StoredObject(item["Key"], item["Size"], etag, written_at=at)

    def delete(self, key: str) -> None:
        """Delete an object; one that is gone is no fault."""
        with translated(f"deleting {key}"):
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def open(self, stored: StoredObject, reads: Reads | None = None) -> IO[bytes]:
        """Return a seekable file over one content of an object; see :meth:`ObjectStore.open`."""
        return open_ranged(self._s3, self._bucket, stored, reads)


def _missing(error: ClientError, key: str) -> Exception:
    """Return the error as a ``KeyError`` where it says that there is no such object, else as it is."""
    code = error.response.get("Error", {}).get("Code", "")
    return KeyError(key) if code in _MISSING else error
