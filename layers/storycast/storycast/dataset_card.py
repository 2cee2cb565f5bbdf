"""The dataset's card: all that a stranger needs who finds the folder and wants to train on it.

Its head is the YAML block that dataset hubs read (Hugging Face, "Dataset Cards"); the rest is for people.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import yaml

from storycast.dataset import DatasetImage, made_by
from storycast.decisions import CLOSING, Decision
from storycast.footage import Probe
from storycast.plan import CROPS_VERSION, DETECTIONS_VERSION, FRAMES_VERSION
from storycast.runs import Run
from storycast.selection import FRAMING_SHARES
from storycast.selection_summary import LIGHTS
from storycast.settings import Settings

RIGHTS = (
    "The rights in the pictures are those of the footage: make sure that you may use them before you train on "
    "them or pass them on."
)
FRAMINGS = tuple(FRAMING_SHARES)
CONTENTS, LOADING, SPLIT = "What is in it", "How to load it", "Split"
"""Headings of what is about the dataset's own folder, and about no copy of it."""
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
"""Categories of size, as dataset hubs name them."""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card tells of, besides the pictures."""

    run: Run
    settings: Settings
    probes: Mapping[str, Probe] = field(default_factory=dict)
    """What the footage's headers say, by footage id."""
    light: Mapping[str, str] = field(default_factory=dict)
    """How light each picture is, one of :data:`LIGHTS`, by crop id."""
    decisions: Sequence[Decision] = ()
    """Of the review; none before its end."""
    proposed: int = 0
    """How many pictures the review was shown."""
    shortfalls: Sequence[str] = ()
    """What the footage did not give, in words."""
    lint: Sequence[str] = ()
    """What the lint says of the captions, in words."""
    obstacles: Sequence[str] = ()
    """Why it can't be trained on as it is."""


