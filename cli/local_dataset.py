"""A dataset on this machine: a folder that `--out` left, read for training here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from cli.problems import InputRefusedError
from cli.run_copy import file_md5
from storycast import keys
from storycast.approval import FinalNames, renamed
from storycast.dataset import DatasetImage
from storycast.frames import from_json_lines
from storycast.held_out import held_out_crops
from storycast.manifest import MAX_MANIFEST_BYTES, read_manifest
from storycast.names import is_run_id, slug
from storycast.plan import RunPlan
from storycast.settings import MAX_PROMPT, Settings

MOST_TOLD = 10
"""Problems that are told one by one; the rest is counted."""
LONGEST_NAME_BYTES = 255
"""Of a file."""
NEEDED = (
    *(keys.APPROVED_MANIFEST, keys.MANIFEST, keys.PICTURES, keys.IMAGES, keys.FINAL_NAMES, keys.LINT),
    *("settings.json", keys.REVIEW),
)
"""What of a run's folder a training on this machine reads."""


@dataclass(frozen=True, slots=True)
class LocalPicture:
    """A picture of the manifest; of one that nobody knows more of, ``known`` is None."""

    path: Path
    caption: str
    md5: str
    """Of the file; S3's ETag of the same content, where it was sent in one part."""
    known: DatasetImage | None
    uri: str
    """In the manifest."""


@dataclass(frozen=True, slots=True)
class LocalDataset:
    """What a folder holds for a training."""

    folder: Path
    run_id: str
    project: str
    settings: Settings
    """The run's, its prompts with the names that the review left."""
    pictures: tuple[LocalPicture, ...]
    warnings: tuple[str, ...]

    @property
    def characters(self) -> tuple[str, ...]:
        """Names of those who are in the pictures; those of the project where nobody knows."""
        seen = {name for one in self.pictures if one.known for name in one.known.image.in_picture}
        return tuple(sorted(seen)) or tuple(character.name for character in self.settings.characters)

    def held_out(self, share: float) -> frozenset[Path]:
        """Return the pictures that are kept out of a training, by shot; none where shots are not known."""
        images = [one.known.image for one in self.pictures if one.known]
        if len(images) < len(self.pictures):
            return frozenset()
        crop_ids = held_out_crops(images, share)
        return frozenset(one.path for one in self.pictures if one.known and one.known.image.crop_id in crop_ids)


def has_dataset(folder: Path) -> bool:
    """Tell whether a folder holds a dataset."""
    return any((folder / name).is_file() for name in (keys.APPROVED_MANIFEST, keys.MANIFEST))


def dataset_folder(run: str) -> Path | None:
    """Return the folder that the user names in place of a run's id; None where it is an id.

    Raises:
        InputRefusedError: It is neither.
    """
    folder = Path(run)
    if not has_dataset(folder) and is_run_id(run):
        return None
    if not folder.is_dir():
        raise InputRefusedError(
            [f"There is no folder {run}, and no run has such an id. `storycast status` lists the runs."]
        )
    return folder


def read_dataset(folder: Path) -> LocalDataset:
    """Read a run's folder as `--out` leaves it.

    Only the manifest and its pictures are needed. Without ``dataset/pictures.jsonl`` nobody knows shots and who is
    in a picture, without ``settings.json`` all settings are the defaults.

    Raises:
        InputRefusedError: There is no manifest, or lines, pictures or records of it can't be used; all are told.
    """
    warnings = []
    manifest = folder / keys.APPROVED_MANIFEST
    if not manifest.is_file():
        manifest = folder / keys.MANIFEST
        warnings.append(
            f"{folder} has no {keys.APPROVED_MANIFEST}: {keys.MANIFEST} is used, which nobody approved."
        )
    if not manifest.is_file():
        raise InputRefusedError(
            [
                f"{folder} has no {keys.APPROVED_MANIFEST}. Name a run's id, or the folder of a run that "
                "`storycast run --out` or `storycast status RUN --out` left."
            ]
        )
    plan = _plan(folder)
    if plan is None:
        warnings.append(f"{folder} has no settings.json: the defaults are used, and no storyboard is drawn.")
    settings = plan.settings if plan else Settings()
    known = _known(folder)
    pictures = _pictures(manifest, known)
    if not all(one.known for one in pictures):
        warnings.append(
            f"{folder / keys.PICTURES} does not tell of each picture: no shot is held out, so nothing will show "
            "whether the model learns characters or copies pictures."
        )
    return LocalDataset(
        folder=folder,
        run_id=plan.run_id if plan else slug(folder.resolve().name, fallback="dataset"),
        project=plan.project if plan else folder.resolve().name,
        settings=_as_reviewed(settings, folder),
        pictures=pictures,
        warnings=tuple(warnings),
    )


def _plan(folder: Path) -> RunPlan | None:
    file = folder / "settings.json"
    try:
        return RunPlan.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise InputRefusedError(
            [
                f"{file} can't be read by this release of the command ({error.error_count()} problems, first: "
                f"{error.errors()[0]['msg']}). Copy the run again, or use the command of the release that made it."
            ]
        ) from None


def _known(folder: Path) -> dict[str, DatasetImage]:
    file = folder / keys.PICTURES
    try:
        return {one.file_name: one for one in from_json_lines(file.read_bytes(), DatasetImage)}
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise InputRefusedError(
            [f"{file} can't be read ({str(error).splitlines()[0]}). Copy the run again."]
        ) from None


def _pictures(manifest: Path, known: dict[str, DatasetImage]) -> tuple[LocalPicture, ...]:
    size_bytes = manifest.stat().st_size
    if size_bytes > MAX_MANIFEST_BYTES:
        raise InputRefusedError(
            [f"{manifest} has {size_bytes:,} bytes; a manifest has at most {MAX_MANIFEST_BYTES:,}. Divide it."]
        )
    records, problems = read_manifest(manifest.read_bytes())
    images = manifest.parent / "images"
    found: list[LocalPicture] = []
    for number, record in records.items():
        if number in problems:
            continue
        name = record.image_uri.rpartition("/")[2]
        path = images / name
        if len(name.encode()) > LONGEST_NAME_BYTES:
            problems[number] = f"there is no picture with a name of {len(name.encode()):,} bytes"
            continue
        if not path.is_file():
            problems[number] = f"there is no picture {path}"
            continue
        found.append(LocalPicture(path, record.caption, file_md5(path), known.get(name), record.image_uri))
    if not found and not problems:
        problems[1] = "there is no picture in it"
    if problems:
        raise InputRefusedError(_told(manifest, problems))
    if len({one.path for one in found}) < len(found):
        raise InputRefusedError([f"{manifest}: a picture stands in it twice. Take out one of the lines."])
    return tuple(found)


def _told(manifest: Path, problems: dict[int, str]) -> Sequence[str]:
    lines = [f"{manifest}, line {number}: {problems[number]}." for number in sorted(problems)[:MOST_TOLD]]
    more = len(problems) - MOST_TOLD
    return [*lines, f"{manifest}: and {more} more."] if more > 0 else lines


def _as_reviewed(settings: Settings, folder: Path) -> Settings:
    """Return the settings with prompts that call the characters as the review does: the model knows no other."""
    try:
        final = FinalNames.model_validate_json((folder / keys.FINAL_NAMES).read_bytes())
    except (OSError, ValidationError):
        return settings
    told = [(prompt, renamed(prompt, final.names)) for prompt in settings.storyboard.prompts]
    prompts = tuple(new if len(new) <= MAX_PROMPT else old for old, new in told)
    return settings.model_copy(update={"storyboard": settings.storyboard.model_copy(update={"prompts": prompts})})
