"""The project file: a strict schema in which every key has a default.

A video uploaded with no project file still runs. A wrong key or value is an error that names the key, since a
setting that is ignored in silence costs money.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from storycast.caption_lint.findings import Rule
from storycast.errors import SettingsInvalidError
from storycast.votes import Method

UNKNOWN = "unknown"
"""Name of whoever was found in a picture and could not be named; no member of the cast may have it."""

DEFAULT_NEGATIVE_PROMPT = "text, ugly, blurry, distorted, low quality, pixelated, watermark, text, deformed"
"""The walk-through's, word for word ("Build character consistent storyboards ...", part 2)."""

DEFAULT_BASE_MODEL = "amazon.nova-canvas-v1:0"
"""The walk-through's base model, which ended on 2026-09-30; trained only where nobody names another one."""

DEFAULT_OPEN_MODEL = "stabilityai/stable-diffusion-xl-base-1.0"
"""What an adapter is trained on where nobody names another model; CreativeML Open RAIL++-M licence."""
_OPEN_MODEL = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*|s3://[a-z0-9][a-z0-9.-]+/(?:[^/\x00-\x1f]+/)+")

MIN_CANVAS_BATCH = 8
MAX_CANVAS_RATE = 1e-4

MAX_CHARACTERS = 50
"""Of a project; a picture tells of all that are in it, and a payload has 32 KB."""
MAX_PROMPTS = 40
"""Of one storyboard; the map over them is an inline one."""
MAX_PANEL_PIXELS = 4_194_304

MAX_PROMPT = 1024
"""Characters."""
PromptText = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Confidence = Annotated[float, Field(ge=0.0, le=100.0)]
ModelId = Annotated[str, Field(min_length=1, max_length=2048)]

_NAME = r"[a-zA-Z0-9_.\-]{1,255}"
_CUSTOM_LABELS_MODEL = rf"^arn:[a-z\d-]+:rekognition:[a-z\d-]+:\d{{12}}:project/{_NAME}/version/{_NAME}/\d+$"


MAX_DEPTH = 10
"""Levels of lists and mappings in a project file; the schema has four."""
MOST_TOLD = 10
"""Problems of a project file that are told one by one; the rest is counted."""
_SHOWN = 120
"""Characters of a key or a problem that a message shows: what a file holds may be of any length."""