def dataset_card(images: Sequence[DatasetImage], facts: CardFacts) -> str:
    """Return the dataset's README.

    Args:
        images: The dataset, with its split marked.
        facts: Where it comes from.
    """
    parts = (
        _head(images, facts),
        _contents(images),
        _loading(facts.run),
        _footage(facts),
        _characters(images, facts),
        _split(images, facts),
        _captions(images, facts),
        _selection(images, facts),
        _review(images, facts),
        _gaps(facts),
        _provenance(facts),
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(images: Sequence[DatasetImage], facts: CardFacts) -> Iterator[str]:
    names = sorted({name for one in images for name in one.image.in_picture})
    front = {
        "pretty_name": f"{facts.run.project}: {', '.join(names)}" if names else facts.run.project,
        "license": "other",
        "license_name": "rights-of-the-footage",
        "task_categories": ["text-to-image"],
        "size_categories": [next((name for most, name in SIZES if len(images) < most), "100K<n<1M")],
        "tags": ["storycast", "characters"],
    }
    yield f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n"
    yield f"# {len(images)} captioned pictures of {_listed(names) or 'nobody by name'}\n"
    stand_ins = sorted({model.provider for model in facts.run.models if "stand-in" in model.provider.lower()})
    if stand_ins:
        yield (
            "> **Made with stand-ins.** Models on one machine played AWS's services. What they found and wrote "
            "says nothing of what AWS's models would have.\n"
        )
    files = ", ".join(_code(source.name) for source in facts.run.footage)
    yield (
        f"A dataset to teach an image model what these characters look like: squares cut from {files} by "
        f"Storycast's run {_code(facts.run.run_id)}, near-duplicates removed, each with a caption that names who "
        "is in it."
    )
    yield f"\n{RIGHTS}"


def _contents(images: Sequence[DatasetImage]) -> Iterator[str]:
    enlarged = sum(one.image.enlarged for one in images)
    yield f"## {CONTENTS}\n"
    yield "| file | what it is |"
    yield "|---|---|"
    yield "| `images/` | the pictures, PNG, square |"
    yield "| `manifest.jsonl` | a picture and its caption a line; the pictures by their S3 URI |"
    yield "| `approved.jsonl` | the same, once the review has approved it |"
    yield "| `pictures.jsonl` | what is known of each: who, where in the film, framing, whether it is held out |"
    yield "| `contact_sheet.jpg` | all of them at a glance |"
    if enlarged:
        yield (
            f"\n{enlarged} of {len(images)} had fewer pixels in the film than training takes, and were enlarged "
            "(`enlarged` in `pictures.jsonl`)."
        )


def _loading(run: Run) -> Iterator[str]:
    yield f"## {LOADING}\n"
    yield "`storycast export` writes the folder that a trainer reads:\n"
    yield "```"
    for kind in ("diffusers", "kohya", "bedrock"):
        yield f"storycast export {run.run_id} --format {kind} --out {kind}"
    yield "```\n"
    yield "```python"
    yield "from datasets import load_dataset\n"
    yield 'dataset = load_dataset("imagefolder", data_dir="diffusers")'
    yield "```\n"
    yield "The README of each export says how its trainer is started."


def _footage(facts: CardFacts) -> Iterator[str]:
    yield "## Footage\n"
    yield "| file | length | picture | bytes | content (ETag of S3) |"
    yield "|---|---|---|---|---|"
    for source in facts.run.footage:
        probe = facts.probes.get(source.footage_id)
        length = str(timedelta(seconds=round(probe.duration_ms / 1000))) if probe and probe.duration_ms else "-"
        size = f"{probe.width_px} x {probe.height_px}" if probe else "-"
        yield f"| {_cell(source.name)} | {length} | {size} | {source.size_bytes:,} | {_code(source.etag)} |"


def _characters(images: Sequence[DatasetImage], facts: CardFacts) -> Iterator[str]:
    yield "## Characters\n"
    yield ("| character | pictures | held out | with others | shots | " + " | ".join((*FRAMINGS, *LIGHTS)) + " |")
    yield "|---" * (5 + len(FRAMINGS) + len(LIGHTS)) + "|"
    names = sorted({one.image.character for one in images})
    for name in names:
        yield _row(_cell(name), [one for one in images if one.image.character == name], facts.light)
    if len(names) > 1:
        yield _row("**all**", images, facts.light)
    yield (
        "\nA picture counts for the character that it is of. Framing: how much of the square's height the "
        "character fills. Light: the mean of the crop."
    )


def _row(name: str, own: Sequence[DatasetImage], light: Mapping[str, str]) -> str:
    framings = Counter(one.image.framing for one in own)
    seen = Counter(light[one.image.crop_id] for one in own if one.image.crop_id in light)
    cells: list[object] = [
        name,
        len(own),
        sum(one.held_out for one in own),
        sum(len(one.image.in_picture) > 1 for one in own),
        len({(one.image.footage_id, one.image.shot) for one in own}),
        *(framings[framing] for framing in FRAMINGS),
        *(seen[word] if seen else "-" for word in LIGHTS),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def _split(images: Sequence[DatasetImage], facts: CardFacts) -> Iterator[str]:
    held_out = [one for one in images if one.held_out]
    share = facts.settings.training.hold_out_share
    yield f"## {SPLIT}\n"
    if not held_out:
        why = "`training.hold_out_share` is 0" if share <= 0 else "there are too few shots or pictures for it"
        yield f"Nothing is held out: {why}. So nothing will show whether a training learns or copies."
        return
    shots = {(one.image.footage_id, one.image.shot) for one in held_out}
    yield (
        f"{len(images) - len(held_out)} pictures are to be trained on. {len(held_out)}, all of {len(shots)} "
        f"{'shot' if len(shots) == 1 else 'shots'}, are held out to grade trainings by: whole shots, so that "
        f"nothing much like them is trained on. `training.hold_out_share` asks for {share:.0%}; each character "
        "that is in enough shots gives one, up to twice that share. Storycast's trainings and exports hold out "
        "the same ones; `held_out` in `pictures.jsonl` marks them."
    )


def _captions(images: Sequence[DatasetImage], facts: CardFacts) -> Iterator[str]:
    run, settings = facts.run, facts.settings.captions
    model = run.model(settings.model)
    by_people = _by_people(images, run)
    flagged = sum(bool(one.flags) for one in images)
    prompt = f"the project's own ({_code(settings.prompt)})" if settings.prompt else "Storycast's own"
    yield "## Captions\n"
    by = f", answered by {_cell(model.name)} ({_cell(model.provider)})" if model.provider else ""
    yield f"- Written by {_code(model.model_id)}{by}."
    yield f"- Asked for {settings.words[0]} to {settings.words[1]} words, with a prompt that is {prompt}."
    yield f"- {len(by_people)} of {len(images)} were written or rewritten by people."
    yield f"- {flagged} have something that a person should look at (`flags` in `pictures.jsonl`)."
    for line in facts.lint:
        yield f"- Lint: {_cell(line)}"


def _selection(images: Sequence[DatasetImage], facts: CardFacts) -> Iterator[str]:
    run, settings = facts.run, facts.settings
    twins = sum(one.image.duplicate_count for one in images)
    yield "## How the pictures were chosen\n"
    threshold = run.chosen.get("duplicates_threshold")
    at = f" from a cosine of {threshold:.3f} on" if isinstance(threshold, float) else ""
    yield (
        f"- Two pictures are near-duplicates{at}, by {_code(settings.duplicates.embedding)}: "
        f"{run.chosen.get('threshold_source', 'not chosen')}. These pictures stand for {twins} more."
    )
    yield f"- Up to {settings.selection.images_per_character} pictures of each character."
    yield f"- Characters were found by {_listed(settings.detection.methods)}."
    yield "- `curation.json` and `ledger.jsonl` of the run say why each of the others was left out."


def _review(images: Sequence[DatasetImage], facts: CardFacts) -> Iterator[str]:
    yield "## Review\n"
    people = sorted({one.who for one in facts.decisions if one.via not in ("auto", "rule") and one.changes})
    if not facts.decisions:
        yield "Nobody has reviewed it yet."
    elif not people:
        yield "Nobody looked at it: the project asks for no review (`review.mode: auto`), so all were approved."
    else:
        closing = next((one for one in reversed(facts.decisions) if one.what in CLOSING), None)
        ended = f" It was closed by {_cell(closing.who)} on {closing.when[:10]}." if closing else ""
        yield (
            f"{_cell(_listed(people))} approved {len(images)} of {facts.proposed or len(images)} proposed "
            f"pictures, and wrote or rewrote {len(_by_people(images, facts.run))} captions.{ended}"
        )


def _gaps(facts: CardFacts) -> Iterator[str]:
    yield "## Known gaps\n"
    told = [f"Not ready for training: {one}" for one in facts.obstacles]
    told = list(dict.fromkeys([*told, *facts.shortfalls, *facts.run.warnings]))
    yield from (f"- {_sentence(_cell(line))}" for line in told)
    if not told:
        yield "None that the run knows of."


def _provenance(facts: CardFacts) -> Iterator[str]:
    run = facts.run
    yield "## Where it comes from\n"
    yield f"- Run {_code(run.run_id)} of project {_code(run.project)}, begun on {run.started_at[:10]}."
    yield from (f"- {_cell(line)}." for line in made_by(run))
    yield (
        f"- Versions of Storycast's results: frames {FRAMES_VERSION}, detections {DETECTIONS_VERSION}, crops "
        f"{CROPS_VERSION}. All settings are in the run's `settings.json`."
    )


def _by_people(images: Sequence[DatasetImage], run: Run) -> list[DatasetImage]:
    models = {text for model in run.models for text in (model.model_id, f"{model.name} ({model.provider})")}
    return [one for one in images if one.caption_by not in models]


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _cell(text: str) -> str:
    """Return text as it stands in Markdown, also in a cell of a table, whatever it holds."""
    line = " ".join(text.split())
    for mark in ("\\", "|", "<", "*", "_", "`", "[", "]"):
        line = line.replace(mark, f"\\{mark}")
    return line


def _code(text: str) -> str:
    return f"`{' '.join(text.split()).replace('`', "'").replace('|', '¦')}`"
