"""Everything wrong with the input is found on this machine, told at once, and starts nothing."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import cli.running
from cli.main import app
from cli.project import Overrides, project_name
from cli.running import check_input
from storycast.names import is_run_id
from storycast.settings import read_settings
from tests.cli.media import write_picture, write_png_header, write_sound, write_video


@pytest.fixture(autouse=True)
def _nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr(cli.running, "opened", refuse)
    monkeypatch.setenv("COLUMNS", "200")


def refused(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["run", *map(str, arguments)])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


def test_each_problem_of_footage_is_told_at_once(tmp_path: Path, video: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a film")
    (tmp_path / "half.mp4").write_bytes(video.read_bytes()[:200])
    write_sound(tmp_path / "song.wav")
    names = ("empty.mp4", "text.mp4", "half.mp4", "song.wav", "missing.mp4")
    told = refused(video, tmp_path, *(tmp_path / name for name in names)).splitlines()
    assert len(told) == 6
    for name, what in (
        (f"{tmp_path} is a folder", "*.mp4"),
        ("empty.mp4 is empty", "again"),
        ("text.mp4 can't be read", "a text file"),
        ("half.mp4", ""),
        ("song.wav has no picture stream", "sound"),
        ("missing.mp4 does not exist", "Check"),
    ):
        (line,) = (line for line in told if name in line)
        assert line.startswith("Error: ")
        assert what in line


def test_a_fifo_and_a_name_with_escape_codes_are_refused(tmp_path: Path, video: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    hostile = tmp_path / "\x1b[31mred.mp4"
    hostile.write_bytes(video.read_bytes())
    told = refused(tmp_path / "pipe.mp4", hostile)
    assert "no regular file" in told
    assert "Rename" in told
    assert "\x1b" not in told


def test_one_name_twice_and_one_content_twice_are_refused(tmp_path: Path, video: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = write_video(tmp_path / "a/film.mp4", 1), write_video(tmp_path / "b/film.mp4", 2)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(video.read_bytes())
    told = refused(first, second, video, copy)
    assert f"{first} and {second} have one name" in told
    assert f"{video} and {copy} have the same content" in told
    assert refused(video, video).count("Error") == 1


def test_stills_are_footage(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "still.png")
    intake = check_input([picture], None)
    assert intake.name == "still"
    assert (intake.footage[0].header.width_px, intake.footage[0].size_bytes) == (32, picture.stat().st_size)


def test_a_wrong_key_of_the_project_file_is_named(project_file: Path, video: Path) -> None:
    project_file.write_text("sampling: {frames_per_secnd: 1}\n")
    assert "frames_per_secnd" in refused(video, "--project", project_file)


@pytest.mark.parametrize(("change", "told"), [("folder", "is a folder"), ("missing", "does not exist")])
def test_a_project_file_must_be_one(project_file: Path, video: Path, change: str, told: str) -> None:
    path = project_file.parent if change == "folder" else project_file.with_name("other.yaml")
    assert told in refused(video, "--project", path)


def test_references_must_be_there_and_readable(project_file: Path, video: Path) -> None:
    folder = project_file.parent / "cast"
    (folder / "bunny/notes.txt").write_text("grey")
    (folder / "bunny/.DS_Store").write_text("hidden files are not uploaded")
    broken = folder / "bunny/broken.png"
    broken.write_bytes((folder / "bunny/front.png").read_bytes()[:60])
    project_file.write_text(
        "characters:\n"
        "  - {name: Bunny, references: ['cast/bunny/*']}\n"
        "  - {name: Fox, references: ['cast/fox/*.jpg']}\n"
    )
    told = refused(video, "--project", project_file).splitlines()
    assert len(told) == 3
    assert any("'cast/fox/*.jpg' of Fox match no file" in line for line in told)
    assert any("broken.png can't be read" in line for line in told)
    assert any("notes.txt can't be read" in line for line in told)


@pytest.mark.parametrize(
    ("side_px", "told"), [(12_000, "12000 x 12000 pixels are too many"), (20_000, "far too many pixels")]
)
def test_a_decompression_bomb_is_not_decoded(project_file: Path, video: Path, side_px: int, told: str) -> None:
    write_png_header(project_file.parent / "cast/bunny/bomb.png", side_px)
    assert told in refused(video, "--project", project_file)


def test_references_match_as_they_do_in_the_bucket(project_file: Path, video: Path) -> None:
    """``*`` goes into folders there, so it does here."""
    write_picture(project_file.parent / "cast/bunny/far/away.png")
    intake = check_input([video], project_file)
    assert intake.project
    assert [reference.name for reference in intake.project.references] == [
        "cast/bunny/far/away.png",
        "cast/bunny/front.png",
        "cast/bunny/side.jpg",
    ]


def with_prompt(project_file: Path, content: str | None) -> Path:
    """Let a project name a prompt of its own, and write that prompt."""
    with project_file.open("a", encoding="utf-8") as file:
        file.write("captions: {prompt: prompts/mine.txt}\n")
    prompt = project_file.parent / "prompts" / "mine.txt"
    prompt.parent.mkdir()
    if content is not None:
        prompt.write_text(content, encoding="utf-8")
    return prompt


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            None,
            "mine.txt can't be read (No such file or directory). Put a prompt there, or leave captions.prompt out",
        ),
        ("{in_picture}\n{words} {looks}\n", "mine.txt: line 2: '{looks}' is no placeholder. Use {cast}"),
        ("{cast.__class__} {in_picture} {words}", "'{cast.__class__}' is no placeholder"),
        ("Say what you see.", "{in_picture} and {words} must stand in it"),
        ("x" * 20_000, "mine.txt is larger than 16,384 bytes"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_refused_before_an_upload(
    project_file: Path, video: Path, content: str | None, told: str
) -> None:
    with_prompt(project_file, content)
    assert told in refused(video, "--project", project_file)


def test_a_prompt_that_is_a_folder_or_lies_elsewhere_is_refused(project_file: Path, video: Path) -> None:
    prompt = with_prompt(project_file, None)
    prompt.mkdir()
    assert "mine.txt can't be read (Is a directory)" in refused(video, "--project", project_file)
    text = project_file.read_text(encoding="utf-8")
    for path in ("/etc/hostname", "../mine.txt", "prompts/"):
        project_file.write_text(text.replace("prompts/mine.txt", path), encoding="utf-8")
        assert "captions.prompt: " in refused(video, "--project", project_file)


def test_the_printed_prompt_can_be_named_as_it_is(project_file: Path, video: Path) -> None:
    printed = CliRunner().invoke(app, ["prompt"])
    assert printed.exit_code == 0
    with_prompt(project_file, printed.stdout)
    intake = check_input([video], project_file)
    assert intake.project
    assert intake.project.caption_prompt == printed.stdout.strip()


def test_a_training_needs_a_budget_where_the_project_file_is_here(project_file: Path, video: Path) -> None:
    assert "needs a budget_usd above 0" in refused(video, "--project", project_file, "--train", "bedrock")
    with project_file.open("a", encoding="utf-8") as file:
        file.write("budget_usd: 100\n")
    intake = check_input([video], project_file, overrides=Overrides(train="bedrock"))
    assert intake.overrides.train == "bedrock"
    check_input([video], None, overrides=Overrides(train="bedrock"))  # the bucket's project file may have one


def test_out_must_be_a_folder_or_become_one(video: Path, tmp_path: Path) -> None:
    assert "is a file" in refused(video, "--out", video / "out")
    check_input([video], None, out=tmp_path / "new/out")
    assert not (tmp_path / "new").exists()


def test_options_are_checked_before_footage(video: Path) -> None:
    runner = CliRunner()
    for arguments, told in (
        (["upload", str(video)], "--project-name"),
        (["upload", str(video), "--project-name", "x", "--out", "o"], "--follow"),
        (["upload", str(video), "--project-name", "a/b", "--follow"], "a/b"),
        (["upload", str(video), "--project-name", "..", "--follow"], "'..'"),
        (["run", str(video), "--target", "moon"], "moon"),
        (["run"], "FOOTAGE"),
        (["status", "--follow"], "RUN"),
        (["dance"], "dance"),
    ):
        result = runner.invoke(app, arguments)
        assert (result.exit_code, told in result.stderr) == (2, True), (arguments, result.output)


def test_the_project_is_named_after_its_folder_its_file_or_the_footage(tmp_path: Path) -> None:
    footage = Path("Big Film.mp4")
    assert project_name(tmp_path / "Ünser Film/project.yaml", footage) == "unser-film"
    assert project_name(tmp_path / "x/bunny.yaml", footage) == "bunny"
    assert project_name(None, footage) == "big-film"


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=40))
def test_a_project_name_is_always_a_slug(stem: str) -> None:
    name = project_name(None, Path(f"{stem}.mp4"))
    assert is_run_id(name[:40].strip("-"))
    assert name == project_name(None, Path(f"{stem}.mp4"))


def test_names_without_latin_letters_stay_apart() -> None:
    assert project_name(None, Path("映画.mp4")) != project_name(None, Path("物語.mp4"))


def test_overrides_change_only_their_keys() -> None:
    content = b"# mine\nreview: {mode: page, minimum_per_character: 3}\nbudget_usd: 5\n"
    changed = read_settings(Overrides(review="auto", train="none").apply(content, "p"), "p")
    assert (changed.review.mode, changed.review.minimum_per_character) == ("auto", 3)
    assert (changed.training.target, changed.budget_usd) == ("none", 5)
    assert read_settings(Overrides(review="auto").apply(b"", "p"), "p").review.mode == "auto"