class _PlainLoader(yaml.SafeLoader):
    """Reads YAML that says what it looks like.

    No aliases, which unfold a page to gigabytes; no tags, which turn text into something else; no key twice in one
    mapping.
    """

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(None, None, "an alias (*) is not allowed in a project file", mark)
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(None, None, f"more than {MAX_DEPTH} levels", mark)
        tag = getattr(self.peek_event(), "tag", None)  # type: ignore[no-untyped-call]
        if tag is not None:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            told = _shown(tag.replace("tag:yaml.org,2002:", "!!"))
            raise yaml.MarkedYAMLError(None, None, f"a tag ({told}) is not allowed in a project file", mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                told = f"the key '{_shown(key.value)}' stands twice"
                raise yaml.MarkedYAMLError(None, None, told, key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, allow_inf_nan=False)


def _refuse_path_outside(path: str) -> None:
    if path.startswith("/") or ".." in path.split("/") or "\\" in path:
        raise ValueError(f"'{_shown(path)}' must be a path below the project file's folder")
    if any(sign < " " or sign == "\x7f" for sign in path):
        raise ValueError(f"{_shown(path)!a} holds control characters, which no path should have")


class Character(_Strict):
    """A named member of the cast."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    description: Annotated[str, Field(max_length=400)] = ""
    references: tuple[Annotated[str, Field(min_length=1, max_length=1024)], ...] = ()
    labels: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    """Ids of clusters that a run discovered, which are this character; several are merged."""

    @field_validator("name")
    @classmethod
    def _name_is_usable(cls, name: str) -> str:
        # One letter with its accent, as people and models write it, not two as files of macOS have it.
        name = unicodedata.normalize("NFC", name)
        if name.casefold() == UNKNOWN:
            raise ValueError(f"'{UNKNOWN}' is what unnamed characters are called; choose another name")
        if any(not character.isprintable() or character in '<>{}"\\' for character in name):
            raise ValueError("a name must not hold control characters, quotes, <, >, { or }")
        return name

    @field_validator("references")
    @classmethod
    def _references_stay_in_the_project(cls, references: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in references:
            _refuse_path_outside(pattern)
        return references


class Sampling(_Strict):
    """How frames are chosen."""

    frames_per_second: Annotated[float, Field(ge=0.01, le=60.0)] = 1.0
    pick: Literal["sharpest", "fixed"] = "sharpest"


class Thresholds(_Strict):
    """From which value a method's word for a character counts."""

    labels: Confidence | None = None
    """None: ``detection.min_confidence``."""
    faces: Confidence = 80.0
    """Similarity of a face with one of the references; the default is Rekognition's own."""
    custom_labels: Confidence | None = None
    """None: the threshold that the model chose for each label when it was trained."""
    references: Annotated[float, Field(gt=0.0, le=1.0)] | Literal["auto"] = "auto"
    """Likeness to the references: mostly the cosine of embeddings, with that of colours."""


class Detection(_Strict):
    """How characters are found in a frame, and who says whom they are."""

    methods: Annotated[tuple[Method, ...], Field(min_length=1)] = ("labels", "references")
    min_confidence: Confidence = 60.0
    """Of Rekognition's labels, from which a box counts."""
    thresholds: Thresholds = Thresholds()
    drop: tuple[str, ...] = ()
    """Ids of discovered clusters that are nobody."""
    economy: bool = True
    custom_labels_model: Annotated[str, Field(pattern=_CUSTOM_LABELS_MODEL, max_length=2048)] | None = None
    """ARN of a trained project version of Amazon Rekognition Custom Labels. It is billed by the hour."""
    custom_labels_units: Annotated[int, Field(ge=1, le=5)] = 1
    """Inference units: each is billed by the hour, and looks at a few frames a second."""
    custom_labels_hours: Annotated[float, Field(gt=0.0, le=24.0)] = 4.0
    """After so long the model is stopped, whatever the run is doing."""

    @model_validator(mode="after")
    def _method_and_model_go_together(self) -> "Detection":
        is_asked = "custom_labels" in self.methods
        if is_asked and self.custom_labels_model is None:
            raise ValueError("methods: custom_labels needs custom_labels_model, the ARN of a trained version")
        if self.custom_labels_model is not None and not is_asked:
            raise ValueError("custom_labels_model has no effect: add custom_labels to methods, or leave it out")
        return self

    def threshold(self, method: Method) -> float | None:
        """Return the score, as a :class:`~storycast.votes.Vote` has it, from which a method's word counts.

        Returns:
            A share or a cosine, 0..1; None where the model itself says what counts, or calibration does.
        """
        if method == "references":
            return None if self.thresholds.references == "auto" else self.thresholds.references
        confidence = {
            "labels": self.min_confidence if self.thresholds.labels is None else self.thresholds.labels,
            "faces": self.thresholds.faces,
            "custom_labels": self.thresholds.custom_labels,
        }[method]
        return None if confidence is None else confidence / 100


class Crop(_Strict):
    """How characters are cut out of a frame."""

    padding: Annotated[float, Field(ge=0.0, le=1.0)] = 0.15
    max_size: Annotated[int, Field(ge=512, le=4096)] = 1024


class Duplicates(_Strict):
    """When two pictures count as one."""

    embedding: ModelId = "amazon.titan-embed-image-v1"
    threshold: Annotated[float, Field(gt=0.0, le=1.0)] | Literal["auto"] = "auto"


class Selection(_Strict):
    """How many pictures are kept, and of what kind."""

    images_per_character: Annotated[int, Field(ge=1, le=1000)] = 30
    per_shot: Annotated[int, Field(ge=1, le=1000)] | Literal["auto"] = "auto"
    """Pictures of a character that one shot gives at most; ``auto``: a fifth of its budget, and at least 2."""
    pairs_share: Share = 0.12
    """Of the dataset's pictures that show several of the cast."""


class Captions(_Strict):
    """How pictures are captioned."""

    model: ModelId = "amazon.nova-pro-v1:0"
    words: tuple[Annotated[int, Field(ge=1, le=150)], Annotated[int, Field(ge=1, le=150)]] = (20, 30)
    prompt: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    """Path of a text below the project file's folder that is asked instead of the default prompt."""
    acknowledge: tuple[Rule, ...] = ()
    """Rules of the caption lint whose findings may stay: a training is not refused for them."""

    @field_validator("prompt")
    @classmethod
    def _prompt_stays_in_the_project(cls, prompt: str | None) -> str | None:
        if prompt is not None:
            _refuse_path_outside(prompt)
            if prompt.endswith("/") or not prompt.isprintable():
                raise ValueError(f"{prompt!a} must be the path of a text file")
        return prompt

    @field_validator("words")
    @classmethod
    def _least_comes_first(cls, words: tuple[int, int]) -> tuple[int, int]:
        if words[0] > words[1]:
            raise ValueError(f"[{words[0]}, {words[1]}]: the smaller number comes first")
        return words


class Review(_Strict):
    """Who approves the pictures and captions."""

    mode: Literal["page", "a2i", "auto"] = "page"
    timeout_hours: Annotated[float, Field(gt=0.0, le=8760.0)] = 72.0
    on_timeout: Literal["fail", "approved"] = "fail"
    """After ``timeout_hours``: the run fails, or goes on with what is approved by then."""
    remind_hours: Annotated[float, Field(ge=1.0, le=8760.0)] = 24.0
    """How often the topic tells again that a review waits."""
    minimum_per_character: Annotated[int, Field(ge=0)] = 10
    """Approved pictures below which a character keeps a training from being started."""


class Lora(_Strict):
    """How an adapter (LoRA) of an open image model is trained, where ``training.target`` is ``sagemaker``."""

    rank: Annotated[int, Field(ge=1, le=256)] = 16
    """Of the adapter's matrices: more learns finer detail, and copies pictures sooner."""
    resolution: Annotated[int, Field(ge=512, le=2048, multiple_of=64)] = 1024
    """Side in px of a square picture as the model sees it; other aspects have as many pixels."""
    instance_type: Annotated[str, Field(pattern=r"^ml\.[a-z0-9]+\.[a-z0-9]+$")] = "ml.g5.xlarge"
    spot: bool = True
    """Use capacity that AWS may take back; a job that is interrupted goes on from its last checkpoint."""
    volume_gb: Annotated[int, Field(ge=10, le=1000)] = 60
    """Disk of the job: weights, image, pictures and checkpoints lie on it."""


@dataclass(frozen=True, slots=True)
class TrainingValues:
    """How long and how fast is trained."""

    step_count: int
    batch_size: int
    """Pictures of a step."""
    learning_rate: float

    @property
    def pictures_seen(self) -> int:
        """How many pictures are seen in all, each as often as it is seen."""
        return self.step_count * self.batch_size


CANVAS_VALUES = TrainingValues(step_count=14_000, batch_size=64, learning_rate=1e-6)
"""The walk-through's, for Amazon Nova Canvas."""
LORA_VALUES = TrainingValues(step_count=1_500, batch_size=1, learning_rate=1e-4)
"""Learning rate and batch size of diffusers' documentation, "Stable Diffusion XL", LoRA; steps for some dozens of
pictures, not measured."""


class Training(_Strict):
    """What is trained on the dataset; nothing unless a target is named."""

    target: Literal["none", "bedrock", "sagemaker"] = "none"
    base_model: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """On Bedrock a model's id; for ``sagemaker`` an id of the model hub, or ``s3://bucket/prefix/`` of weights."""
    step_count: Annotated[int, Field(ge=10, le=20_000)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=192)] | None = None
    learning_rate: Annotated[float, Field(ge=1e-7, le=1e-2)] | None = None
    lora: Lora = Lora()
    max_hours: Annotated[float, Field(gt=0.0, le=72.0)] = 72.0
    hold_out_share: Annotated[float, Field(ge=0.0, le=0.5)] = 0.1
    """Share of the pictures, by whole shots, that is kept out of the training to grade its panels against."""

    @model_validator(mode="after")
    def _fits_the_target(self) -> "Training":
        """Amazon Nova User Guide, "Fine-tuning", hyperparameters; diffusers' trainer has no such limits."""
        if self.target == "bedrock":
            if self.batch_size is not None and self.batch_size < MIN_CANVAS_BATCH:
                raise ValueError(f"batch_size: {self.batch_size}: Amazon Bedrock takes {MIN_CANVAS_BATCH} to 192")
            if self.learning_rate is not None and self.learning_rate > MAX_CANVAS_RATE:
                raise ValueError(f"learning_rate: {self.learning_rate:g}: Amazon Bedrock takes 1e-7 to 1e-4")
        if self.target == "sagemaker" and self.base_model and not _OPEN_MODEL.fullmatch(self.base_model):
            raise ValueError(
                f"base_model: '{self.base_model}' is neither an id of the model hub, such as "
                f"{DEFAULT_OPEN_MODEL}, nor s3://bucket/prefix/ of a folder with weights"
            )
        return self

    @property
    def values(self) -> TrainingValues:
        """Steps, batch size and learning rate, with the target's own default where the project names none."""
        usual = LORA_VALUES if self.target == "sagemaker" else CANVAS_VALUES
        return TrainingValues(
            step_count=self.step_count or usual.step_count,
            batch_size=self.batch_size or usual.batch_size,
            learning_rate=self.learning_rate or usual.learning_rate,
        )

    @property
    def model_id(self) -> str:
        """Id of the model that is fine-tuned."""
        return self.base_model or (DEFAULT_OPEN_MODEL if self.target == "sagemaker" else DEFAULT_BASE_MODEL)


