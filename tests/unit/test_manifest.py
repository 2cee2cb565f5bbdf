"""The manifest against the limits that Amazon documents for Nova Canvas and Titan: records, captions, pictures."""

import json

import pytest

from storycast.manifest import (
    KEY_NAMES,
    MAX_RECORDS,
    MIN_RECORDS,
    ManifestRecord,
    picture_problem,
    problems,
    read_manifest,
    write_manifest,
)

MEGABYTE = 1024 * 1024


def manifest(count: int, caption: str = "Mara waits", keys: str = "bedrock") -> bytes:
    records = [ManifestRecord(image_uri=f"s3://b/images/{at:05d}.png", caption=caption) for at in range(count)]
    return write_manifest(records, keys)  # type: ignore[arg-type]


def test_the_limits_are_the_documented_ones() -> None:
    assert (MIN_RECORDS, MAX_RECORDS) == (5, 10_000)
    assert [problems(count) == [] for count in (4, 5, 10_000, 10_001)] == [False, True, True, False]
    assert [problems(count, "sagemaker") == [] for count in (0, 1, 10_000, 10_001)] == [False, True, True, False]


@pytest.mark.parametrize("keys", KEY_NAMES)
def test_the_largest_manifest_is_one_object_a_line_and_reads_back_whole(keys: str) -> None:
    content = manifest(MAX_RECORDS, "Ä" * 1024, keys)
    lines = content.decode().split("\n")
    assert lines.pop() == ""
    assert len(lines) == MAX_RECORDS
    assert tuple(json.loads(lines[-1])) == KEY_NAMES[keys]
    records, wrong = read_manifest(content)
    assert (len(records), wrong) == (MAX_RECORDS, {})
    assert records[MAX_RECORDS].image_uri == "s3://b/images/09999.png"


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\u0085"])
def test_a_caption_with_a_line_separator_of_unicode_stays_one_line(sign: str) -> None:
    caption = f"Mara{sign}waits"
    records, wrong = read_manifest(manifest(5, caption))
    assert ([one.caption for one in records.values()], wrong) == ([caption] * 5, {})


def test_manifests_of_other_systems_are_read() -> None:
    content = b"\xef\xbb\xbf" + manifest(5).replace(b"\n", b"\r\n")
    records, wrong = read_manifest(content)
    assert (len(records), wrong) == (5, {})


@pytest.mark.parametrize(("length", "fits"), [(2, False), (3, True), (1024, True), (1025, False)])
def test_captions_of_3_to_1024_characters_fit(length: int, fits: bool) -> None:
    _, wrong = read_manifest(manifest(1, "ü" * length))
    assert (not wrong) == fits
    assert fits or f"{length} characters" in wrong[1]


@pytest.mark.parametrize(
    ("width_px", "height_px", "size_bytes", "says"),
    [
        (512, 512, 1, ""),
        (4096, 3072, 50 * MEGABYTE, ""),
        (511, 512, 1, "512 to 4096"),
        (4097, 3000, 1, "512 to 4096"),
        (4096, 3073, 1, "12,582,912"),
        (2048, 512, 1, ""),
        (2052, 512, 1, "1:4"),
        (512, 2052, 1, "1:4"),
        (512, 512, 50 * MEGABYTE + 1, "52,428,801 bytes"),
    ],
)
def test_pictures_outside_the_limits_are_told(width_px: int, height_px: int, size_bytes: int, says: str) -> None:
    problem = picture_problem(width_px, height_px, size_bytes)
    assert says in problem
    assert bool(problem) == bool(says)
