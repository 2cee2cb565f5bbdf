"""The notebook: by itself, and from first cell to last on the embedded AWS, whose stand-ins play Bedrock."""

import io
import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

from local.embedded_aws import EmbeddedAws
from storycast import keys
from storycast.footage import FootageSource
from storycast.plan import make_plan
from storycast.settings import Settings

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "finetune.ipynb"
RUN_ID = "by-the-notebook-20261122-1a2b3c"
MODEL = "amazon.nova-canvas-v1:0"


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def cell(notebook: Any, cell_id: str) -> Any:
    return next(cell for cell in notebook.cells if cell.id == cell_id)


def test_the_repository_holds_no_outputs() -> None:
    nbformat.validate(read())
    for one in read().cells:
        if one.cell_type == "code":
            assert (one.outputs, one.execution_count) == ([], None), one.id


def test_every_paying_step_is_announced_and_the_last_cell_cleans_up() -> None:
    notebook = read()
    texts = [one.source for one in notebook.cells if one.cell_type == "markdown"]
    assert sum("costs" in text and "$" in text for text in texts) >= 1
    assert notebook.cells[-1].id == "clean"
    assert "$60.50" in cell(notebook, "host-about").source


# ---- on the embedded AWS


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    with EmbeddedAws(tmp_path_factory.mktemp("aws")) as aws:
        put_dataset(aws)
        yield aws


def put_dataset(aws: EmbeddedAws) -> None:
    """Put a run there whose dataset is approved: eight pictures of a blob each."""
    s3, bucket = aws.client("s3"), aws.outputs["MediaBucketName"]
    lines = []
    noise = np.random.default_rng(7)
    for number in range(8):
        pixels = noise.integers(90, 110, (512, 512, 3), dtype=np.uint8)
        pixels[128 + number : 384, 128 : 384 - number] = (200, 20 * number, 40)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
        key = keys.run_file(RUN_ID, f"dataset/images/{number}.png")
        s3.put_object(Bucket=bucket, Key=key, Body=out.getvalue(), ContentType="image/png")
        lines.append({"image-ref": f"s3://{bucket}/{key}", "caption": f"Mina stands on a field, picture {number}"})
    manifest = "".join(json.dumps(line) + "\n" for line in lines).encode()
    s3.put_object(Bucket=bucket, Key=keys.run_file(RUN_ID, keys.APPROVED_MANIFEST), Body=manifest)
    settings = Settings.model_validate(
        {"characters": [{"name": "Mina"}], "storyboard": {"prompts": ["Mina on a bridge", "Mina at dusk"]}}
    )
    source = FootageSource(footage_id="f" * 12, name="f.mp4", key="k", size_bytes=1, etag="e", version_id=None)
    plan = make_plan(RUN_ID, "notebook", settings, [source])
    s3.put_object(Bucket=bucket, Key=keys.run_file(RUN_ID, "settings.json"), Body=plan.model_dump_json().encode())


def play_as_active(aws: EmbeddedAws, *models: str) -> None:
    request = urllib.request.Request(
        f"{aws.endpoints.standins}/_storycast/catalogue", json.dumps({"play_as_active": models}).encode()
    )
    urllib.request.urlopen(request, timeout=10).close()


def execute(aws: EmbeddedAws, folder: Path, only: tuple[str, ...] = (), **parameters: Any) -> Any:
    """Run the notebook with other parameters, or only some of its cells, and return it with its outputs."""
    notebook = read()
    chosen = {"STACK": "storycast", "RUN_ID": RUN_ID, "STEP_COUNT": 10, "LOOK_EVERY_S": 0.2, **parameters}
    cell(notebook, "parameters").source += "\n" + "".join(
        f"\n{name} = {value!r}" for name, value in chosen.items()
    )
    if only:
        notebook.cells = [one for one in notebook.cells if one.id in ("parameters", "outputs", *only)]
    environment = {
        **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
        **aws.environment(),
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(folder), env=environment)
    return notebook


def printed(notebook: Any, cell_id: str) -> str:
    return "".join(out.text for out in cell(notebook, cell_id).outputs if out.output_type == "stream")


def billed(aws: EmbeddedAws) -> list[str]:
    bedrock = aws.client("bedrock")
    hosting = bedrock.list_provisioned_model_throughputs()["provisionedModelSummaries"]
    jobs = bedrock.list_model_customization_jobs()["modelCustomizationJobSummaries"]
    return [one["provisionedModelName"] for one in hosting] + [
        one["jobName"] for one in jobs if one["status"] in ("InProgress", "Stopping")
    ]


@pytest.mark.e2e
def test_it_trains_hosts_draws_and_cleans_up(aws: EmbeddedAws, tmp_path: Path) -> None:
    play_as_active(aws, MODEL)
    notebook = execute(aws, tmp_path)
    drawn = [out for out in cell(notebook, "draw").outputs if out.output_type == "display_data"]
    assert len(drawn) == 2 * 3
    assert printed(notebook, "draw").count("s3://") == 2 * 3
    assert "The model is kept" in printed(notebook, "clean")
    assert not billed(aws)

    # Again: the same training is found, the hosting is new, and the clean-up does nothing twice.
    jobs = len(aws.client("bedrock").list_model_customization_jobs()["modelCustomizationJobSummaries"])
    again = execute(aws, tmp_path, ("dataset", "ask", "train"))
    assert "Completed" in printed(again, "train")
    assert len(aws.client("bedrock").list_model_customization_jobs()["modelCustomizationJobSummaries"]) == jobs
    for expected in ("The model is deleted.", "Nothing of this notebook is billed by the hour any more."):
        assert expected in printed(execute(aws, tmp_path, ("clean",), DELETE_MODEL=True), "clean")


@pytest.mark.e2e
def test_its_last_cell_cleans_up_after_a_break(aws: EmbeddedAws, tmp_path: Path) -> None:
    play_as_active(aws, MODEL)
    until_hosted = ("dataset", "ask", "train", "wait", "host")
    execute(aws, tmp_path, until_hosted, ATTEMPT=2)
    assert billed(aws) == [f"{RUN_ID}-by-hand-2"]
    for _ in range(2):
        told = printed(execute(aws, tmp_path, ("clean",), ATTEMPT=2), "clean")
        assert told.endswith("Nothing of this notebook is billed by the hour any more.\n")
    assert not billed(aws)


@pytest.mark.e2e
def test_an_ended_model_stops_it_before_anything_is_paid(aws: EmbeddedAws, tmp_path: Path) -> None:
    play_as_active(aws)
    with pytest.raises(CellExecutionError, match=r"ModelRetiredError.*2026-09-30"):
        execute(aws, tmp_path, ATTEMPT=3)
    jobs = aws.client("bedrock").list_model_customization_jobs()["modelCustomizationJobSummaries"]
    assert f"{RUN_ID}-by-hand-3" not in [job["jobName"] for job in jobs]
