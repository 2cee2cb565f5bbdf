"""The folder of a training on this machine: what the trainer is given in it, and what it leaves."""

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from storycast.errors import StorycastError
from storycast.lora_job import LoraJob
from storycast.lora_work import Adapter, DrawnPanels

RESULTS = ("metrics.csv", "held_out.json", "adapter")
"""What a training leaves in its work folder; the adapter comes last, since its presence says that all is there."""


class FolderInUseError(StorycastError):
    """Another command trains in the folder."""


class AdapterNotLeftError(StorycastError):
    """The trainer says that it is done, and there is no adapter."""


@dataclass(frozen=True, slots=True)
class LoraFolder:
    """A training's folder: ``adapter/``, ``metrics.csv``, ``held_out.json``, ``storyboard/`` and two work folders.

    A work folder is laid out as SageMaker lays out ``/opt/ml``: docs/training.md.
    """

    folder: Path

    @property
    def adapter(self) -> Path:
        """What was trained."""
        return self.folder / "adapter"

    @property
    def is_trained(self) -> bool:
        """Whether the training is done."""
        return (self.adapter / "adapter.json").is_file()

    @property
    def stand_in(self) -> str:
        """What the adapter says of itself where it is of no real model; else empty."""
        try:
            return Adapter.model_validate_json((self.adapter / "adapter.json").read_bytes()).stand_in
        except (OSError, ValidationError):
            return ""

    @property
    def train_root(self) -> Path:
        """The trainer's folder while it trains; gone when that is done."""
        return self.folder / "work-train"

    @property
    def draw_root(self) -> Path:
        """The trainer's folder for drawing; what was drawn in it is not drawn again."""
        return self.folder / "work-draw"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other commands out.

        Raises:
            FolderInUseError: One is at work here.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderInUseError(
                    f"Another command trains in {self.folder}. Wait until it has ended, or name another --out."
                ) from None
            yield

    def lay_out_training(self, job: LoraJob, pictures: Mapping[str, Path], weights: Path | None) -> None:
        """Write what the trainer reads; its state from before stays."""
        links = {f"pictures/{name}": path for name, path in pictures.items()}
        _lay_out(self.train_root, job, links, weights)

    def keep_training(self) -> None:
        """Move what was trained to where people find it, and remove the work folder.

        Raises:
            AdapterNotLeftError: There is no adapter; all stays as it is.
        """
        work = self.train_root / "checkpoints"
        if not (work / "adapter" / "adapter.json").is_file():
            raise AdapterNotLeftError(
                f"The trainer says that it is done, and {work / 'adapter'} holds no adapter. Look at "
                f"{self.train_root / 'log.txt'}."
            )
        _replace(self.train_root / "log.txt", self.folder / "training.log")
        for name in RESULTS:
            if (work / name).exists():
                _replace(work / name, self.folder / name)
        self.drop_training_work()

    def drop_training_work(self) -> None:
        """Remove the work folder of a training that is done."""
        shutil.rmtree(self.train_root, ignore_errors=True)

    def lay_out_drawing(self, job: LoraJob, weights: Path | None) -> None:
        """Write what the trainer reads; panels from before stay."""
        _lay_out(self.draw_root, job, {"adapter": self.adapter}, weights)

    def panel(self, fingerprint: str) -> DrawnPanels | None:
        """Return what was drawn for one panel of the job; None where nothing is recorded."""
        file = self.draw_root / "checkpoints" / "panels" / f"{fingerprint}.json"
        try:
            return DrawnPanels.model_validate_json(file.read_bytes())
        except (OSError, ValidationError):
            return None

    def keep_panel(self, fingerprint: str, stem: str) -> list[Path]:
        """Copy the pictures of a panel to ``storyboard/<stem>-<number from 1>.png``, and return them."""
        record = self.panel(fingerprint)
        storyboard = self.folder / "storyboard"
        storyboard.mkdir(exist_ok=True)
        kept = []
        for number, name in enumerate(record.pictures if record else (), 1):
            to = storyboard / f"{stem}-{number}.png"
            shutil.copyfile(self.draw_root / "checkpoints" / "panels" / name, to)
            kept.append(to)
        return kept


def _lay_out(root: Path, job: LoraJob, links: Mapping[str, Path], weights: Path | None) -> None:
    data = root / "input" / "data"
    shutil.rmtree(data, ignore_errors=True)
    for folder in (data / "job", root / "checkpoints", root / "output", root / "model"):
        folder.mkdir(parents=True, exist_ok=True)
    (data / "job" / "job.json").write_text(job.model_dump_json(indent=1) + "\n", encoding="utf-8")
    # Links, not copies: weights have gigabytes, and the trainer writes to none of them.
    for name, path in {**links, **({"weights": weights} if weights else {})}.items():
        link = data / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.resolve())


def _replace(source: Path, to: Path) -> None:
    if to.is_dir():
        shutil.rmtree(to)
    source.replace(to)