class Hosting(_Strict):
    """How long the trained model is hosted at most; it is taken down as soon as the storyboard is drawn."""

    model_units: Annotated[int, Field(ge=1, le=10)] = 1
    hours: Annotated[float, Field(gt=0.0, le=72.0)] = 2.0


class Storyboard(_Strict):
    """What is drawn with the trained model."""

    prompts: Annotated[tuple[PromptText, ...], Field(max_length=MAX_PROMPTS)] = ()
    negative_prompt: Annotated[str, Field(max_length=1024)] = DEFAULT_NEGATIVE_PROMPT
    images_per_prompt: Annotated[int, Field(ge=1, le=5)] = 3
    base_images_per_prompt: Annotated[int, Field(ge=0, le=5)] = 1
    """Pictures of the same prompt by the base model, beside which the report shows the trained one's."""
    seed: Annotated[int, Field(ge=1, le=858_993_459)] | None = None
    """None: one is made from the prompt and the model, so that the same storyboard is drawn and paid once."""
    quality: Literal["standard", "premium"] = "premium"
    width: Annotated[int, Field(ge=320, le=4096)] = 1024
    height: Annotated[int, Field(ge=320, le=4096)] = 1024
    cfg_scale: Annotated[float, Field(ge=1.1, le=10.0)] = 8.0

    @model_validator(mode="after")
    def _size_is_legal(self) -> "Storyboard":
        """Amazon Nova User Guide, "Supported image resolutions": multiples of 16, 1:4 to 4:1, 4.19 million px."""
        if self.width % 16 or self.height % 16:
            raise ValueError(f"{self.width} x {self.height}: width and height must be multiples of 16")
        if max(self.width, self.height) > 4 * min(self.width, self.height):
            raise ValueError(f"{self.width} x {self.height}: the longer side has at most 4 times the shorter one")
        if self.width * self.height > MAX_PANEL_PIXELS:
            raise ValueError(f"{self.width} x {self.height}: a panel has at most {MAX_PANEL_PIXELS:,} pixels")
        return self


