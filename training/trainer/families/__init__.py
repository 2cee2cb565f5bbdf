"""Families of image models: what the loop and the drawing need of one, and which there are."""

from trainer.errors import JobInvalidError
from trainer.families.family import Denoiser, Encoders, Example, Family
from trainer.families.sdxl import Sdxl

FAMILIES: dict[str, Family] = {"sdxl": Sdxl()}

__all__ = ["FAMILIES", "Denoiser", "Encoders", "Example", "Family", "find_family"]


def find_family(name: str) -> Family:
    """Find a family by its name in the job.

    Raises:
        JobInvalidError: There is none of that name.
    """
    if name not in FAMILIES:
        raise JobInvalidError(f"The job asks for the family {name!r}; this trainer has {', '.join(FAMILIES)}.")
    return FAMILIES[name]
