"""The dataset's folder: what ``WriteDataset`` proposes in it, and ``ApplyReview`` leaves in it."""

from collections.abc import Sequence

from storycast import keys
from storycast.contact_sheet import Tile, draw_contact_sheet
from storycast.dataset import DatasetImage, made_by, with_split
from storycast.dataset_card import dataset_card
from storycast.images import Picture
from storycast.manifest import ManifestRecord, write_manifest
from storycast.plan import RunPlan, read_plan
from storycast.ports import ObjectStore
from storycast.runs import Run
from storycast.stages.dataset_facts import card_facts

TILE_SOURCE_PX = 320
"""Side at which pictures are kept for the contact sheet and shown in the review's grid."""


def image_key(run_id: str, one: DatasetImage) -> str:
    """Return the key of a picture of a run's dataset."""
    return keys.run_file(run_id, f"{keys.IMAGES}{one.file_name}")


def small(picture: Picture) -> Picture:
    """Return a picture as the contact sheet needs it; at full size they would fill the memory."""
    return picture.resize((TILE_SOURCE_PX, TILE_SOURCE_PX))


def tile(picture: Picture, one: DatasetImage) -> Tile:
    """Return a picture's tile of the contact sheet; the picture is a :func:`small` one."""
    return Tile(picture, f"{one.image.character} · {one.image.framing}", one.caption)


def dataset_manifest(plan: RunPlan, images: Sequence[DatasetImage], bucket: str) -> bytes:
    """Return the manifest of a run's pictures, with the keys that the project asks for."""
    records = [
        ManifestRecord(image_uri=f"s3://{bucket}/{image_key(plan.run_id, one)}", caption=one.caption)
        for one in images
    ]
    return write_manifest(records, plan.settings.manifest.keys)


def write_card(run: Run, images: Sequence[DatasetImage], obstacles: Sequence[str], store: ObjectStore) -> None:
    """Write the dataset's README."""
    plan = read_plan(store, run.run_id)
    marked = with_split(images, plan.settings.training.hold_out_share)
    card = dataset_card(marked, card_facts(run, plan, marked, obstacles, store)).encode()
    store.put(keys.run_file(run.run_id, keys.DATASET_CARD), card, "text/markdown; charset=utf-8")


def write_contact_sheet(run: Run, count: int, tiles: Sequence[Tile], store: ObjectStore) -> None:
    """Write the contact sheet of a dataset of ``count`` pictures."""
    sheet = draw_contact_sheet(f"{run.run_id}: {count} pictures", made_by(run), tiles)
    store.put(keys.run_file(run.run_id, "dataset/contact_sheet.jpg"), sheet, "image/jpeg")
