"""The copy of a run's folder: complete, cheap to repeat, and never outside of its folder."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.run_copy import OutFolderError, UnsafeKeyError, copy_run, safe_path
from cli.screen import Screen
from cli.target import Target

RUN = "film-20261122-1a2b3c"


def put(target: Target, name: str, content: bytes = b"x") -> None:
    target.s3.put_object(Bucket=target.bucket, Key=f"runs/{RUN}/{name}", Body=content)


def everything_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_run_is_laid_out_as_in_the_bucket(target: Target, tmp_path: Path, screen: Screen) -> None:
    for name in ("run.json", "dataset/images/Bunny 001.png", "dataset/", "grüße.txt"):
        put(target, name, name.encode() if not name.endswith("/") else b"")
    target.s3.put_object(Bucket=target.bucket, Key=f"runs/{RUN}-other/run.json", Body=b"another run's")
    copy = copy_run(target.s3, target.bucket, RUN, tmp_path / "out", screen)
    assert (copy.copied, copy.unchanged, copy.left_out) == (3, 0, ())
    expected = {"run.json", "dataset/images/Bunny 001.png", "grüße.txt"}
    assert everything_below(tmp_path / "out" / RUN) == expected
    assert (tmp_path / "out" / RUN / "grüße.txt").read_text() == "grüße.txt"


def test_what_only_the_trainer_goes_on_from_stays_in_the_bucket(
    target: Target, tmp_path: Path, screen: Screen
) -> None:
    work = "training/t0a1b2c3d/work-train/"
    for name in ("state-000250/optimizer.bin", "state-000250/complete.json", "metrics.csv", "adapter/README.md"):
        put(target, work + name)
    put(target, "dataset/images/state-000250/x.png")
    copy = copy_run(target.s3, target.bucket, RUN, tmp_path, screen)
    assert copy.left_out == ()
    assert everything_below(tmp_path / RUN) == {
        f"{work}metrics.csv",
        f"{work}adapter/README.md",
        "dataset/images/state-000250/x.png",
    }


def test_repeating_a_copy_sends_only_what_changed(target: Target, tmp_path: Path, screen: Screen) -> None:
    for name in ("a", "b", "c"):
        put(target, name)
    copy_run(target.s3, target.bucket, RUN, tmp_path, screen)
    put(target, "b", b"y")
    (tmp_path / RUN / "c").write_bytes(b"z")
    (tmp_path / RUN / "mine.txt").write_text("stays")
    copy = copy_run(target.s3, target.bucket, RUN, tmp_path, screen)
    assert (copy.copied, copy.unchanged) == (2, 1)
    assert (tmp_path / RUN / "b").read_bytes() + (tmp_path / RUN / "c").read_bytes() == b"yx"
    assert everything_below(tmp_path / RUN) == {"a", "b", "c", "mine.txt"}


def test_large_objects_are_compared_by_size_and_time(target: Target, tmp_path: Path, screen: Screen) -> None:
    key = f"runs/{RUN}/large.bin"
    begun = target.s3.create_multipart_upload(Bucket=target.bucket, Key=key)["UploadId"]
    part = target.s3.upload_part(Bucket=target.bucket, Key=key, UploadId=begun, PartNumber=1, Body=b"large")
    target.s3.complete_multipart_upload(
        Bucket=target.bucket,
        Key=key,
        UploadId=begun,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert copy_run(target.s3, target.bucket, RUN, tmp_path, screen).copied == 1
    assert copy_run(target.s3, target.bucket, RUN, tmp_path, screen).unchanged == 1
    os.utime(tmp_path / RUN / "large.bin")
    assert copy_run(target.s3, target.bucket, RUN, tmp_path, screen).copied == 1


HOSTILE = (
    "../../evil",
    "dataset/../../evil",
    "/etc/evil",
    "dataset//evil",
    "./evil",
    "..",
    "back\\slash",
    "bell\x07",
    "x" * 250,
)


@pytest.mark.parametrize("below", HOSTILE)
def test_hostile_keys_have_no_path(below: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeKeyError):
        safe_path(tmp_path, below)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_no_key_leads_outside(below: str) -> None:
    folder = Path("/out/run")
    try:
        path = safe_path(folder, below)
    except UnsafeKeyError:
        return
    assert Path(os.path.normpath(path)).is_relative_to(folder)
    assert path != folder


def test_hostile_keys_are_left_out_and_named(target: Target, tmp_path: Path, screen: Screen) -> None:
    put(target, "run.json")
    put(target, "../../evil")
    put(target, "a\x1b[2J")
    copy = copy_run(target.s3, target.bucket, RUN, tmp_path / "out", screen)
    assert copy.copied == 1
    assert len(copy.left_out) == 2
    assert not any("\x1b" in reason for reason in copy.left_out)
    assert everything_below(tmp_path) == {f"out/{RUN}/run.json"}


def test_a_key_that_is_file_and_folder_at_once_is_left_out(target: Target, tmp_path: Path, screen: Screen) -> None:
    put(target, "a")
    copy_run(target.s3, target.bucket, RUN, tmp_path, screen)
    put(target, "a/b")
    copy = copy_run(target.s3, target.bucket, RUN, tmp_path, screen)
    assert (copy.unchanged, len(copy.left_out)) == (1, 1)


def test_links_are_never_written_through(target: Target, tmp_path: Path, screen: Screen) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept.txt").write_text("mine")
    folder = tmp_path / "out" / RUN
    folder.mkdir(parents=True)
    (folder / "dataset").symlink_to(elsewhere)
    (folder / "run.json").symlink_to(elsewhere / "kept.txt")
    put(target, "dataset/images/new.png")
    put(target, "run.json", b"the run")
    copy = copy_run(target.s3, target.bucket, RUN, tmp_path / "out", screen)
    assert [reason.split(":")[0] for reason in copy.left_out] == [f"'runs/{RUN}/dataset/images/new.png'"]
    assert everything_below(elsewhere) == {"kept.txt"}
    assert (elsewhere / "kept.txt").read_text() == "mine"
    assert (folder / "run.json").read_text() == "the run"
    assert not (folder / "run.json").is_symlink()


def test_a_linked_run_folder_is_refused(target: Target, tmp_path: Path, screen: Screen) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / RUN).symlink_to(tmp_path / "elsewhere")
    put(target, "run.json")
    with pytest.raises(OutFolderError):
        copy_run(target.s3, target.bucket, RUN, tmp_path / "out", screen)
    assert not everything_below(tmp_path / "elsewhere")
