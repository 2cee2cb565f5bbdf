"""`storycast report`: the page of a run, fetched or made anew, and written where it belongs."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from cli.main import app
from cli.target import Target
from storycast import keys
from tests.cli.records import (
    BEGAN,
    RUN_ID,
    put,
    put_model,
    put_panels,
    put_record,
    put_row,
    put_session,
    put_settings,
)

pytestmark = pytest.mark.usefixtures("opened")


@pytest.fixture
def opened(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def give(*_: Any) -> Iterator[Target]:
        yield target

    monkeypatch.setattr("cli.reporting.opened", give)


def asked(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["report", *arguments])


def test_the_runs_report_is_fetched(target: Target, tmp_path: Path) -> None:
    put_record(target)
    put(target, keys.run_file(RUN_ID, "report.html"), b"<!doctype html>as it was")
    result = asked(RUN_ID, "--out", str(tmp_path / "out"))
    path = tmp_path / "out" / RUN_ID / "report.html"
    assert result.exit_code == 0, result.output
    assert path.read_bytes() == b"<!doctype html>as it was"
    assert f"The report: {path}" in result.output
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]


def test_a_run_without_a_report_gets_one_and_the_bucket_stays_as_it_is(target: Target, tmp_path: Path) -> None:
    put_record(target, status="failed", error="NoFramesError", cause="None of 3 sampled frames could be kept.")
    result = asked(RUN_ID, "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "Making the report from the run's files" in result.output
    assert "None of 3 sampled frames could be kept." in (tmp_path / RUN_ID / "report.html").read_text()
    there = target.s3.list_objects_v2(Bucket=target.bucket)["Contents"]
    assert [one["Key"] for one in there] == [keys.run_file(RUN_ID, "run.json")]


def test_fresh_reads_the_book_and_what_was_trained_and_drawn(target: Target, tmp_path: Path) -> None:
    put_record(target, status="storyboard_ready", training_ids=["t0123abcd"])
    put(target, keys.run_file(RUN_ID, "report.html"), b"old")
    put_session(target, "0a1b2c", put_settings(target))
    put_model(target)
    put_panels(target, 1, "Bunny on a meadow", refused="one was filtered", given=2)
    put_row(target, "still-there-h")
    result = asked(RUN_ID, "--out", str(tmp_path), "--fresh")
    assert result.exit_code == 0, result.output
    page = (tmp_path / RUN_ID / "report.html").read_text()
    for text in ("Bunny on a meadow", "one was filtered", "still-there-h", "Still billed", "0.1250"):
        assert text in page, text


def test_the_book_may_be_closed_to_the_reader(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Query")

    monkeypatch.setattr("cli.reporting.rows", refuse)
    put_record(target)
    result = asked(RUN_ID, "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "The billing book may not be read" in result.output


def test_it_is_opened_on_request(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def browse(url: str) -> bool:
        seen.append(url)
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    put_record(target)
    assert asked(RUN_ID, "--out", str(tmp_path)).exit_code == 0
    assert seen == []
    assert asked(RUN_ID, "--out", str(tmp_path), "--open").exit_code == 0
    assert seen == [(tmp_path / RUN_ID / "report.html").as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    assert "No browser could be opened" in asked(RUN_ID, "--out", str(tmp_path), "--open").output


def test_there_is_no_report_of_no_run(tmp_path: Path) -> None:
    result = asked("nobody-20260101-abcdef", "--out", str(tmp_path))
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_it_is_never_written_through_a_link(target: Target, tmp_path: Path) -> None:
    put_record(target)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.html").write_text("mine")
    folder = tmp_path / "out" / RUN_ID
    folder.mkdir(parents=True)
    (folder / "report.html").symlink_to(elsewhere / "mine.html")
    assert asked(RUN_ID, "--out", str(tmp_path / "out")).exit_code == 0
    assert (elsewhere / "mine.html").read_text() == "mine"
    assert not (folder / "report.html").is_symlink()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / RUN_ID).symlink_to(elsewhere)
    assert asked(RUN_ID, "--out", str(tmp_path / "linked")).exit_code == 2


def test_a_folder_that_cannot_be_used_is_refused_first(target: Target, tmp_path: Path) -> None:
    put_record(target)
    (tmp_path / "file").write_text("")
    result = asked(RUN_ID, "--out", str(tmp_path / "file"))
    assert result.exit_code == 2


def test_times_of_stages_are_the_buckets(target: Target, tmp_path: Path) -> None:
    put_record(target, started_at=(BEGAN - timedelta(days=365)).isoformat(), footage=[_source()])
    put(target, keys.run_file(RUN_ID, "segments.jsonl"), b"")
    assert asked(RUN_ID, "--out", str(tmp_path)).exit_code == 0
    written = target.s3.head_object(Bucket=target.bucket, Key=keys.run_file(RUN_ID, "segments.jsonl"))[
        "LastModified"
    ]
    assert f"{_utc(written)}" in (tmp_path / RUN_ID / "report.html").read_text()


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _source() -> dict[str, Any]:
    return {"footage_id": "f" * 12, "name": "f.mp4", "key": "k", "size_bytes": 1, "etag": "e", "version_id": None}
