"""Licences of base models: what is trained on one is bound by its licence, and so are its pictures' uses.

A licence is shown before a training. What is known of it here is a pointer to its text, and no advice.
"""

from dataclasses import dataclass

UNKNOWN = "not known to this release"


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence of a base model."""

    model_id: str
    name: str
    link: str
    """Where its text is; empty where nobody knows."""
    restricts: str
    """What it restricts, in a sentence."""

    @property
    def is_known(self) -> bool:
        """Whether the table has it."""
        return self.name != UNKNOWN

    @property
    def words(self) -> str:
        """The licence for people, with where its text is."""
        where = f" Its text: {self.link}." if self.link else ""
        return f"{self.model_id}: licence {self.name}. {self.restricts}{where}"


_SDXL = (
    "It allows commercial use, and forbids a list of uses (its Attachment A); what is trained on the model keeps "
    "these restrictions, and whoever passes it on passes the licence on."
)
_FAIR = (
    "It allows commercial use; changed versions, and what is trained on the model, are shared under the same "
    "licence, with the uses that it forbids."
)
_HUB = "https://huggingface.co"

LICENCES: tuple[Licence, ...] = (
    Licence(
        "stabilityai/stable-diffusion-xl-base-1.0",
        "CreativeML Open RAIL++-M",
        f"{_HUB}/stabilityai/stable-diffusion-xl-base-1.0/blob/main/LICENSE.md",
        _SDXL,
    ),
    Licence(
        "cagliostrolab/animagine-xl-3.1",
        "Fair AI Public License 1.0-SD",
        "https://freedevproject.org/faipl-1.0-sd/",
        _FAIR,
    ),
)


def licence_of(base_model: str) -> Licence:
    """Return the licence of a base model.

    Args:
        base_model: Its id at the model hub, or ``s3://bucket/prefix/`` of its weights.
    """
    for licence in LICENCES:
        if licence.model_id == base_model:
            return licence
    if base_model.startswith("s3://"):
        read = "Read the LICENSE file beside the weights, which the job keeps: it binds what is trained."
        return Licence(base_model, UNKNOWN, "", read)
    read = "Read it on the model's page before you train: it binds what is trained."
    return Licence(base_model, UNKNOWN, f"{_HUB}/{base_model}", read)
