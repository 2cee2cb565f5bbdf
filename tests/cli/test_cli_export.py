"""`storycast export`: from a run or a folder to a trainer's folder, whole or not at all, and cheap to repeat."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from cli.export_folder import MARKER, ExportRecord, read_export, replaced
from cli.main import app
from cli.target import Target
from storycast import keys
from storycast.dataset import with_split
from storycast.held_out import held_out_crops
from storycast.settings import Settings
from tests.cli.lora import put_dataset
from tests.cli.records import RUN_ID, put_record

FORMATS = ("bedrock", "walkthrough", "diffusers", "kohya")
CARD = "---\nlicense: other\n---\n\n# The dataset\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's folder as ``--out`` leaves it."""
    put_dataset(tmp_path / "film", RUN_ID, side_px=512)
    (tmp_path / "film/dataset/README.md").write_text(CARD)
    return tmp_path / "film"


@pytest.fixture
def in_bucket(folder: Path, target: Target, open_target: None) -> Target:
    """The same in the bucket."""
    put_record(target)
    for path in folder.rglob("*"):
        if path.is_file():
            key = keys.run_file(RUN_ID, path.relative_to(folder).as_posix())
            target.s3.put_object(Bucket=target.bucket, Key=key, Body=path.read_bytes())
    return target


def invoke(run: str | Path, kind: str, out: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["export", str(run), "--format", kind, "--out", str(out), *more])


