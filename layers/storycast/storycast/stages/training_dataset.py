"""The dataset of a training session: what the manifest names, as it lies in the bucket, and what is held out."""

from collections import Counter
from dataclasses import dataclass

from storycast import keys
from storycast.curation import CuratedImage
from storycast.dataset import DatasetImage
from storycast.errors import TrainingPlanInvalidError
from storycast.frames import from_json_lines
from storycast.held_out import held_out_crops
from storycast.lora_job import JobPicture
from storycast.manifest import MAX_MANIFEST_BYTES, MAX_PICTURE_BYTES, ManifestRecord, read_manifest
from storycast.ports import ObjectStore
from storycast.settings import UNKNOWN

READABLE = ("datasets/", "runs/")
"""Where the role of the training job may read."""
MOST_TOLD = 10
"""Problems that a message names; the rest is counted."""


class DatasetPicture(ManifestRecord):
    """A record of the manifest, and which content its picture has."""

    etag: str
    characters: tuple[str, ...] = ()
    """Who is in it; empty where nobody knows."""
    shot: str | None = None
    """Footage and shot, as ``<footage_id>:<number>``; None where nobody knows."""
    crop_id: str = ""
    """Empty where nobody knows."""


@dataclass(frozen=True, slots=True)
class Split:
    """A dataset as a training uses it."""

    trained_on: tuple[DatasetPicture, ...]
    held_out: tuple[DatasetPicture, ...]

    @property
    def held_out_ids(self) -> tuple[str, ...]:
        """Crop ids of what is held out, sorted."""
        return tuple(sorted(one.crop_id for one in self.held_out))


def dataset_pictures(store: ObjectStore, manifest_key: str) -> list[DatasetPicture]:
    """Return the records of a manifest with what the bucket says of their pictures.

    Raises:
        TrainingPlanInvalidError: There is no such manifest, or a line or a picture of it can't be used; the
            message names each.
    """
    try:
        size_bytes = store.head(manifest_key).size_bytes
        if size_bytes > MAX_MANIFEST_BYTES:
            raise TrainingPlanInvalidError(
                f"{manifest_key} has {size_bytes:,} bytes, a manifest at most {MAX_MANIFEST_BYTES:,}. Divide it."
            )
        records, problems = read_manifest(store.get(manifest_key))
    except KeyError:
        raise TrainingPlanInvalidError(
            f"There is no manifest {manifest_key}. The dataset must be approved before it is trained on."
        ) from None
    ours = f"s3://{store.bucket}/"
    keys_of = {number: record.image_uri.removeprefix(ours) for number, record in records.items()}
    elsewhere = [number for number, record in records.items() if not record.image_uri.startswith(ours)]
    problems |= {
        number: f"{records[number].image_uri} is not in the bucket {store.bucket}" for number in elsewhere
    }
    folders = {key.rpartition("/")[0] + "/" for key in keys_of.values() if key.startswith(READABLE)}
    there = {one.key: one for folder in sorted(folders) for one in store.list(folder)}
    for number, key in keys_of.items():
        if number in problems:
            continue
        if not key.startswith(READABLE):
            problems[number] = f"{key} lies neither below datasets/ nor below runs/, where the job may read"
        elif key not in there:
            problems[number] = f"there is no picture {key}"
        elif there[key].size_bytes > MAX_PICTURE_BYTES:
            problems[number] = f"{key} has {there[key].size_bytes:,} bytes, more than {MAX_PICTURE_BYTES:,}"
    if problems:
        told = "; ".join(f"line {number}: {problems[number]}" for number in sorted(problems)[:MOST_TOLD])
        more = f"; and {len(problems) - MOST_TOLD} more" if len(problems) > MOST_TOLD else ""
        raise TrainingPlanInvalidError(
            f"{manifest_key}: {told}{more}. Mend the manifest, or approve the dataset again."
        )
    return [
        DatasetPicture(image_uri=record.image_uri, caption=record.caption, etag=there[keys_of[number]].etag)
        for number, record in records.items()
    ]


def approved_pictures(store: ObjectStore, run_id: str) -> list[DatasetImage]:
    """Return what is known of a run's approved pictures; nothing where the run is a bare manifest."""
    try:
        return from_json_lines(store.get(keys.run_file(run_id, keys.PICTURES)), DatasetImage)
    except KeyError:
        return []


def split(store: ObjectStore, run_id: str, pictures: list[DatasetPicture], share: float) -> Split:
    """Return what is trained on and what is held out by shot, with what is known of each.

    A manifest whose pictures are not all the run's own, of which nobody knows the shots, is trained on whole.
    """
    images = {one.file_name: one.image for one in approved_pictures(store, run_id)}
    known = {one.image_uri: images.get(one.image_uri.rpartition("/")[2]) for one in pictures}
    told = [_known(one, known[one.image_uri]) for one in pictures]
    if not all(known.values()):
        return Split(tuple(told), ())
    held_out = held_out_crops((image for image in known.values() if image is not None), share)
    return Split(
        trained_on=tuple(one for one in told if one.crop_id not in held_out),
        held_out=tuple(one for one in told if one.crop_id in held_out),
    )


def job_pictures(store: ObjectStore, dataset: Split) -> list[JobPicture]:
    """Return a dataset as a container job is told of it; the files are keys in the bucket.

    Raises:
        TrainingPlanInvalidError: A picture stands in the manifest twice.
    """
    ours = f"s3://{store.bucket}/"
    counts = Counter(one.image_uri for one in (*dataset.trained_on, *dataset.held_out))
    twice = [uri for uri, count in counts.items() if count > 1]
    if twice:
        raise TrainingPlanInvalidError(
            f"The manifest names {', '.join(twice[:MOST_TOLD])} more than once. Leave one caption a picture."
        )
    return [
        JobPicture(
            file=one.image_uri.removeprefix(ours),
            caption=one.caption,
            characters=one.characters,
            shot=one.shot,
            held_out=is_held_out,
        )
        for pictures, is_held_out in ((dataset.trained_on, False), (dataset.held_out, True))
        for one in pictures
    ]


def _known(picture: DatasetPicture, image: CuratedImage | None) -> DatasetPicture:
    if image is None:
        return picture
    return picture.model_copy(
        update={
            "characters": tuple(name for name in image.in_picture if name != UNKNOWN),
            "shot": f"{image.footage_id}:{image.shot}",
            "crop_id": image.crop_id,
        }
    )
