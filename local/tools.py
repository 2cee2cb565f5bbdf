"""Where `make setup` puts the programs that the embedded AWS runs."""

from dataclasses import dataclass
from pathlib import Path

#: The checkout that this package is part of.
REPOSITORY = Path(__file__).resolve().parent.parent


class SetupMissingError(Exception):
    """A program or layer that `make setup` makes is not there."""


@dataclass(frozen=True)
class Tools:
    """The environments of one checkout, each made by `make setup`.

    Attributes:
        repository: Root of the checkout.
    """

    repository: Path = REPOSITORY

    @property
    def python(self) -> Path:
        """The interpreter that runs our own code: command, stand-ins, supervisor."""
        return self.repository / ".venv/bin/python"

    @property
    def ministack(self) -> Path:
        """The AWS emulator."""
        return self.repository / ".tools/ministack/bin/ministack"

    @property
    def sam(self) -> Path:
        """AWS SAM's command line."""
        return self.repository / ".tools/sam/bin/sam"

    @property
    def sam_settings(self) -> Path:
        """Settings of `sam`; those of its environment `local` are for the embedded AWS."""
        return self.repository / "samconfig.toml"

    @property
    def lambda_python(self) -> Path:
        """The interpreter that runs functions; it holds AWS's runtime client and nothing else."""
        return self.repository / ".tools/lambda/bin/python"

    @property
    def code(self) -> Path:
        """Our own layers' code as it was deployed, in folders named by content; instances share them."""
        return self.repository / ".storycast/code"

    def layer(self, name: str) -> Path:
        """Return the folder with a layer's installed requirements; `image` is the container image."""
        return self.repository / ".storycast/layers" / name / "python"

    def require(self) -> None:
        """Check that set-up has been done.

        Raises:
            SetupMissingError: A program or layer is missing; the message names the first one.
        """
        programs = [self.python, self.ministack, self.sam, self.lambda_python]
        for path in [*programs, *map(self.layer, ("storycast", "imaging", "image"))]:
            if not path.exists():
                raise SetupMissingError(f"{path} is missing: run `make setup` in {self.repository} first.")