class Local(_Strict):
    """What holds on the embedded AWS alone; nothing of it has any effect on AWS."""

    play_as_active: tuple[ModelId, ...] = ()
    """Models that have ended and that the stand-ins play as if they had not."""


class Concurrency(_Strict):
    """How many children each Distributed Map runs at once; new accounts have small quotas."""

    segments: Annotated[int, Field(ge=1, le=1000)] = 8
    frames: Annotated[int, Field(ge=1, le=1000)] = 20
    captions: Annotated[int, Field(ge=1, le=1000)] = 4


class Manifest(_Strict):
    """Which keys the manifest's lines have."""

    keys: Literal["bedrock", "walkthrough"] = "bedrock"


class Settings(_Strict):
    """All settings of a project."""

    characters: Annotated[tuple[Character, ...], Field(max_length=MAX_CHARACTERS)] = ()
    sampling: Sampling = Sampling()
    detection: Detection = Detection()
    crop: Crop = Crop()
    duplicates: Duplicates = Duplicates()
    selection: Selection = Selection()
    captions: Captions = Captions()
    review: Review = Review()
    training: Training = Training()
    budget_usd: Annotated[float, Field(ge=0.0)] = 0.0
    hosting: Hosting = Hosting()
    storyboard: Storyboard = Storyboard()
    concurrency: Concurrency = Concurrency()
    local: Local = Local()
    manifest: Manifest = Manifest()
    max_lost_share: Share = 0.01

    @model_validator(mode="after")
    def _names_differ(self) -> "Settings":
        seen: set[str] = set()
        for character in self.characters:
            if character.name.casefold() in seen:
                raise ValueError(f"characters: two are called '{character.name}'")
            seen.add(character.name.casefold())
        told = [one for character in self.characters for one in set(character.clusters)] + [*self.detection.drop]
        for one in sorted(set(told)):
            if told.count(one) > 1:
                raise ValueError(f"characters: the cluster {one} is several characters, or is dropped as well")
        return self

    @property
    def has_references(self) -> bool:
        """Whether the project shows what its characters look like."""
        return any(character.references for character in self.characters)


