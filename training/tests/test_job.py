"""The job: what both sides agree on, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from cases import Case, picture
from trainer.errors import JobInvalidError
from trainer.job import Job, read_job
from trainer.places import Places

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", ["train", "draw"])
def test_the_golden_jobs_are_read_whole(name: str) -> None:
    text = (GOLDEN / f"{name}.json").read_text(encoding="utf-8")
    job = Job.model_validate_json(text)
    assert job.task == name
    assert json.loads(job.model_dump_json()) == json.loads(text)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"format": "storycast-lora-2"}, "format"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"task": "draw"}, "panels"),
        ({"values": None}, "values"),
        ({"pictures": []}, "not held out"),
        ({"pictures": [picture("bunny_1.png", held_out=True)]}, "not held out"),
        ({"pictures": [picture("bunny_1.png"), picture("bunny_1.png")]}, "named twice"),
        ({"pictures": [picture("../../etc/passwd")]}, "below the folder"),
        ({"pictures": [picture("/etc/passwd")]}, "below the folder"),
    ],
)
def test_a_job_that_cannot_be_done_is_refused(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    places = Places(tmp_path)
    places.job_file.parent.mkdir(parents=True)
    golden = json.loads((GOLDEN / "train.json").read_text(encoding="utf-8"))
    places.job_file.write_text(json.dumps(golden | changed), encoding="utf-8")
    with pytest.raises(JobInvalidError, match=said):
        read_job(places)


@pytest.mark.parametrize(
    "values", [{"step_count": 0}, {"resolution": 1000}, {"rank": "16"}, {"learning_rate": 0}, {"seed": -1}]
)
def test_a_value_that_cannot_be_is_refused(case: Case, values: dict[str, Any]) -> None:
    case.ask(values=values)
    with pytest.raises(JobInvalidError, match=next(iter(values))):
        read_job(case.places)


def test_a_missing_job_is_told(tmp_path: Path) -> None:
    with pytest.raises(JobInvalidError, match=r"job\.json is missing"):
        read_job(Places(tmp_path))


def test_another_family_is_refused(case: Case) -> None:
    case.ask(family="pixart")
    assert case.run() == 1
    assert case.failure().startswith("JobInvalidError: ")
    assert "this trainer has sdxl" in case.failure()
