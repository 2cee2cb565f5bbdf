"""Who is in a panel, what repeats the training, and what the stage pays and writes."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from storycast import keys
from storycast.cast import Cast, CastMember, Reference
from storycast.copies import COPY_CORRELATION, copy_correlation
from storycast.curation import CuratedImage
from storycast.dataset import file_name
from storycast.embeddings import encode, stack, unit
from storycast.errors import FrameRefusedError, ThrottledError
from storycast.estimate import GRADED_PARTS_PER_PANEL
from storycast.frames import to_json_lines
from storycast.grading import (
    Copy,
    Found,
    Grade,
    Grades,
    Part,
    References,
    Trained,
    find_characters,
    judge,
    names_in,
    nearest_trained,
)
from storycast.ports import Drawn, Labels
from storycast.sightings import Sighting
from storycast.stages.draw_storyboard import draw_storyboard
from storycast.stages.grade_storyboard import grade_storyboard
from storycast.stages.panel_look import MAX_BOXES
from storycast.stages.reading import write_record
from storycast.storyboard import STAND_IN_MARK, panel_requests, panels_key
from storycast.training import TrainingPlan
from tests.fakes.services import ColourDetector, ColourEmbedder
from tests.fakes.store import MemoryStore
from tests.fakes.trainings import approved
from tests.unit.sessions import BASE, TRAINED_ARN, ToldImages, hosted, png, session_plan

TITAN = "amazon.titan-embed-image-v1"
RED, GREEN, BLUE = (230, 20, 20), (20, 230, 20), (20, 20, 230)

# ---- prompts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Mara by a river", ("Mara",)),
        ("a hill; PIP and mara!", ("Pip", "Mara")),
        ("Marabout and Philippip", ()),
        ("Old Tom sits down", ("Old Tom",)),
        ("Tom meets Old Tom", ("Tom", "Old Tom")),
        ("Mara sees Mara", ("Mara",)),
        ("J.R. (Jr) drinks", ("J.R.",)),
        ("Mara's hat", ("Mara",)),
        ("", ()),
    ],
)
def test_a_prompt_names_characters_by_whole_words(prompt: str, expected: tuple[str, ...]) -> None:
    assert names_in(prompt, ("Mara", "Pip", "Tom", "Old Tom", "J.R.")) == expected


# ---- who is in it ---------------------------------------------------------------------------------


def _vector(*values: float) -> Any:
    return unit([*values, *[0.0] * (4 - len(values))])


def _part(vector: Sequence[float], box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)) -> Part:
    return Part(left=box[0], top=box[1], width=box[2], height=box[3], embedding=encode(_vector(*vector)))


def _known(**vectors: Sequence[float]) -> References:
    named = {name: stack([_vector(*vector)]) for name, vector in vectors.items()}
    return References(named, dict.fromkeys(named, "held-out pictures"))


TWO = _known(Mara=(1.0,), Pip=(0.0, 1.0))
LEFT, RIGHT = (0.05, 0.2, 0.4, 0.6), (0.55, 0.2, 0.4, 0.6)


def _names(parts: Sequence[Part], references: References = TWO) -> list[str]:
    return [found.character for found in find_characters(parts, references, known_cosine=0.53)]


def test_each_part_is_whom_it_is_most_like() -> None:
    assert _names([_part((1, 1)), _part((1, 0.2), LEFT), _part((0.3, 1), RIGHT)]) == ["Mara", "Pip"]


def test_below_the_threshold_or_without_a_lead_it_is_nobody() -> None:
    assert _names([_part((0.5, 0, 0.9), LEFT)]) == []
    assert _names([_part((1, 0.985), LEFT)]) == []


def test_the_whole_panel_tells_only_where_no_part_does() -> None:
    assert _names([_part((0, 1)), _part((1,), LEFT)]) == ["Mara"]
    assert _names([_part((0, 1)), _part((0, 0, 1), LEFT)]) == ["Pip"]


def test_of_parts_on_one_another_the_likest_decides() -> None:
    ear = (0.1, 0.2, 0.1, 0.1)
    assert _names([_part((1, 0.1), LEFT), _part((0.5, 1), ear)]) == ["Mara"]
    assert _names([_part((1, 0.9), LEFT), _part((0, 1), ear)]) == ["Pip"]


def test_a_character_is_found_once() -> None:
    assert _names([_part((1, 0.1), LEFT), _part((1, 0.3), RIGHT)]) == ["Mara"]


def test_without_references_or_parts_nobody_is_found() -> None:
    assert _names([_part((1,))], References({}, {})) == []
    assert _names([]) == []


@given(
    st.lists(
        st.tuples(
            st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda vector: max(map(abs, vector)) > 0.1),
            st.tuples(st.floats(0, 0.6), st.floats(0, 0.6), st.floats(0.05, 0.4), st.floats(0.05, 0.4)),
        ),
        max_size=6,
    )
)
def test_findings_are_above_the_threshold_each_once_and_none_only_where_no_part_is_anybody(parts: Any) -> None:
    made = [_part(vector, box) for vector, box in parts]
    found = find_characters(made, TWO, known_cosine=0.53)
    assert len({one.character for one in found}) == len(found) <= 2
    assert all(one.cosine >= 0.53 for one in found)
    assert bool(found) == any(_names([part]) for part in made)


def _found(name: str) -> Found:
    return Found(character=name, cosine=0.8, left=0, top=0, width=1, height=1)


@pytest.mark.parametrize(
    ("expected", "found", "verdict", "reason"),
    [
        (["Mara"], ["Mara"], "right", "it shows Mara (0.80)"),
        (["Mara", "Pip"], ["Pip", "Mara"], "right", "it shows Pip (0.80) and Mara (0.80)"),
        (["Mara"], ["Pip"], "wrong", "it shows Pip (0.80); Pip was not asked for"),
        (["Mara"], ["Mara", "Pip"], "wrong", "it shows Mara (0.80) and Pip (0.80); Pip was not asked for"),
        (["Mara", "Pip"], ["Mara"], "missing", "it shows Mara (0.80); Pip is missing"),
        (["Mara"], [], "missing", "it shows nobody of the cast; Mara is missing"),
    ],
)
def test_the_verdict_compares_who_was_asked_for_with_who_is_there(
    expected: list[str], found: list[str], verdict: str, reason: str
) -> None:
    assert judge(expected, [_found(name) for name in found], None) == (verdict, reason)


def test_a_copy_is_one_whoever_it_shows() -> None:
    copy = Copy(crop_id="c-1", correlation=0.97)
    verdict, reason = judge(["Mara"], [_found("Mara")], copy)
    assert (verdict, reason) == ("copy", "it repeats training picture c-1: correlation 0.97")


def test_the_nearest_training_pictures_come_first() -> None:
    trained = Trained(("a", "b", "c"), stack([_vector(1), _vector(0, 1), _vector(1, 1)]))
    nearest = nearest_trained([_part((0, 0, 1)), _part((1, 0.9), LEFT)], trained, 2)
    assert [one.crop_id for one in nearest] == ["c", "a"]
    assert nearest_trained([], trained, 2) == ()
    assert nearest_trained([_part((1,))], Trained((), stack([])), 2) == ()


# ---- copies ---------------------------------------------------------------------------------------


def _picture(seed: int, side: int = 256) -> Image.Image:
    """A picture of soft patches, as unlike any other seed's as two scenes are."""
    patches = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((side, side), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("share", [1.0, 0.85, 0.7, 0.55])
@pytest.mark.parametrize("size", [(1024, 1024), (320, 320)])
def test_a_cut_is_found_wherever_it_was_and_however_it_was_enlarged(share: float, size: tuple[int, int]) -> None:
    picture = _picture(1)
    side = round(256 * share)
    for left, top in {(0, 0), (256 - side, 0), ((256 - side) // 2, 256 - side)}:
        cut = picture.crop((left, top, left + side, top + side)).resize(size)
        assert copy_correlation(cut, picture) >= COPY_CORRELATION


def test_it_does_not_matter_which_is_the_copy() -> None:
    cut = _picture(1).crop((20, 30, 200, 210))
    assert copy_correlation(_picture(1), cut) == copy_correlation(cut, _picture(1))


def test_light_and_contrast_make_no_difference() -> None:
    darker = Image.fromarray((np.asarray(_picture(1)) * 0.6 + 20).astype(np.uint8))
    assert copy_correlation(darker, _picture(1)) >= 0.99


def test_a_copy_within_a_wider_panel_is_found() -> None:
    panel = Image.new("RGB", (1280, 720), (90, 120, 150))
    panel.paste(_picture(1, 700), (300, 10))
    assert copy_correlation(panel, _picture(1)) >= COPY_CORRELATION


@pytest.mark.parametrize("seed", range(2, 8))
def test_another_picture_is_no_copy(seed: int) -> None:
    assert copy_correlation(_picture(seed), _picture(1)) < 0.6


def test_a_plain_wall_is_a_copy_of_nothing() -> None:
    wall = Image.new("RGB", (640, 360), (120, 130, 140))
    assert copy_correlation(wall, _picture(1)) < 0.3
    assert copy_correlation(_picture(1), wall) < 0.3
    assert copy_correlation(wall, wall) < 0.3


# ---- the stage ------------------------------------------------------------------------------------


def _panel(*colours: tuple[int, int, int], ground: int = 120, side: int = 320) -> Image.Image:
    """Squares on a chequered ground; what the fake detector and embedder can tell apart."""
    rows, columns = np.mgrid[0:side, 0:side]
    pixels = np.repeat((((rows // 10 + columns // 10) % 2) * 30 + ground - 15)[..., None], 3, axis=2)
    for number, colour in enumerate(colours):
        left = 20 + 150 * number
        pixels[100:230, left : left + 130] = colour
    return Image.fromarray(pixels.astype(np.uint8))


def _bytes(picture: Image.Image, software: str = "") -> bytes:
    return png(np.asarray(picture), software)


def _crop(embedder: ColourEmbedder, picture: Image.Image) -> Any:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return unit(embedder.embed(out.getvalue()))


def _image(crop_id: str, character: str) -> CuratedImage:
    return CuratedImage(
        crop_id=crop_id,
        character=character,
        frame_id=crop_id[:-3],
        frame_key="footage/f/frame.jpg",
        footage_id="f",
        time_ms=0,
        shot=0,
        left_px=0,
        top_px=0,
        side_px=512,
        in_picture=(character,),
        framing="full",
        enlarged=False,
        score=0.8,
        duplicates=(),
    )


def _sighting(image: CuratedImage) -> Sighting:
    place: dict[str, Any] = {"left": 0.0, "top": 0.0, "width": 1.0, "height": 1.0}
    return Sighting(
        **place,
        **image.model_dump(
            include={"crop_id", "frame_id", "frame_key", "footage_id", "time_ms", "shot", "left_px", "top_px"}
        ),
        key="footage/f/crop.jpg",
        width_px=512,
        height_px=512,
        side_px=512,
        confidence=90.0,
        labels=(),
        sharpness=1.0,
        light=0.5,
        contrast=0.5,
    )


TRAINING_PICTURE = Image.blend(_panel(RED), _picture(3, 320), 0.35)


class _World:
    """Red Mara and green Pip are held out, blue Ann has a reference, another Mara was trained on."""

    def __init__(self, prompts: Sequence[str], **storyboard: Any) -> None:
        self.store = MemoryStore()
        self.detector = ColourDetector(self.store)
        self.embedder = ColourEmbedder()
        eyes = ColourEmbedder()
        pictures = {
            ("f-0-00", "Mara"): Image.new("RGB", (64, 64), RED),
            ("f-1-00", "Pip"): Image.new("RGB", (64, 64), GREEN),
            ("f-2-00", "Mara"): TRAINING_PICTURE,
        }
        images = [_image(*key) for key in pictures]
        self.plan: TrainingPlan = session_plan(
            {
                "characters": [{"name": name} for name in ("Mara", "Pip", "Ann", "Zoe")],
                "storyboard": {"prompts": list(prompts), "base_images_per_prompt": 0, **storyboard},
            },
            held_out=("f-0-00", "f-1-00"),
        )
        self._put("dataset/pictures.jsonl", to_json_lines([approved(image) for image in images]))
        self._put("sightings.jsonl", to_json_lines([_sighting(image) for image in reversed(images)]))
        rows = stack([_crop(eyes, picture) for picture in reversed(pictures.values())])
        out = io.BytesIO()
        np.save(out, rows)
        self._put("embeddings.npy", out.getvalue())
        reference = Reference(key="x", content="y", embedding=encode(_crop(eyes, Image.new("RGB", (9, 9), BLUE))))
        ann = CastMember(name="Ann", description="", labels=(), references=(reference,))
        write_record(
            self.store, keys.run_file(self.plan.run_id, "cast.json"), Cast(embedding_model=TITAN, members=(ann,))
        )
        self._put(f"dataset/images/{file_name(images[2])}", _bytes(TRAINING_PICTURE))
        hosted(self.plan, self.store)

    def _put(self, name: str, content: bytes) -> None:
        self.store.put(keys.run_file(self.plan.run_id, name), content, "application/octet-stream")

    def draw(self, *pictures: bytes) -> None:
        """Have the n-th prompt answered with the n-th picture."""
        for index, picture in enumerate(pictures):
            images = ToldImages({TRAINED_ARN: Drawn((picture,)), BASE: Drawn((picture,))})
            draw_storyboard(self.plan, index, store=self.store, image_model=images)

    def grade(self) -> list[Grade]:
        self.answer = grade_storyboard(self.plan, store=self.store, detector=self.detector, embedder=self.embedder)
        return list(self.grades.grades)

    @property
    def grades(self) -> Grades:
        key = keys.training_file(self.plan.run_id, self.plan.training_id, self.plan.session_id, "grades.json")
        content = self.store.get(key)
        assert self.store.get(keys.run_file(self.plan.run_id, "storyboard/grades.json")) == content
        return Grades.model_validate_json(content)


@pytest.mark.parametrize(
    ("prompt", "panel", "verdict", "found", "missing", "others"),
    [
        ("Mara walks", _panel(RED), "right", {"Mara"}, (), ()),
        ("Mara walks", _panel(GREEN), "wrong", {"Pip"}, ("Mara",), ("Pip",)),
        ("Mara and Pip walk", _panel(RED, GREEN), "right", {"Mara", "Pip"}, (), ()),
        ("Mara and Pip walk", _panel(GREEN), "missing", {"Pip"}, ("Mara",), ()),
        ("Mara walks", _panel(RED, GREEN), "wrong", {"Mara", "Pip"}, (), ("Pip",)),
        ("Mara walks", _panel(), "missing", set(), ("Mara",), ()),
        ("Ann walks", _panel(BLUE), "right", {"Ann"}, (), ()),
    ],
)
def test_a_panel_gets_its_verdict(
    prompt: str,
    panel: Image.Image,
    verdict: str,
    found: set[str],
    missing: tuple[str, ...],
    others: tuple[str, ...],
) -> None:
    world = _World([prompt])
    world.draw(_bytes(panel))
    (grade,) = world.grade()
    assert {one.character for one in grade.found} == found
    assert (grade.verdict, grade.missing, grade.others) == (verdict, missing, others)
    assert grade.copy_of is None
    assert grade.nearest is not None
    assert grade.picture_key == keys.run_file(world.plan.run_id, "storyboard/t0123abcd-01-trained-1.png")
    assert grade.against == {
        "Ann": "reference pictures",
        "Mara": "held-out pictures",
        "Pip": "held-out pictures",
    }
    assert world.answer == {"pictures": 1, "verdicts": {verdict: 1}}


@pytest.mark.parametrize("prompt", ["Mara walks", "a hill", "Zoe walks"])
@pytest.mark.parametrize("cut", [(0, 0, 320, 320), (30, 20, 270, 260)])
def test_a_copy_of_the_training_is_named_whoever_was_asked_for(
    prompt: str, cut: tuple[int, int, int, int]
) -> None:
    world = _World([prompt])
    world.draw(_bytes(TRAINING_PICTURE.crop(cut).resize((512, 512))))
    (grade,) = world.grade()
    assert grade.verdict == "copy"
    assert grade.copy_of is not None
    assert grade.copy_of.crop_id == "f-2-00"


def test_a_training_picture_that_is_not_in_the_dataset_is_passed_over() -> None:
    world = _World(["Mara walks"])
    image = keys.run_file(world.plan.run_id, f"dataset/images/{file_name(_image('f-2-00', 'Mara'))}")
    world.store.delete(image)
    world.draw(_bytes(TRAINING_PICTURE))
    assert world.grade()[0].verdict != "copy"


def test_what_a_stand_in_drew_is_not_graded_and_costs_nothing() -> None:
    world = _World(["Mara walks"])
    world.draw(_bytes(_panel(RED), f"{STAND_IN_MARK} composite"))
    (grade,) = world.grade()
    assert (grade.verdict, grade.reason, grade.missing) == ("not graded", "a local stand-in drew it", ())
    assert (world.detector.calls, world.embedder.calls) == (0, 0)


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("a hill", "the prompt names nobody of the cast"),
        ("Zoe walks", "there are neither held-out nor reference pictures of Zoe"),
        ("Zoe and Mara walk", "there are neither held-out nor reference pictures of Zoe"),
    ],
)
def test_what_cannot_be_judged_is_not_graded(prompt: str, reason: str) -> None:
    world = _World([prompt])
    world.draw(_bytes(_panel(RED)))
    (grade,) = world.grade()
    assert (grade.verdict, grade.reason, grade.missing) == ("not graded", reason, ())


def test_a_bare_manifest_has_nothing_to_compare_with() -> None:
    world = _World(["Mara walks"])
    for name in ("dataset/pictures.jsonl", "cast.json"):
        world.store.delete(keys.run_file(world.plan.run_id, name))
    world.draw(_bytes(_panel(RED)))
    (grade,) = world.grade()
    assert (grade.verdict, world.detector.calls) == ("not graded", 0)
    assert grade.reason == "there are neither held-out nor reference pictures to compare it with"


def test_a_picture_that_was_damaged_since_is_not_graded() -> None:
    world = _World(["Mara walks"])
    world.draw(_bytes(_panel(RED)))
    order = panel_requests(world.plan, 0)[0]
    world.store.put(panels_key(world.plan, order).replace(".json", "-0.png"), b"no picture", "image/png")
    (grade,) = world.grade()
    assert grade.verdict == "not graded"
    assert grade.reason.startswith("the picture is unreadable: ")


def test_a_panel_is_looked_at_once_whichever_session_asks() -> None:
    world = _World(["Mara walks", "Pip walks"])
    world.draw(_bytes(_panel(RED)), _bytes(_panel(GREEN, BLUE)))
    first = world.grade()
    assert (world.detector.calls, world.embedder.calls) == (2, 5)
    assert (world.grades.paid_detections, world.grades.paid_embeddings) == (2, 5)
    assert world.grade() == first
    assert (world.grades.paid_detections, world.grades.paid_embeddings) == (2, 5)
    world.plan = world.plan.model_copy(update={"session_id": "ffffff"})
    assert [grade.verdict for grade in world.grade()] == [grade.verdict for grade in first]
    assert (world.detector.calls, world.embedder.calls) == (2, 5)
    assert (world.grades.paid_detections, world.grades.paid_embeddings) == (0, 0)


def test_a_session_that_drew_nothing_gets_its_copies_here() -> None:
    world = _World(["Mara walks"])
    world.draw(_bytes(_panel(RED)))
    world.plan = world.plan.model_copy(update={"run_id": "again-20260103-abcdef"})
    (grade,) = world.grade()
    assert world.store.get(grade.picture_key) == _bytes(_panel(RED))
    assert grade.verdict == "not graded"


@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_what_was_paid_before_a_throttle_is_kept(fails_at: int) -> None:
    world = _World(["Mara and Pip walk"])
    world.draw(_bytes(_panel(RED, GREEN)))
    world.embedder = ColourEmbedder({fails_at: ThrottledError("slowly")})
    with pytest.raises(ThrottledError):
        world.grade()
    assert world.grade()[0].verdict == "right"
    assert (world.detector.answered, world.embedder.answered) == (1, 3)
    assert (world.grades.paid_detections, world.grades.paid_embeddings) == (1, 3)


class _RefusingDetector(ColourDetector):
    def detect(self, key: str, *, min_confidence: float, only: Sequence[str]) -> Labels:
        raise FrameRefusedError("too small")


def test_where_the_detector_refuses_the_whole_panel_is_compared() -> None:
    world = _World(["Mara walks"])
    world.draw(_bytes(Image.new("RGB", (64, 64), RED)))
    world.detector = _RefusingDetector(world.store)
    assert world.grade()[0].verdict == "right"
    assert (world.grades.paid_detections, world.grades.paid_embeddings) == (0, 1)


def test_where_nothing_has_an_embedding_the_panel_is_not_graded() -> None:
    world = _World(["Mara walks"])
    world.draw(_bytes(_panel(RED)))
    world.embedder = ColourEmbedder({1: FrameRefusedError("no"), 2: FrameRefusedError("no")})
    (grade,) = world.grade()
    assert (grade.verdict, grade.reason) == ("not graded", "no embedding of it: no")


def test_both_models_pictures_are_graded_and_refused_prompts_have_no_grade() -> None:
    world = _World(["Mara walks", "Pip walks"], base_images_per_prompt=1)
    world.draw(_bytes(_panel(RED)))
    refused = ToldImages({TRAINED_ARN: Drawn((), "blocked"), BASE: Drawn((), "blocked")})
    draw_storyboard(world.plan, 1, store=world.store, image_model=refused)
    grades = world.grade()
    assert [(grade.drawn_by, grade.prompt) for grade in grades] == [("trained", 0), ("base", 0)]


def test_the_estimate_knows_how_many_parts_a_panel_has_at_most() -> None:
    assert MAX_BOXES + 1 == GRADED_PARTS_PER_PANEL


def test_grades_say_what_they_rest_on() -> None:
    world = _World(["Mara walks"])
    world.draw(_bytes(_panel(RED)))
    world.grade()
    grades = world.grades
    assert grades.references == {"Ann": 1, "Mara": 1, "Pip": 1}
    assert (grades.embedding_model, grades.known_cosine, grades.known_cosine_measured) == (TITAN, 0.53, False)
    assert (grades.copy_correlation, grades.training_pictures) == (0.9, 1)