def read_settings(text: str | bytes, source: str) -> Settings:
    """Read a project file.

    Args:
        text: The file's content, YAML.
        source: The file's name or key, for the error message.

    Returns:
        The settings; all defaults where the file is empty.

    Raises:
        SettingsInvalidError: It is not YAML, no mapping, or has a key or value that the schema does not know.
            The message names every such key.
    """
    try:
        data = yaml.load(text, _PlainLoader)  # noqa: S506 - a SafeLoader that allows less
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, ArithmeticError) as error:
        raise SettingsInvalidError(
            f"{source} is not YAML: {_why(error)}. Mend the file and start again."
        ) from None
    if data is None:
        return Settings()
    if not isinstance(data, dict):
        raise SettingsInvalidError(
            f"{source} must hold keys such as 'characters:'; it holds a {type(data).__name__}."
        )
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        told = [_problem(detail) for detail in error.errors(include_url=False, include_input=False)[:MOST_TOLD]]
        more = error.error_count() - len(told)
        problems = "; ".join([*told, *([f"and {more} more problems"] if more else [])])
        raise SettingsInvalidError(f"{source}: {problems}. Mend the file and start again.") from None


def _why(error: Exception) -> str:
    # An OverflowError is a number in base 60, such as 1:30:00.5, of hundreds of digits.
    if isinstance(error, ArithmeticError) or "integer string conversion" in str(error):
        return "a number in it has too many digits"
    return re.sub(r' in "<(?:byte|unicode) string>"', "", " ".join(str(error).split()))


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _problem(detail: Any) -> str:
    location = _shown(_location(detail["loc"]))
    if detail["type"] == "extra_forbidden":
        known = ", ".join(_known_keys(detail["loc"][:-1]))
        return f"unknown key '{location}'" + (f" (known here: {known})" if known else "")
    message = detail["msg"].removeprefix("Value error, ").replace("Tuple should", "List should")
    if detail["type"] == "model_type":
        message = "it must be a mapping, such as {key: value}"
    return f"{location}: {message}" if location else message


def _location(parts: Iterable[int | str]) -> str:
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.lstrip(".")


def _known_keys(parts: tuple[int | str, ...]) -> list[str]:
    model: Any = Settings
    for part in parts:
        if isinstance(part, int):
            continue
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return []
        model = field.annotation
        for argument in getattr(model, "__args__", ()):
            if isinstance(argument, type) and issubclass(argument, BaseModel):
                model = argument
    return list(getattr(model, "model_fields", {}))