def state_of(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return each file's node, time and content."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("kind", FORMATS)
def test_a_folder_is_exported_whole(folder: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "exports" / kind
    result = invoke(folder, kind, out)
    assert result.exit_code == 0, result.output
    told = " ".join(result.output.split())
    assert (
        f"Exported 16 pictures of Bunny, Frank as {kind} to {out}; 2 of them, whole shots, are held out." in told
    )
    record = ExportRecord.model_validate_json((out / MARKER).read_bytes())
    assert set(state_of(out)) == {*record.files, MARKER}
    sources = {path.name: path.read_bytes() for path in (folder / keys.IMAGES).iterdir()}
    assert sorted(record.pictures.values()) == sorted(sources)
    assert all((out / path).read_bytes() == sources[name] for path, name in record.pictures.items())
    card = (out / "README.md").read_text()
    assert card.startswith("---\nlicense: other\n")
    assert "## The dataset" in card
    assert [path.name for path in out.parent.iterdir()] == [kind], "nothing else is left beside it"


@pytest.mark.parametrize("kind", FORMATS)
def test_what_trainings_hold_out_is_held_out_of_exports(folder: Path, tmp_path: Path, kind: str) -> None:
    pictures = put_dataset(tmp_path / "again", RUN_ID, side_px=512)
    share = Settings().training.hold_out_share
    held = held_out_crops((one.image for one in pictures), share)
    marked = {one.image.crop_id for one in with_split(pictures, share) if one.held_out}
    assert marked == held
    assert held
    names = {one.file_name for one in pictures if one.image.crop_id in held}
    assert invoke(folder, kind, tmp_path / "out").exit_code == 0
    record = read_export(tmp_path / "out")
    assert record is not None
    if kind in ("diffusers", "kohya"):
        place = {"diffusers": "validation/", "kohya": "held_out/"}[kind]
        assert {name for path, name in record.pictures.items() if path.startswith(place)} == names
    else:
        lines = (tmp_path / "out/held_out.jsonl").read_text().splitlines()
        assert all(any(name in line for name in names) for line in lines)
        assert len(lines) == len(names)
        assert len((tmp_path / "out/manifest.jsonl").read_text().splitlines()) == 14


def test_all_can_be_trained_on(folder: Path, tmp_path: Path) -> None:
    assert invoke(folder, "diffusers", tmp_path / "out", "--hold-out", "0").exit_code == 0
    assert not (tmp_path / "out/validation").exists()
    assert len(list((tmp_path / "out/train").glob("*.png"))) == 16


@pytest.mark.parametrize("kind", FORMATS)
def test_a_run_is_exported_as_its_folder_is(in_bucket: Target, folder: Path, tmp_path: Path, kind: str) -> None:
    assert invoke(RUN_ID, kind, tmp_path / "from-run").exit_code == 0
    assert invoke(folder, kind, tmp_path / "from-folder").exit_code == 0
    one, other = (
        {name: three[2] for name, three in state_of(tmp_path / f"from-{of}").items()} for of in ("run", "folder")
    )
    assert one == other


@pytest.mark.parametrize("by_id", [True, False])
def test_what_has_not_changed_is_not_written(in_bucket: Target, folder: Path, tmp_path: Path, by_id: bool) -> None:
    run, out = (RUN_ID if by_id else folder), tmp_path / "out"
    assert invoke(run, "kohya", out).exit_code == 0
    before = state_of(out)
    result = invoke(run, "kohya", out)
    assert result.exit_code == 0
    assert "Nothing has changed since the last export" in result.output
    assert state_of(out) == before


def test_only_changed_pictures_are_fetched_again(
    in_bucket: Target, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert invoke(RUN_ID, "diffusers", out).exit_code == 0
    changed = sorted((folder / keys.IMAGES).iterdir())[3]
    Image.new("RGB", (600, 600), "teal").save(changed)
    key = keys.run_file(RUN_ID, f"{keys.IMAGES}{changed.name}")
    in_bucket.s3.put_object(Bucket=in_bucket.bucket, Key=key, Body=changed.read_bytes())
    fetched = []
    fetch = in_bucket.s3.download_fileobj

    def spied(bucket: str, key: str, file: Any) -> None:
        fetched.append(key)
        fetch(bucket, key, file)

    monkeypatch.setattr(in_bucket.s3, "download_fileobj", spied)
    assert invoke(RUN_ID, "diffusers", out).exit_code == 0
    assert [one for one in fetched if one.endswith(".png")] == [key]
    (path,) = out.glob(f"*/{changed.name}")
    assert path.read_bytes() == changed.read_bytes()


def test_a_former_export_of_another_kind_is_replaced(folder: Path, tmp_path: Path) -> None:
    assert invoke(folder, "kohya", tmp_path / "out").exit_code == 0
    assert invoke(folder, "diffusers", tmp_path / "out").exit_code == 0
    assert not (tmp_path / "out/dataset_config.toml").exists()
    assert not (tmp_path / "out/held_out").exists()


def test_what_people_changed_is_replaced_only_when_they_say_so(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert invoke(folder, "kohya", out).exit_code == 0
    caption = next(out.glob("train/*/*.txt"))
    caption.write_text("my own words\n")
    next(out.glob("held_out/*.png")).unlink()
    (out / "notes.md").write_text("mine")
    before = state_of(out)
    result = invoke(folder, "diffusers", out)
    assert result.exit_code == 2
    told = " ".join(result.output.split())
    assert f"{caption.relative_to(out)} was changed" in told
    assert "is missing" in told
    assert "notes.md was added" in told
    assert "--force" in told
    assert state_of(out) == before
    assert invoke(folder, "diffusers", out, "--force").exit_code == 0
    assert not (out / "notes.md").exists()


def test_what_a_trainer_left_beside_an_unchanged_export_stays(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert invoke(folder, "kohya", out).exit_code == 0
    (next(out.glob("train/*")) / "latents.npz").write_bytes(b"cache")
    before = state_of(out)
    result = invoke(folder, "kohya", out)
    assert result.exit_code == 0, result.output
    assert state_of(out) == before


@pytest.mark.parametrize("there", ["a file", "a link", "somebody's folder", "a broken marker"])
def test_what_is_no_export_is_never_touched(folder: Path, tmp_path: Path, there: str) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    match there:
        case "a file":
            out.write_text("mine")
        case "a link":
            out.symlink_to(other)
        case _:
            shutil.copytree(other, out)
    if there == "a broken marker":
        (out / MARKER).write_text('{"format": "storycast-export-1"}')
    result = invoke(folder, "kohya", out, "--force")
    assert result.exit_code == 2, result.output
    assert "Name a" in result.output
    assert (other / "mine.txt").read_text() == "mine"
    assert out.is_symlink() or out.is_file() or (out / "mine.txt").read_text() == "mine"


def test_an_empty_folder_is_used(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/.DS_Store").write_bytes(b"")
    assert invoke(folder, "kohya", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / MARKER).exists()


def test_an_export_that_fails_leaves_what_was_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert invoke(folder, "kohya", out).exit_code == 0
    before = state_of(out)
    monkeypatch.setattr(
        "cli.exporting.shutil.copyfile", lambda *_: (_ for _ in ()).throw(OSError(28, "No space", "x"))
    )
    result = invoke(folder, "diffusers", out)
    assert result.exit_code == 1
    assert state_of(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film", "out"]


def test_a_former_export_comes_back_when_the_new_one_cannot_take_its_place(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").write_text("old")
    with pytest.raises(FileNotFoundError), replaced(out) as part:
        part.rmdir()
    assert [path.name for path in out.iterdir()] == ["old"]


def test_limits_of_bedrock_are_told_before_anything_is_written(tmp_path: Path) -> None:
    put_dataset(tmp_path / "few", RUN_ID, count=4, side_px=256)
    result = invoke(tmp_path / "few", "bedrock", tmp_path / "out")
    assert result.exit_code == 2
    assert "training needs at least 5 pictures, the dataset has 4" in result.output
    assert result.output.count("256 x 256 px, training takes sides of 512 to 4096 px") == 4
    assert not (tmp_path / "out").exists()
    assert invoke(tmp_path / "few", "diffusers", tmp_path / "out").exit_code == 0


def test_captions_that_would_spoil_a_training_are_told_and_exported(folder: Path, tmp_path: Path) -> None:
    manifest = folder / keys.APPROVED_MANIFEST
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    same = [{**line, "caption": "Bunny stands on the meadow in the sun"} for line in lines]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in same))
    result = invoke(folder, "kohya", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "Warning: 16 of 16 captions would spoil the training" in " ".join(result.output.split())


def test_a_broken_picture_is_told(folder: Path, tmp_path: Path) -> None:
    broken = sorted((folder / keys.IMAGES).iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:60])
    result = invoke(folder, "kohya", tmp_path / "out")
    assert result.exit_code == 2
    assert f"{broken}: it is no readable PNG or JPEG" in result.output


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--bucket-prefix", "s3://bucket/a/"), "goes with manifests"),
        (("--out", "."), "Name a folder of its own"),
        (("--out", ".."), "Name a folder of its own"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    folder: Path, tmp_path: Path, more: tuple[str, ...], says: str
) -> None:
    result = invoke(folder, "kohya", tmp_path / "out", *more)
    assert result.exit_code == 2
    assert says in result.output


def test_a_bad_prefix_is_refused(folder: Path, tmp_path: Path) -> None:
    result = invoke(folder, "bedrock", tmp_path / "out", "--bucket-prefix", "my-bucket")
    assert result.exit_code == 2
    assert "is no S3 URI of a folder" in result.output


def test_a_manifest_for_another_bucket(folder: Path, tmp_path: Path) -> None:
    result = invoke(folder, "walkthrough", tmp_path / "out", "--bucket-prefix", "s3://mine-1/film")
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (tmp_path / "out/manifest.jsonl").read_text().splitlines()]
    for line in lines:
        assert set(line) == {"image_ref", "alt_text"}
        assert (tmp_path / "out" / line["image_ref"].removeprefix("s3://mine-1/film/")).is_file()


def test_no_such_run_is_told(in_bucket: Target, tmp_path: Path) -> None:
    result = invoke("film-20260101-abcdef", "kohya", tmp_path / "out")
    assert result.exit_code == 2
    assert "There is no run 'film-20260101-abcdef'" in result.output
    assert not (tmp_path / "out").exists()
