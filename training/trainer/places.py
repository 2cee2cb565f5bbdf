"""Where everything lies, in SageMaker's folder layout."""

from dataclasses import dataclass
from pathlib import Path

ADAPTER_FILE = "pytorch_lora_weights.safetensors"
OTHER_PROGRAMS_FILE = "for_other_programs.safetensors"
"""The same weights by the names that kohya gave them, which ComfyUI, Forge and others read."""


@dataclass(frozen=True)
class Places:
    """The folder of one job: ``/opt/ml`` in the container, any folder elsewhere."""

    root: Path

    @property
    def job_file(self) -> Path:
        """What to do."""
        return self.root / "input/data/job/job.json"

    @property
    def resources_file(self) -> Path:
        """On which machine the job is; SageMaker writes it, nobody else does."""
        return self.root / "input/config/resourceconfig.json"

    @property
    def pictures(self) -> Path:
        """The pictures, by the file names in the job."""
        return self.root / "input/data/pictures"

    @property
    def weights(self) -> Path:
        """The base model in diffusers' layout, where it does not come from the hub."""
        return self.root / "input/data/weights"

    @property
    def trained_adapter(self) -> Path:
        """What an earlier training left: read by a drawing."""
        return self.root / "input/data/adapter"

    @property
    def work(self) -> Path:
        """All that the job gives back; SageMaker copies it to S3 all the time, and back after an interruption."""
        return self.root / "checkpoints"

    @property
    def progress_file(self) -> Path:
        """How far the job is."""
        return self.work / "progress.json"

    @property
    def metrics_file(self) -> Path:
        """The losses, step by step."""
        return self.work / "metrics.csv"

    @property
    def held_out_file(self) -> Path:
        """The hold-out loss by shot, before and after."""
        return self.work / "held_out.json"

    @property
    def adapter(self) -> Path:
        """What was trained."""
        return self.work / "adapter"

    @property
    def panels(self) -> Path:
        """What was drawn."""
        return self.work / "panels"

    @property
    def failure_file(self) -> Path:
        """Why the job failed."""
        return self.root / "output/failure"

    @property
    def model(self) -> Path:
        """What SageMaker packs at the end: nothing but a note."""
        return self.root / "model"

    def make(self) -> None:
        """Make the folders that are written to."""
        for folder in (self.work, self.failure_file.parent, self.model):
            folder.mkdir(parents=True, exist_ok=True)
