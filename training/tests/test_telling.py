"""Progress, metrics, and being asked to end."""

import json
import os
import signal
from pathlib import Path

import pytest

from cases import Case
from trainer import dataset
from trainer.metrics import HEADER, Metrics, Row
from trainer.pictures import pixels
from trainer.progress import EVERY_S, Progress
from trainer.stopping import EXIT_CODE, Stopped, StopSignal


def read(file: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return content


def test_progress_is_not_written_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("trainer.progress.time.monotonic", lambda: now)
    progress = Progress(tmp_path / "progress.json", "train")
    progress.phase("training")
    progress.step(1, 9, loss=0.5)
    assert read(tmp_path / "progress.json")["step"] is None
    now += EVERY_S
    progress.step(2, 9)
    assert read(tmp_path / "progress.json") | {"at": ""} == {
        "format": "storycast-progress-1",
        "task": "train",
        "phase": "training",
        "step": 2,
        "step_count": 9,
        "loss": 0.5,
        "held_out_loss": None,
        "pictures_per_second": None,
        "eta_s": None,
        "at": "",
        "device": "",
        "options": "",
        "stand_in": "",
        "warnings": [],
    }
    progress.step(9, 9)
    assert read(tmp_path / "progress.json")["step"] == 9


def test_a_warning_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(tmp_path / "progress.json", "draw")
    progress.warn("The light is bad.")
    progress.warn("The light is bad.")
    assert read(tmp_path / "progress.json")["warnings"] == ["The light is bad."]
    assert capsys.readouterr().out == "Warning: The light is bad.\n"


def test_metrics_go_on_where_the_state_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "metrics.csv"
    metrics = Metrics(file)
    metrics.begin(0)
    for step in (5, 10, 15):
        metrics.add(Row(step, 1, 0.5, 0.25 if step == 10 else None, 1e-4, 2.0), 20)
    with file.open("a") as opened:
        opened.write("2")  # cut off
    Metrics(file).begin(10)
    assert file.read_text().splitlines() == [
        ",".join(HEADER),
        "5,1,0.500000,,0.0001,2.000",
        "10,1,0.500000,0.250000,0.0001,2.000",
    ]
    Metrics(file).begin(0)
    assert file.read_text().splitlines() == [",".join(HEADER)]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "step=5/20 train_loss=0.500000 pictures_per_second=2.00"
    assert said[1] == "step=10/20 train_loss=0.500000 held_out_loss=0.250000 pictures_per_second=2.00"


def test_whoever_is_asked_to_end_ends_at_once_or_by_themselves() -> None:
    stop = StopSignal()
    stop.listen()
    with stop.put_off():
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested
    with pytest.raises(Stopped):
        os.kill(os.getpid(), signal.SIGTERM)


def test_asked_to_end_while_it_encodes_it_ends(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(folder: Path, item: object) -> object:
        os.kill(os.getpid(), signal.SIGTERM)
        return pixels(folder, item)  # type: ignore[arg-type]

    monkeypatch.setattr(dataset, "pixels", asked)
    case.ask()
    assert case.run() == EXIT_CODE
    assert case.states() == []
    assert not case.places.failure_file.exists()
