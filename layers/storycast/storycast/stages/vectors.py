"""The run's ``embeddings.npy``: a film's length of vectors is 400 MB, of which each needless copy counts."""

import io
from dataclasses import replace

import numpy as np

from storycast.embeddings import Vectors
from storycast.ports import ObjectStore


def read_vectors(store: ObjectStore, key: str) -> Vectors:
    """Return vectors out of the bucket, read in ranges into their own place: they are in memory once.

    Raises:
        KeyError: There is no such object.
        ValueError: It is no array.
    """
    # Pinned by its ETag alone: reading a version needs a right of its own.
    stored = replace(store.head(key), version_id=None)
    with store.open(stored) as file:
        vectors: Vectors = np.load(file, allow_pickle=False)
    return vectors


def write_vectors(store: ObjectStore, key: str, vectors: Vectors) -> None:
    """Write vectors in NumPy's format; with what is sent they are in memory twice, not three times."""
    rows = np.ascontiguousarray(vectors)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(rows))
    content = b"".join((header.getvalue(), rows.view(np.uint8).data))
    store.put(key, content, "application/octet-stream")
