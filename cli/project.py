"""The project on the user's disk: its file, its settings and its reference pictures."""

import hashlib
import itertools
import warnings
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import yaml
from PIL import Image, UnidentifiedImageError
from pydantic import ValidationError

from storycast.caption_template import MAX_TEMPLATE_BYTES, read_template
from storycast.errors import SettingsInvalidError
from storycast.names import slug
from storycast.requests import RunRequest
from storycast.settings import Settings, read_settings
from storycast.stages.build_cast import MAX_REFERENCE_BYTES, MAX_REFERENCES
from storycast.stages.prepare_run import MAX_PROJECT_FILE_BYTES

ReviewMode = Literal["page", "a2i", "auto"]
TrainingTarget = Literal["bedrock", "sagemaker", "none"]

REFERENCE_MAX_PX = 50_000_000
"""Pixels from which a picture is no reference but a mistake, or made to fill the memory."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture of a character; ``name`` is its path below the project file's folder, with slashes."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Project:
    """A project file that can be used, with the reference pictures that it names."""

    path: Path
    content: bytes
    settings: Settings
    references: tuple[Reference, ...]
    caption_prompt: str | None = None
    """The text of ``captions.prompt``; None where the default holds."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What options of the command set in the project file."""

    review: ReviewMode | None = None
    train: TrainingTarget | None = None

    def __bool__(self) -> bool:
        return self.review is not None or self.train is not None

    def __str__(self) -> str:
        said = [f"review.mode: {self.review}"] if self.review else []
        return ", ".join([*said, *([f"training.target: {self.train}"] if self.train else [])])

    def apply(self, content: bytes, source: str) -> bytes:
        """Return a project file's content with the overrides set; its comments are lost.

        Raises:
            SettingsInvalidError: What results is no valid project file.
        """
        read_settings(content, source)
        data: dict[str, Any] = yaml.safe_load(content) or {}
        if self.review:
            data["review"] = {**(data.get("review") or {}), "mode": self.review}
        if self.train:
            data["training"] = {**(data.get("training") or {}), "target": self.train}
        changed = yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode()
        read_settings(changed, source)
        return changed


def project_name(project_file: Path | None, first_footage: Path) -> str:
    """Return the name of the project that a run belongs to.

    The folder's name where the file is called ``project.yaml``, the file's own otherwise; the first footage's
    without a project file. Names that hold no Latin letter or digit get one made from a hash.
    """
    if project_file is None:
        text = first_footage.stem
    elif project_file.name.lower() in ("project.yaml", "project.yml"):
        text = project_file.resolve().parent.name
    else:
        text = project_file.stem
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:6]
    return slug(text, max_length=60, fallback=f"film-{digest}")


def check_name(name: str) -> list[str]:
    """Return what is wrong with a project name that the user chose."""
    try:
        RunRequest(project=name, footage=("any",))
    except ValidationError:
        pass
    else:
        if name.strip(". ") and name.isprintable():
            return []
    return [f"--project-name {name!a} can't be a project's name. Use 1 to 100 letters, digits and hyphens."]


def check_project(path: Path) -> tuple[Project | None, list[str]]:
    """Read a project file and look at every reference picture that it names.

    Args:
        path: The project file.

    Returns:
        The project, None where the file itself can't be used, and a message for each problem.
    """
    try:
        content = _content(path)
        settings = read_settings(content, str(path))
    except SettingsInvalidError as error:
        return None, [str(error)]
    references, problems = _references(path, settings)
    try:
        caption_prompt = _caption_prompt(path, settings.captions.prompt)
    except SettingsInvalidError as error:
        caption_prompt, problems = None, [*problems, str(error)]
    return Project(path, content, settings, references, caption_prompt), problems


