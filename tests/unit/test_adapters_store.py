"""One suite for the bucket of AWS (moto) and the fake one, with versions and without."""

import io
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from storycast.adapters import ranged_reader
from storycast.adapters.ranged_reader import RangedReader
from storycast.adapters.s3 import S3Store
from storycast.errors import DependencyUnavailableError, FootageMissingError, ThrottledError
from storycast.ports import ObjectChangedError, ObjectStore, Reads, StoredObject
from tests.fakes.store import MemoryStore

BUCKET = "media"


def _s3(*, versioned: bool) -> Any:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket=BUCKET)
    if versioned:
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return s3


def _delete(store: ObjectStore, key: str) -> None:
    if isinstance(store, MemoryStore):
        store.delete(key)
    else:
        boto3.client("s3", region_name="us-east-1").delete_object(Bucket=BUCKET, Key=key)


@pytest.fixture(params=["fake", "fake without versions", "s3", "s3 without versions"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    versioned = "without" not in request.param
    if request.param.startswith("fake"):
        return MemoryStore(BUCKET, versioned=versioned)
    request.getfixturevalue("aws")
    return S3Store(BUCKET, _s3(versioned=versioned))


def test_knows_its_bucket(store: ObjectStore) -> None:
    assert store.bucket == BUCKET


@pytest.mark.parametrize("key", ["plain.txt", "with space/ü + 100%.mp4", "a%20b+c", "日本/映画.mp4", "a//b"])
def test_gives_back_what_was_put_under_any_key(store: ObjectStore, key: str) -> None:
    store.put(key, b"first", "text/plain")
    store.put(key, b"second", "text/plain")
    assert store.get(key) == b"second"
    assert store.head(key).key == key
    assert [stored.key for stored in store.list("")] == [key]


def test_an_object_that_is_not_there_is_a_key_error(store: ObjectStore) -> None:
    with pytest.raises(KeyError, match="nothing"):
        store.get("nothing")
    with pytest.raises(KeyError, match="nothing"):
        store.head("nothing")


def test_a_deleted_object_is_gone(store: ObjectStore) -> None:
    store.put("a", b"1", "text/plain")
    _delete(store, "a")
    with pytest.raises(KeyError):
        store.get("a")
    with pytest.raises(KeyError):
        store.head("a")
    assert list(store.list("")) == []


def test_head_tells_size_and_an_etag_without_quotes_that_changes_with_the_content(store: ObjectStore) -> None:
    store.put("a", b"12345", "text/plain")
    first = store.head("a")
    store.put("a", b"12346", "text/plain")
    second = store.head("a")
    assert (first.size_bytes, second.size_bytes) == (5, 5)
    assert '"' not in first.etag
    assert first.etag != second.etag
    assert first.etag == "827ccb0eea8a706c4c34a16891f84e7b"
    assert (first.version_id is None) == (second.version_id is None)
    assert first.version_id is None or first.version_id != second.version_id


def test_lists_by_key_below_a_prefix(store: ObjectStore) -> None:
    for key in ("many/2", "man", "many/10", "many/ü", "many/1"):
        store.put(key, b"x", "text/plain")
    listed = list(store.list("many/"))
    assert [stored.key for stored in listed] == ["many/1", "many/10", "many/2", "many/ü"]
    assert listed[0].etag == store.head("many/1").etag
    assert list(store.list("none/")) == []


def test_tells_when_an_object_was_written(store: ObjectStore) -> None:
    store.put("a", b"1", "text/plain")
    listed = next(store.list("a"))
    assert listed.written_at is not None
    assert listed.written_at.tzinfo is not None
    assert listed.written_at == store.head("a").written_at


def test_an_object_is_read_with_the_etag_of_this_content(store: ObjectStore) -> None:
    for content in (b"first", b"second"):
        store.put("a", content, "text/plain")
        assert store.get_with_etag("a") == (content, store.head("a").etag)
    with pytest.raises(KeyError, match="nothing"):
        store.get_with_etag("nothing")


def test_a_content_is_replaced_only_while_it_is_there(store: ObjectStore) -> None:
    store.put("a", b"first", "text/plain")
    etag = store.head("a").etag
    store.put_if("a", b"second", "application/json", etag)
    with pytest.raises(ObjectChangedError, match="a"):
        store.put_if("a", b"third", "application/json", etag)
    assert store.get("a") == b"second"
    store.put_if("a", b"third", "application/json", store.head("a").etag)
    assert store.get("a") == b"third"


def test_an_object_is_made_only_where_none_is(store: ObjectStore) -> None:
    store.put_if("a", b"first", "text/plain", None)
    with pytest.raises(ObjectChangedError, match="a"):
        store.put_if("a", b"second", "text/plain", None)
    assert store.get("a") == b"first"
    _delete(store, "a")
    store.put_if("a", b"third", "text/plain", None)
    assert store.get("a") == b"third"


def test_an_object_that_was_deleted_is_not_replaced(store: ObjectStore) -> None:
    with pytest.raises(ObjectChangedError):
        store.put_if("nothing", b"x", "text/plain", "827ccb0eea8a706c4c34a16891f84e7b")
    store.put("a", b"first", "text/plain")
    etag = store.head("a").etag
    _delete(store, "a")
    with pytest.raises(ObjectChangedError):
        store.put_if("a", b"second", "text/plain", etag)
    with pytest.raises(KeyError):
        store.get("a")


def test_an_open_file_seeks_and_reads(store: ObjectStore) -> None:
    content = bytes(range(256)) * 64
    store.put("film", content, "video/mp4")
    with store.open(store.head("film")) as file:
        assert file.seekable()
        assert file.read(4) == content[:4]
        assert file.seek(-6, io.SEEK_END) == len(content) - 6
        assert file.read() == content[-6:]
        assert file.read(1) == b""
        assert file.seek(len(content) + 10) == len(content) + 10
        assert file.read(1) == b""
        file.seek(1000)
        file.seek(24, io.SEEK_CUR)
        assert file.tell() == 1024
        assert file.read(2) == content[1024:1026]


def test_what_an_open_file_reads_is_counted(store: ObjectStore) -> None:
    content = bytes(1024) * 4
    store.put("film", content, "video/mp4")
    reads = Reads(requests=1, bytes_read=5)
    with store.open(store.head("film"), reads) as file:
        assert file.read() == content
    assert reads == Reads(requests=2, bytes_read=5 + len(content))


def test_an_open_file_stays_the_content_it_was_or_says_that_it_is_missing(store: ObjectStore) -> None:
    store.put("film", b"first content", "video/mp4")
    pinned = store.head("film")
    store.put("film", b"other content", "video/mp4")
    if pinned.version_id:
        with store.open(pinned) as file:
            assert file.read() == b"first content"
    else:
        with pytest.raises(FootageMissingError, match="film"):
            store.open(pinned).read()


def test_an_open_file_of_a_deleted_object_stays_readable_by_version_or_says_that_it_is_missing(
    store: ObjectStore,
) -> None:
    store.put("film", b"content", "video/mp4")
    pinned = store.head("film")
    _delete(store, "film")
    if pinned.version_id:
        with store.open(pinned) as file:
            assert file.read() == b"content"
    else:
        with pytest.raises(FootageMissingError, match="film"):
            store.open(pinned).read()


def test_a_version_that_was_never_there_is_missing_footage(store: ObjectStore) -> None:
    store.put("film", b"content", "video/mp4")
    there = store.head("film")
    version_id = "11111111-2222-3333-4444-555555555555" if there.version_id else None
    with pytest.raises(FootageMissingError, match="film"):
        store.open(StoredObject("film", there.size_bytes, "0" * 32, version_id)).read()


# ---- what only the reader over ranges has ---------------------------------------------------------


class _Counted:
    """An S3 client that notes each range that it is asked for."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self.asked: list[dict[str, Any]] = []

    def get_object(self, **arguments: Any) -> Any:
        self.asked.append(arguments)
        return self._s3.get_object(**arguments)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(ranged_reader, "BLOCK_BYTES", 1000)
    return 1000


def _reader(content: bytes, *, versioned: bool = True) -> tuple[RangedReader, _Counted]:
    s3 = _s3(versioned=versioned)
    store = S3Store(BUCKET, s3)
    store.put("film", content, "video/mp4")
    counted = _Counted(s3)
    return RangedReader(counted, BUCKET, store.head("film")), counted


@pytest.mark.usefixtures("aws")
def test_each_block_is_asked_for_once(small_blocks: int) -> None:
    content = bytes(range(250)) * 10
    reader, s3 = _reader(content)
    assert reader.read(10) == content[:10]
    reader.seek(500)
    assert reader.read(10) == content[500:510]
    assert reader.readall() == content[510:]
    reader.seek(0)
    assert reader.readall() == content
    assert [asked["Range"] for asked in s3.asked] == ["bytes=0-999", "bytes=1000-2499"]
    assert reader.reads == Reads(2, 2500)


class _Whole:
    """An S3 client that answers a range of a version with everything, as the emulator does."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def get_object(self, **arguments: Any) -> Any:
        if "VersionId" in arguments:
            del arguments["Range"]
        return self._s3.get_object(**arguments)


@pytest.mark.usefixtures("aws")
def test_a_server_that_gives_everything_is_asked_by_the_etag(small_blocks: int) -> None:
    content = bytes(range(250)) * 10
    s3 = _s3(versioned=True)
    store = S3Store(BUCKET, s3)
    store.put("film", content, "video/mp4")
    reader = RangedReader(_Whole(s3), BUCKET, store.head("film"))
    reader.seek(1200)
    assert reader.read(10) == content[1200:1210]
    reader.seek(0)
    assert reader.readall() == content
    assert reader.reads.requests == 4, "once in vain"


@pytest.mark.usefixtures("aws")
def test_only_the_last_used_blocks_are_kept(small_blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranged_reader, "MAX_BLOCKS", 4)
    reader, s3 = _reader(bytes(6000))
    reader.readall()
    reader.seek(5999)
    reader.read(1)
    before = len(s3.asked)
    reader.seek(0)
    reader.read(1)
    assert len(s3.asked) == before + 1


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("versioned", [True, False])
def test_every_request_is_pinned_to_one_content(versioned: bool) -> None:
    reader, s3 = _reader(b"content", versioned=versioned)
    reader.readall()
    assert {"VersionId" if versioned else "IfMatch"} == set(s3.asked[0]) - {"Bucket", "Key", "Range"}


@pytest.mark.usefixtures("aws")
def test_a_position_before_the_beginning_is_refused() -> None:
    reader, s3 = _reader(b"content")
    with pytest.raises(OSError, match="before"):
        reader.seek(-1)
    assert reader.tell() == 0
    assert s3.asked == []


def test_a_listing_goes_on_over_pages() -> None:
    s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
    pages = [["a/1", "a/2"], ["a/3"]]
    with Stubber(s3) as stubber:
        for number, page in enumerate(pages):
            contents = [{"Key": key, "Size": 1, "ETag": '"e"'} for key in page]
            more = {"IsTruncated": True, "NextContinuationToken": "on"} if number == 0 else {"IsTruncated": False}
            stubber.add_response("list_objects_v2", {"Contents": contents, **more})
        assert [stored.key for stored in S3Store(BUCKET, s3).list("a/")] == ["a/1", "a/2", "a/3"]


@pytest.mark.usefixtures("aws")
def test_content_type_is_stored() -> None:
    s3 = _s3(versioned=True)
    S3Store(BUCKET, s3).put("a.png", b"1", "image/png")
    S3Store(BUCKET, s3).put_if("b.png", b"1", "image/png", None)
    for key in ("a.png", "b.png"):
        assert s3.head_object(Bucket=BUCKET, Key=key)["ContentType"] == "image/png"


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("PreconditionFailed", 412, ObjectChangedError),
        ("ConditionalRequestConflict", 409, ObjectChangedError),
        ("NoSuchKey", 404, ObjectChangedError),
        ("SlowDown", 503, ThrottledError),
        ("InternalError", 500, DependencyUnavailableError),
        ("AccessDenied", 403, ClientError),
    ],
)
def test_a_condition_that_does_not_hold_is_told_from_other_faults(
    code: str, status: int, expected: type[Exception]
) -> None:
    s3 = boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id="t",
        aws_secret_access_key="t",
        config=Config(retries={"total_max_attempts": 1}),
    )
    asked = {"Bucket": BUCKET, "Key": "a", "Body": b"1", "ContentType": "text/plain", "IfMatch": '"e"'}
    with Stubber(s3) as stubber:
        stubber.add_client_error("put_object", code, http_status_code=status, expected_params=asked)
        with pytest.raises(expected):
            S3Store(BUCKET, s3).put_if("a", b"1", "text/plain", "e")


def test_an_endpoint_that_does_not_answer_is_a_dependency(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
    )
    with pytest.raises(DependencyUnavailableError, match="reading a"):
        S3Store(BUCKET, s3).get("a")
