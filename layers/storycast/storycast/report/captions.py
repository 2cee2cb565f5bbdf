"""Captions: what the lint says of all of them together, with some of the pictures concerned."""

from collections.abc import Mapping
from dataclasses import dataclass

from storycast import keys
from storycast.caption_lint.findings import Finding
from storycast.dataset import file_name
from storycast.report.material import Material
from storycast.report.pictures import DROPPED_PX, kept_images
from storycast.report.thumbnails import Thumbnail, Thumbnails
from storycast.report.words import moment

MOST_FINDINGS = 12
"""Findings that are shown; the rest is counted."""
EXAMPLES = 3
"""Captions shown of one finding."""


@dataclass(frozen=True, slots=True)
class Example:
    """A caption with its picture."""

    thumbnail: Thumbnail
    alt: str
    caption: str


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A finding of the lint."""

    message: str
    suggestion: str
    standing: str
    """Whether a training is refused for it, or who let it stay."""
    is_refused: bool
    examples: tuple[Example, ...]
    more: int
    """Captions concerned that are not shown."""


@dataclass(frozen=True, slots=True)
class CaptionsLinted:
    """What the lint says."""

    count: int
    findings: tuple[ShownFinding, ...]
    more: int
    left_out: tuple[str, ...]


def captions_linted(material: Material, thumbnails: Thumbnails) -> CaptionsLinted | None:
    """Return what the lint says of a run's captions; None where the run did not come to it."""
    lint = material.lint
    if lint is None:
        return None
    who = {one.rule: ", ".join(filter(None, (one.who, moment(one.when)))) for one in lint.acknowledged}
    captions = _captions(material)
    pictures = {image.crop_id: image for image in kept_images(material)}

    def shown(one: Finding) -> ShownFinding:
        is_told = one.severity == "notes"
        standing = "told, and no hindrance" if is_told else "a training is refused for it"
        if not is_told and one.rule in who:
            standing = f"acknowledged: {who[one.rule]}"
        examples = [crop_id for crop_id in one.crop_ids if crop_id in pictures][:EXAMPLES]
        return ShownFinding(
            message=one.message,
            suggestion=one.suggestion,
            standing=standing,
            is_refused=not is_told and one.rule not in who,
            examples=tuple(
                Example(
                    thumbnail=thumbnails.ask(
                        keys.run_file(material.run.run_id, f"{keys.IMAGES}{file_name(pictures[crop_id])}"),
                        DROPPED_PX,
                    ),
                    alt=f"{pictures[crop_id].character}, {pictures[crop_id].framing}",
                    caption=captions.get(crop_id, ""),
                )
                for crop_id in examples
            ),
            more=len(one.crop_ids) - len(examples),
        )

    return CaptionsLinted(
        count=lint.caption_count,
        findings=tuple(shown(one) for one in lint.findings[:MOST_FINDINGS]),
        more=max(len(lint.findings) - MOST_FINDINGS, 0),
        left_out=lint.left_out,
    )


def _captions(material: Material) -> Mapping[str, str]:
    proposed = {crop_id: one.caption for crop_id, one in material.captions.items()}
    return proposed | {one.image.crop_id: one.caption for one in material.approved}