def _content(path: Path) -> bytes:
    """Return a project file's content; a device or a pipe is not read, which may never end.

    Raises:
        SettingsInvalidError: It is none.
    """
    try:
        if path.is_dir():
            raise SettingsInvalidError(
                f"{path} is a folder. Name the project file itself, such as {path / 'project.yaml'}."
            )
        if path.exists() and not path.is_file():
            raise SettingsInvalidError(f"{path} is no regular file. Name a project file (YAML).")
        if path.stat().st_size > MAX_PROJECT_FILE_BYTES:
            raise SettingsInvalidError(
                f"{path} is larger than {MAX_PROJECT_FILE_BYTES:,} bytes. Name a project file (YAML)."
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise SettingsInvalidError(
            f"{path} does not exist. Check the name and the folder of the project file."
        ) from None
    except OSError as error:
        raise SettingsInvalidError(
            f"{path} can't be opened ({error.strerror}). Check its name and permissions."
        ) from None


def _caption_prompt(path: Path, name: str | None) -> str | None:
    if name is None:
        return None
    file = path.parent / name
    try:
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise SettingsInvalidError(
                f"{path}: captions.prompt: {file} is no regular file. Name a prompt (text)."
            )
        if file.stat().st_size > MAX_TEMPLATE_BYTES:
            raise SettingsInvalidError(
                f"{file} is larger than {MAX_TEMPLATE_BYTES:,} bytes. Name a prompt (text) as captions.prompt."
            )
        return read_template(file.read_bytes(), str(file))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsInvalidError(
            f"{path}: captions.prompt: {file} can't be read ({reason}). Put a prompt there, or leave "
            "captions.prompt out: `storycast prompt` prints the one that holds then."
        ) from None


def _references(path: Path, settings: Settings) -> tuple[tuple[Reference, ...], list[str]]:
    folder = path.parent
    found: dict[str, Reference] = {}
    problems: list[str] = []
    for character in settings.characters:
        for pattern in character.references:
            matches = _matches(folder, pattern)
            if not matches:
                problems.append(
                    f"{path}: the references '{pattern}' of {character.name} match no file below "
                    f"{folder.resolve()}. Put pictures there or change the pattern."
                )
            if len(matches) > MAX_REFERENCES:
                problems.append(
                    f"{path}: the references '{pattern}' of {character.name} match {len(matches)} files, more "
                    f"than {MAX_REFERENCES}. Choose the best ones."
                )
                continue
            for match in matches:
                found.setdefault(match.name, match)
    problems += [problem for reference in found.values() if (problem := _unusable(reference))]
    return tuple(found.values()), problems


def _matches(folder: Path, pattern: str) -> list[Reference]:
    """Return the files that a pattern matches, by the rule that the run applies to the bucket's keys.

    That rule is :func:`fnmatch.fnmatchcase` over the whole path, whose ``*`` goes into folders, too.
    """
    plain = Path(*itertools.takewhile(lambda part: not set(part) & set("*?["), PurePosixPath(pattern).parts))
    above = folder / plain
    if above.is_file():
        above = above.parent
    found = []
    for parent, folders, files in above.walk():
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            below = (parent / name).relative_to(folder).as_posix()
            if fnmatchcase(below, pattern) and not name.startswith("."):
                found.append(Reference(parent / name, below))
    return sorted(found, key=lambda reference: reference.name)


def _unusable(reference: Reference) -> str | None:
    """Return what is wrong with a reference picture; it is decoded whole, so that a broken one shows."""
    reason = ""
    if reference.path.exists() and not reference.path.is_file():
        return f"{reference.path} is no regular file. Replace or remove it."
    if reference.path.exists() and reference.path.stat().st_size > MAX_REFERENCE_BYTES:
        return f"{reference.path} has more than {MAX_REFERENCE_BYTES:,} bytes. Replace it by a smaller picture."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(reference.path, formats=("PNG", "JPEG")) as picture:
                if picture.width * picture.height > REFERENCE_MAX_PX:
                    reason = f"{picture.width} x {picture.height} pixels are too many"
                else:
                    picture.load()
    except Image.DecompressionBombError:
        reason = "it has far too many pixels"
    except UnidentifiedImageError:
        reason = "it is neither"
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        reason = str(error) or type(error).__name__
    return (
        reason and (f"{reference.path} can't be read as a PNG or JPEG picture ({reason}). Replace or remove it.")
    ) or None
