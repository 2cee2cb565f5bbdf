"""A run's folder as `--out` leaves it, and the fake of the trainer."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from storycast.curation import CuratedImage
from storycast.dataset import DatasetImage, file_name
from storycast.footage import FootageSource
from storycast.plan import make_plan
from storycast.settings import Settings
from tests.fakes.captions import HARBOUR_CAPTIONS, ORBIT_CAPTIONS

FAKE_TRAINER = Path(__file__).parent / "fake_trainer"
FOOTAGE = "0123456789ab"
NAMES = ("Bunny", "Frank")
SCENES = [one for one in (*HARBOUR_CAPTIONS, *ORBIT_CAPTIONS) if len(one.in_picture or ()) == 1]


def dataset_picture(number: int, shots: int) -> DatasetImage:
    name = NAMES[number % 2]
    image = CuratedImage(
        crop_id=f"{FOOTAGE}-{number:09d}-00",
        character=name,
        frame_id=f"{FOOTAGE}-{number:09d}",
        frame_key=f"footage/{number}.jpg",
        footage_id=FOOTAGE,
        time_ms=number * 1000,
        shot=number % shots,
        left_px=0,
        top_px=0,
        side_px=64,
        in_picture=(name,),
        framing="medium",
        enlarged=False,
        score=0.9,
        duplicates=(),
    )
    return DatasetImage(
        file_name=file_name(image),
        caption=SCENES[number].caption.replace(str(SCENES[number].character), name),
        image=image,
        caption_by="a model",
        flags=(),
    )


def put_dataset(
    folder: Path, run_id: str, *, count: int = 16, shots: int = 8, side_px: int = 64, **parts: Any
) -> list[DatasetImage]:
    """Write a run's folder with an approved dataset; ``parts`` are parts of its project file."""
    images = folder / "dataset/images"
    images.mkdir(parents=True)
    pictures = [dataset_picture(number, shots) for number in range(count)]
    for number, one in enumerate(pictures):
        colour = (40 + 10 * number, 200 - 8 * number, (60 * number) % 256)
        Image.new("RGB", (side_px, side_px), colour).save(images / one.file_name)
    lines = [
        {"image-ref": f"s3://media/runs/{run_id}/dataset/images/{one.file_name}", "caption": one.caption}
        for one in pictures
    ]
    (folder / "dataset/approved.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "dataset/pictures.jsonl").write_text("".join(one.model_dump_json() + "\n" for one in pictures))
    source = FootageSource(footage_id=FOOTAGE, name="f.mp4", key="k", size_bytes=1, etag="e", version_id=None)
    settings = Settings.model_validate(parts)
    (folder / "settings.json").write_text(make_plan(run_id, "bunny", settings, [source]).model_dump_json())
    return pictures


def put_weights(folder: Path, licence: str = "openrail++") -> Path:
    """Write what looks like a model's folder."""
    folder.mkdir()
    (folder / "model_index.json").write_text("{}")
    (folder / "unet").mkdir()
    (folder / "unet/model.safetensors").write_bytes(bytes(200_000))
    (folder / "README.md").write_text(f"---\nlicense: {licence}\ntags: [x]\n---\n# A model\n")
    (folder / "LICENSE.md").write_text("the text\n")
    return folder
