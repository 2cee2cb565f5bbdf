"""Faces: which is whose, the collection kept in step with the references, and each face searched and paid once."""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storycast.boxes import Box, share_inside
from storycast.cast import Cast, CastFaces, CastMember
from storycast.detections import Detection, FrameDetections, with_faces
from storycast.errors import (
    DependencyUnavailableError,
    FaceCollectionMissingError,
    FrameRefusedError,
    ReferenceMissingError,
    ThrottledError,
    TooManyLostError,
)
from storycast.faces import (
    MIN_FACE_SHARE,
    FaceBox,
    FaceMatch,
    FaceSearch,
    FaceService,
    FrameSearches,
    choose_face,
    collection_name,
    face_box,
    head_and_shoulders,
    owners,
    votes_of,
)
from storycast.footage import FootageSource
from storycast.frames import KeptFrame, from_json_lines
from storycast.images import open_picture
from storycast.plan import RunPlan, make_plan, read_plan
from storycast.runs import Run, change_run, create_run, read_run
from storycast.settings import Settings
from storycast.sightings import Sighting
from storycast.stages.build_cast import build_cast
from storycast.stages.crop_characters import crop_characters
from storycast.stages.face_references import GRACE
from storycast.stages.search_faces import MOST_SEARCHES, search_faces
from tests.fakes.aws_training import START, Clock
from tests.fakes.faces import FakeFaces, MemoryCollections, face_picture, seen_in, to_png
from tests.fakes.film import film
from tests.fakes.services import ColourEmbedder
from tests.fakes.steps import DiedError, DiesAt, Stepped
from tests.fakes.store import MemoryStore
from tests.fakes.turns import turns_of
from tests.fakes.workflow import World

COLLECTION = collection_name("storycast", "p")


def face(left: float, top: float, width: float, height: float) -> FaceBox:
    return face_box(Box(left, top, width, height), 99.0)


# ---- which face is whose --------------------------------------------------------------------------


def test_a_picture_is_of_its_only_face_or_of_the_one_that_is_clearly_the_largest() -> None:
    one, small, near = face(0.1, 0.1, 0.2, 0.2), face(0.6, 0.1, 0.1, 0.1), face(0.6, 0.1, 0.19, 0.19)
    assert (choose_face([]).outcome, choose_face([]).face) == ("none", None)
    assert choose_face([one]).face == one
    assert choose_face([small, one]).face == one
    several = choose_face([near, one])
    assert (several.outcome, several.face, several.count) == ("several", None, 2)


shares = st.floats(0.0, 0.9)
sides = st.floats(0.02, 0.6)
boxes = st.builds(Box, shares, shares, sides, sides)


@given(st.lists(boxes, max_size=6), st.lists(boxes, max_size=6))
def test_each_face_has_one_box_at_most_that_holds_it_and_each_box_one_face(
    around: list[Box], found: list[Box]
) -> None:
    faces = [face_box(box, 99.0) for box in found]
    owned = owners(around, faces)
    assert len(set(owned.values())) == len(owned)
    for index, number in owned.items():
        assert share_inside(faces[index].box, around[number]) >= 0.8
        for other, box in enumerate(around):
            if box.area < around[number].area:
                assert share_inside(faces[index].box, box) < 0.8, other


@given(st.lists(boxes, max_size=5), st.lists(boxes, max_size=5), st.randoms(use_true_random=False))
def test_faces_that_nobody_claims_are_detections_whatever_their_order(
    around: list[Box], found: list[Box], rng: Any
) -> None:
    detections = [
        Detection(left=b.left, top=b.top, width=b.width, height=b.height, confidence=90.0, labels=())
        for b in around
    ]
    faces = [face_box(box, 99.0) for box in found]
    made = with_faces(detections, faces)
    usable = [one for one in faces if one.height >= MIN_FACE_SHARE]
    given_faces = [one.face for one in made if one.face is not None]
    assert sorted(given_faces, key=lambda one: one.box) == sorted(usable, key=lambda one: one.box)
    assert len(made) == len(detections) + len(usable) - len(owners(around, usable))
    for one in made:
        assert one.left >= 0
        if one.face is not None:
            assert share_inside(one.face.box, one.box) >= 0.75
    assert [one.box for one in made] == sorted(one.box for one in made)


def test_people_who_touch_are_told_apart_by_their_faces() -> None:
    both = Detection(left=0.1, top=0.2, width=0.8, height=0.7, confidence=90.0, labels=())
    left, right = face(0.2, 0.3, 0.1, 0.15), face(0.6, 0.3, 0.1, 0.15)
    found = with_faces([both], [left, right])
    assert len(found) == 3
    assert {one.face for one in found if one.face} == {left, right}
    own = [one for one in found if one.face]
    assert all(one.box == head_and_shoulders_of(one.face) for one in own)


def head_and_shoulders_of(one: FaceBox | None) -> Box:
    assert one is not None
    box = head_and_shoulders(one.box)
    return Box(round(box.left, 5), round(box.top, 5), round(box.width, 5), round(box.height, 5))


@given(boxes)
def test_head_and_shoulders_hold_the_face_and_stay_in_the_picture(box: Box) -> None:
    around = head_and_shoulders(box.clipped())
    assert share_inside(box.clipped(), around) > 0.999
    assert around.left >= 0
    assert around.top >= 0
    assert max(around.right, around.bottom) <= 1 + 1e-9


# ---- names ----------------------------------------------------------------------------------------


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,127}", fullmatch=True), st.text(min_size=1, max_size=100))
def test_a_collections_name_is_legal_whatever_the_project_is_called(stack: str, project: str) -> None:
    name = collection_name(stack, project)
    assert re.fullmatch(r"[a-zA-Z0-9_.\-]{1,255}", name)
    assert name.startswith(f"{stack}.")


def test_projects_whose_names_look_alike_have_collections_of_their_own() -> None:
    names = {collection_name("s", project) for project in ("Zoë", "Zoe", "zoe", "zoe!", "🐰", "🐿", "the way home")}
    assert len(names) == 7


# ---- the collection -------------------------------------------------------------------------------


class Project:
    """A project with reference pictures, whose runs keep its collection in step."""

    def __init__(self, **collections: Any) -> None:
        self.store = MemoryStore()
        self.clock = Clock()
        self.collections = MemoryCollections(**collections)
        self.detector = FakeFaces(self.store)
        self.embedder = ColourEmbedder()
        self.characters: list[dict[str, Any]] = []
        self.methods = ["faces"]

    def has(self, name: str, *pictures: bytes, folder: str = "") -> None:
        folder = folder or hashlib.sha256(name.encode()).hexdigest()[:6]
        for number, content in enumerate(pictures):
            self.store.put(f"projects/p/cast/{folder}/{number}.png", content, "image/png")
        self.characters.append({"name": name, "references": [f"cast/{folder}/*.png"]})

    def plan(self, run_id: str = "run") -> RunPlan:
        asked = {"characters": self.characters, "detection": {"methods": self.methods}}
        return make_plan(run_id, "p", Settings.model_validate(asked), [])

    def build(self, run_id: str = "run", gate: Callable[[str], None] = lambda _: None) -> Cast:

        run = Run(run_id=run_id, project="p", status="running", execution_arn="e", started_at=START.isoformat())
        create_run(self.store, run)
        service = FaceService(
            "storycast", Stepped(self.detector, gate), Stepped(self.collections, gate), self.clock.now
        )
        stepped = Stepped(self.store, gate)
        mine = turns_of(run_id, stepped, lambda: self.clock.now)
        build_cast(self.plan(run_id), store=stepped, turns=mine, embedder=self.embedder, faces=service)
        return Cast.model_validate_json(self.store.get(f"runs/{run_id}/cast.json"))

    def record(self, run_id: str = "run") -> Any:

        return read_run(self.store, run_id)

    @property
    def paid(self) -> tuple[int, int]:
        return self.detector.answered, self.collections.index_calls.answered

    @property
    def external_ids(self) -> list[str]:
        return sorted(external_id for external_id, _ in self.collections.indexed[COLLECTION].values())


def picture(blue: int, **more: Any) -> bytes:
    return to_png(face_picture(blue, **more))


def test_a_face_goes_in_once_by_its_content() -> None:
    project = Project()
    project.has("Mara", picture(10), picture(12))
    project.has("Tom", picture(100))
    cast = project.build()
    assert project.paid == (3, 3)
    assert [len(member.faces) for member in cast.members] == [2, 1]
    assert project.external_ids == sorted(content for member in cast.members for content in member.faces)
    assert all(re.fullmatch(r"[0-9a-f]{64}", one) for one in project.external_ids)
    assert cast.faces is not None
    assert (cast.faces.collection_id, cast.faces.model_version) == (COLLECTION, "7.0")
    run = project.record()
    assert (run.counts["paid_face_references"], run.counts["paid_indexed_faces"]) == (3, 3)
    assert run.counts["face_references"] == 3
    assert run.warnings == ()


def test_another_run_another_name_and_another_order_cost_nothing() -> None:
    project = Project()
    project.has("Mara", picture(10))
    project.has("Tom", picture(100))
    before = project.build("one")
    project.characters.reverse()
    project.characters[0]["name"] = "Thomas"
    after = project.build("two")
    assert project.paid == (2, 2)
    assert after.faces == before.faces, "so that no search is paid again either"
    assert project.record("two").counts["paid_indexed_faces"] == 0


def test_forty_characters_with_whatever_names() -> None:
    project = Project()
    names = ["Zoë", "Zoe", "Old Tom", "Ångström", "李雷", "🐰 Bunny", "🐰", "a/b", "dot.", "x:y", "ÿ" * 60]
    names += [f"Nr. {number}" for number in range(40 - len(names))]
    for number, name in enumerate(names):
        project.has(name, picture(5 * number))
    cast = project.build()
    assert [member.name for member in cast.members] == names
    assert all(len(member.faces) == 1 for member in cast.members)
    assert project.paid == (40, 40)
    assert all(re.fullmatch(r"[a-zA-Z0-9_.\-:]{1,255}", one) for one in project.external_ids)


def test_a_reference_with_two_faces_alike_is_refused_and_one_with_a_bystander_is_taken() -> None:
    project = Project()
    project.has("Mara", picture(10), to_png(face_picture(100, 10, sizes=[30, 70])))
    cast = project.build("one")
    assert len(cast.members[0].faces) == 2
    assert {round(blue) for _, blue in project.collections.indexed[COLLECTION].values()} == {10}
    project.has("Tom", to_png(face_picture(100, 150)))
    with pytest.raises(ReferenceMissingError, match=r"shows 2 faces, .* Cut it so that it shows Tom alone"):
        project.build("two")
    project.has("Ann", picture(180), to_png(face_picture(180, 60)))
    project.characters = [one for one in project.characters if one["name"] != "Tom"]
    cast = project.build("three")
    assert [len(member.faces) for member in cast.members] == [2, 1]
    (warning,) = project.record("three").warnings
    assert "Ann: projects/p/cast/" in warning
    assert "is not used for faces" in warning


def test_a_character_without_a_face_is_told_and_paid_once() -> None:
    project = Project()
    project.has("Mara", picture(10))
    project.has("Log", to_png(face_picture()), to_png(face_picture(size=(150, 150))))
    cast = project.build("one")
    assert [len(member.faces) for member in cast.members] == [1, 0]
    (warning,) = project.record("one").warnings
    assert warning.startswith("Log has no face reference: no face is seen in 2 reference pictures")
    paid = project.paid
    project.build("two")
    assert project.paid == paid
    assert project.record("two").warnings == (warning,)


def test_without_any_face_faces_alone_are_refused_and_with_others_they_go_on() -> None:
    project = Project()
    project.has("Log", to_png(face_picture()))
    with pytest.raises(ReferenceMissingError, match="Drawn faces often are not seen"):
        project.build("one")
    project.methods = ["faces", "references"]
    cast = project.build("two")
    assert cast.faces is None
    assert len(cast.members[0].references) == 1


def test_a_face_that_the_quality_filter_takes_not_is_told_with_its_reason() -> None:
    project = Project()
    project.collections.refuses = ("LOW_SHARPNESS",)
    project.methods = ["faces", "references"]
    project.has("Mara", picture(10))
    project.build("one")
    (warning,) = project.record("one").warnings
    assert "(low sharpness)" in warning
    project.build("two")
    assert project.paid == (1, 1)


def test_one_picture_of_two_characters_tells_neither_and_says_so() -> None:
    project = Project()
    project.has("Mara", picture(10))
    project.has("Tom", picture(10))
    cast = project.build()
    assert project.paid == (1, 1)
    assert project.record().warnings == ("one reference picture is of Mara, Tom: its face tells none of them",)
    search = FaceSearch(
        crop_id="c", matches=(FaceMatch(content=cast.members[0].faces[0], similarity=99.0),), paid_by=""
    )
    assert votes_of(search, cast) == ()


def test_what_is_no_reference_any_more_is_deleted_and_what_is_not_ours_is_left() -> None:
    project = Project()
    project.has("Mara", picture(10), picture(20))
    project.build("one")
    faces = project.collections.indexed[COLLECTION]
    faces["theirs"] = ("somebody-elses", 99.0)
    twin = next(iter(faces.values()))
    faces["twin"] = twin
    project.store.delete(next(key for key in project.store.keys("projects/p/cast/") if key.endswith("1.png")))
    cast = project.build("two")
    assert project.external_ids == sorted([*cast.members[0].faces, "somebody-elses"])
    assert len(cast.members[0].faces) == 1
    assert project.paid == (2, 2)


@pytest.mark.parametrize("place", range(60))
def test_a_function_that_dies_anywhere_pays_for_no_picture_twice(place: int) -> None:
    project = Project()
    project.has("Mara", picture(10), picture(12))
    project.has("Tom", picture(100))
    gate = DiesAt(place)
    try:
        project.build("run", gate)
    except DiedError:
        assert gate.died_at
    cast = project.build("run")
    assert project.collections.index_calls.calls == 3
    # The answer of DetectFaces lives nowhere but in our record: who dies between the two looks again.
    assert project.detector.calls - 3 in ({0, 1} if gate.died_at in {"after faces_in", "before put_if"} else {0})
    assert len(project.external_ids) == 3
    assert [len(member.faces) for member in cast.members] == [2, 1]
    assert project.record().counts["paid_indexed_faces"] == 3


def test_an_answer_that_is_lost_is_looked_for_and_not_paid_again() -> None:
    project = Project()
    project.collections.loses_answers = 1
    project.has("Mara", picture(10))
    with pytest.raises(DependencyUnavailableError):
        project.build("run")
    project.build("run")
    assert project.collections.index_calls.calls == 1


def test_a_throttled_call_is_made_again_later() -> None:
    project = Project(index_faults={1: ThrottledError("slow down")})
    project.has("Mara", picture(10))
    with pytest.raises(ThrottledError):
        project.build("run")
    assert len(project.build("run").members[0].faces) == 1
    assert project.paid == (1, 1)


def test_two_runs_at_once_pay_for_a_picture_once() -> None:
    project = Project()
    project.has("Mara", picture(10))
    gate = DiesAt(10**9)

    def meanwhile(place: str) -> None:
        if place == "before index" and gate._left:
            gate._left = 0
            with pytest.raises(DependencyUnavailableError, match="is being indexed by the run one"):
                project.build("two")

    project.build("one", meanwhile)
    assert gate._left == 0
    project.build("two")
    assert project.paid == (1, 1)


def test_a_run_that_died_before_its_call_holds_the_next_one_up_for_a_moment_only() -> None:
    project = Project()
    project.has("Mara", picture(10))
    with pytest.raises(DiedError):
        project.build("one", _dies_before("index"))
    with pytest.raises(DependencyUnavailableError):
        project.build("two")
    change_run(project.store, "one", lambda run: run.model_copy(update={"status": "failed"}))
    project.build("two")


def test_a_run_that_died_without_a_word_holds_the_next_one_up_no_longer_than_a_call_takes() -> None:
    project = Project()
    project.has("Mara", picture(10))
    with pytest.raises(DiedError):
        project.build("one", _dies_before("index"))
    project.clock.now += GRACE
    project.build("two")
    assert project.paid == (1, 1)
    project.build("one")
    assert project.paid == (1, 1)


def _dies_before(name: str) -> Callable[[str], None]:
    def gate(place: str) -> None:
        if place == f"before {name}":
            raise DiedError(place)

    return gate


def test_a_collection_that_somebody_deleted_is_made_anew() -> None:
    project = Project()
    project.has("Mara", picture(10))
    before = project.build("one")
    project.collections.delete_collection(COLLECTION)
    after = project.build("two")
    assert project.paid == (1, 2), "what the picture shows is known, and its face has to go in again"
    assert after.faces == before.faces


def test_another_face_model_is_another_collection_to_everything_that_was_paid() -> None:
    project = Project()
    project.has("Mara", picture(10))
    before = project.build("one")
    project.collections.model_version = "8.0"
    assert project.build("two").faces == before.faces, "a collection keeps the model that it was made with"
    assert project.paid == (1, 1)
    project.collections.delete_collection(COLLECTION)
    after = project.build("three")
    assert project.paid == (2, 2)
    assert after.faces is not None
    assert before.faces is not None
    assert after.faces.model_version == "8.0"
    assert after.faces.fingerprint != before.faces.fingerprint


def test_a_picture_that_is_none_is_named() -> None:
    project = Project()
    project.has("Mara", b"no picture")
    with pytest.raises(ReferenceMissingError, match=r"projects/p/cast/\w+/0.png can't be used"):
        project.build()


# ---- searches -------------------------------------------------------------------------------------


def kept_frame(store: MemoryStore, content: bytes, time_ms: int = 0) -> KeptFrame:
    opened = open_picture(content)
    store.put(f"frames/{time_ms}.png", content, "image/png")
    return KeptFrame(
        frame_id=f"f-{time_ms:09d}",
        footage_id="f",
        key=f"frames/{time_ms}.png",
        time_ms=time_ms,
        width_px=opened.width,
        height_px=opened.height,
        sharpness=1.0,
        shot=0,
    )


class Searches:
    """A cast with a collection, and frames to search."""

    def __init__(self, project_name: str = "p", **collections: Any) -> None:
        self.project = Project(**collections)
        self.project.has("Mara", picture(10), picture(30))
        self.project.has("Tom", picture(100))
        self.cast = self.project.build()

    def plan(self, run_id: str = "run") -> RunPlan:

        source = FootageSource(footage_id="f", name="f.mp4", key="f", size_bytes=1, etag="e")
        return make_plan(run_id, "p", self.project.plan().settings, [source])

    def search(
        self,
        content: bytes,
        run_id: str = "run",
        gate: Callable[[str], None] = lambda _: None,
        cast: Cast | None = None,
    ) -> FrameSearches:
        frame = kept_frame(self.project.store, content)
        faces = [one for one, _ in seen_in(content)]
        found = FrameDetections(
            frame_id=frame.frame_id, fingerprint="", paid_by="", model_version="", detections=with_faces([], faces)
        )
        return search_faces(
            self.plan(run_id),
            frame,
            found,
            open_picture(content),
            cast or self.cast,
            store=Stepped(self.project.store, gate),
            turns=turns_of(run_id, self.project.store),
            collections=Stepped(self.project.collections, gate),
        )

    @property
    def paid(self) -> int:
        return self.project.collections.search_calls.answered


def names_of(record: FrameSearches, cast: Cast) -> list[list[tuple[str, float]]]:
    """Return the votes of each search in tenths, in no order of the faces."""
    votes = [votes_of(one, cast) for one in record.searches]
    return sorted([(vote.character, round(vote.score, 1)) for vote in of_one] for of_one in votes)


def test_each_face_of_a_frame_is_searched_by_itself() -> None:
    searches = Searches()
    frame = to_png(face_picture(12, 101, 60, sizes=[40, 70, 30], size=(240, 400)))
    record = searches.search(frame)
    assert record.complete
    assert names_of(record, searches.cast) == [
        [("Mara", 0.7), ("Tom", 0.6)],
        [("Mara", 1.0), ("Tom", 0.1)],
        [("Tom", 1.0), ("Mara", 0.3)],
    ]
    assert searches.paid == 3
    assert {one.paid_by for one in record.searches} == {"run"}


def test_what_was_searched_is_not_searched_again_by_anyone() -> None:
    searches = Searches()
    frame = to_png(face_picture(12, 101, size=(240, 400)))
    first = searches.search(frame, "one")
    writes = [times for key, times in searches.project.store.writes.items() if "/face-searches-" in key]
    assert sorted(writes) == [1, 2], "whose turn it is, and the record with each search"
    assert searches.search(frame, "two") == first
    assert searches.paid == 2


def test_other_references_are_other_searches_and_names_are_not() -> None:
    searches = Searches()
    frame = to_png(face_picture(12, size=(240, 400)))
    searches.search(frame)
    renamed = searches.cast.model_copy(
        update={"members": tuple(one.model_copy(update={"name": f"{one.name}!"}) for one in searches.cast.members)}
    )
    assert names_of(searches.search(frame, cast=renamed), renamed) == [[("Mara!", 1.0), ("Tom!", 0.1)]]
    assert searches.paid == 1
    searches.project.has("Ann", picture(14))
    more = searches.project.build("another")
    (votes,) = names_of(searches.search(frame, cast=more), more)
    assert sorted(votes) == [("Ann", 1.0), ("Mara", 1.0), ("Tom", 0.1)]
    assert searches.paid == 2


@pytest.mark.parametrize("place", range(14))
def test_a_function_that_dies_between_searches_keeps_what_it_has(place: int) -> None:
    searches = Searches()
    frame = to_png(face_picture(12, 101, size=(240, 400)))
    gate = DiesAt(place)
    try:
        searches.search(frame, gate=gate)
    except DiedError:
        assert gate.died_at
    record = searches.search(frame)
    assert names_of(record, searches.cast) == [[("Mara", 1.0), ("Tom", 0.1)], [("Tom", 1.0), ("Mara", 0.3)]]
    # Of a search whose answer died with the function nobody knows.
    assert searches.paid - 2 in ({0, 1} if gate.died_at in {"after search", "before put"} else {0})


def test_a_frame_without_faces_costs_nothing() -> None:
    searches = Searches()
    record = searches.search(to_png(face_picture(size=(240, 400))))
    assert record.complete
    assert record.searches == ()
    assert searches.paid == 0


def test_of_a_crowd_the_largest_faces_are_searched() -> None:
    searches = Searches()
    count = MOST_SEARCHES + 4
    frame = to_png(face_picture(*[12] * count, sizes=[20 + n for n in range(count)], size=(300, 1600)))
    record = searches.search(frame)
    assert record.complete
    assert len(record.searches) == MOST_SEARCHES
    assert searches.paid == MOST_SEARCHES


def test_a_larger_neighbour_in_the_crop_names_nobody() -> None:
    searches = Searches()
    # The neighbour is so near and so large that what is cut out round the small face shows more of it.
    content = face_picture(101, sizes=[30], size=(240, 400))
    content[20:140, 46:166] = (250, 250, 12)
    record = searches.search(to_png(content))
    reasons = [one.reason for one in record.searches]
    assert "a neighbour's face is larger in the crop" in reasons
    named = [votes_of(one, searches.cast)[0].character for one in record.searches if one.matches]
    assert named == ["Mara"]


def test_no_face_and_a_refused_picture_are_answers_that_cost_nothing() -> None:
    searches = Searches(search_faults={1: FrameRefusedError("too large")})
    frame = to_png(face_picture(12, size=(240, 400)))
    (one,) = searches.search(frame).searches
    assert (one.reason, one.paid_by, one.matches) == ("too large", "", ())
    assert names_of(FrameSearches(frame_id="f", fingerprint="", complete=True), searches.cast) == []


def test_a_collection_that_is_gone_is_named() -> None:
    searches = Searches()
    searches.project.collections.delete_collection(COLLECTION)
    with pytest.raises(FaceCollectionMissingError):
        searches.search(to_png(face_picture(12, size=(240, 400))))


# ---- votes ----------------------------------------------------------------------------------------


def test_a_vote_is_the_likest_reference_of_each_character_as_a_share() -> None:
    members = tuple(
        CastMember(name=name, description="", labels=(), references=(), faces=faces)
        for name, faces in (("Mara", ("a", "b")), ("Tom", ("c",)), ("Ann", ()))
    )
    faces = CastFaces(collection_id="c", model_version="1", fingerprint="f")
    cast = Cast(embedding_model="m", members=members, faces=faces)
    matches = [("a", 40.0), ("b", 91.234), ("c", 55.5), ("stranger", 99.0)]
    search = FaceSearch(
        crop_id="c", matches=tuple(FaceMatch(content=one, similarity=s) for one, s in matches), paid_by=""
    )
    assert [(vote.method, vote.character, vote.score) for vote in votes_of(search, cast)] == [
        ("faces", "Mara", 0.9123),
        ("faces", "Tom", 0.555),
    ]


# ---- a whole run ----------------------------------------------------------------------------------


def test_a_run_with_faces_gives_each_sighting_its_votes_and_pays_once() -> None:

    one = World()
    pictures = [face_picture(12, 101, sizes=[70, 60], size=(240, 320)) for _ in range(24)]
    one.store.put("incoming/a/film.mp4", film(pictures), "video/mp4")
    project = (
        "characters: [{name: Mara, references: [cast/mara.png]}, {name: Tom, references: [cast/tom.png]}]\n"
        "sampling: {frames_per_second: 2, pick: fixed}\n"
        "detection: {methods: [faces], economy: false}\nreview: {mode: auto}\n"
    )
    one.store.put("projects/p/project.yaml", project.encode(), "application/yaml")
    one.store.put("projects/p/cast/mara.png", picture(10), "image/png")
    one.store.put("projects/p/cast/tom.png", picture(100), "image/png")
    end = one.run({"project": "p", "footage": ["incoming/a/film.mp4"]})
    sightings = from_json_lines(one.store.get(f"runs/{end.run_id}/sightings.jsonl"), Sighting)
    assert sightings
    best = {vote.character for seen in sightings for vote in seen.votes[:1] if vote.method == "faces"}
    assert best == {"Mara", "Tom"}
    counts = one.record(end.run_id).counts
    frames = counts["frames_kept"]
    assert counts["paid_face_detections"] == frames
    assert counts["paid_face_searches"] == 2 * frames == one.collections.search_calls.answered
    assert one.detector.answered == 0, "labels are not paid for where nobody asks for them"
    before = (one.faces.answered, one.collections.search_calls.answered, one.collections.index_calls.answered)
    one.run({"project": "p", "footage": ["incoming/a/film.mp4"]}, number=2)
    after = (one.faces.answered, one.collections.search_calls.answered, one.collections.index_calls.answered)
    assert after == before

    frame = from_json_lines(one.store.get(f"runs/{end.run_id}/frames.jsonl"), KeptFrame)[0]
    one.store.put(frame.key, b"no picture any more", "image/jpeg")
    again = crop_characters(
        read_plan(one.store, end.run_id),
        frame,
        store=one.store,
        turns=turns_of(end.run_id, one.store),
        embedder=one.embedder,
        cast=Cast.model_validate_json(one.store.get(f"runs/{end.run_id}/cast.json")),
        collections=one.collections,
    )
    assert again == {"frame_id": frame.frame_id, "crops": 2, "reused": True}, "its picture is not looked at again"


def test_a_collection_that_is_deleted_during_a_run_costs_its_frames_and_says_so() -> None:

    one = World()
    pictures = [face_picture(12, sizes=[70], size=(240, 320)) for _ in range(24)]
    one.store.put("incoming/a/film.mp4", film(pictures), "video/mp4")
    project = "characters: [{name: Mara, references: [cast/mara.png]}]\ndetection: {methods: [faces]}\n"
    one.store.put("projects/p/project.yaml", project.encode(), "application/yaml")
    one.store.put("projects/p/cast/mara.png", picture(10), "image/png")
    one.before = {"extract_characters": lambda plan: one.collections.delete_collection(COLLECTION)}
    request = {"project": "p", "footage": ["incoming/a/film.mp4"]}
    with pytest.raises(TooManyLostError):
        one.run(request)
    one.before = {}
    one.now += timedelta(minutes=5)
    one.run(request, number=2)
    assert one.collections.search_calls.answered > 0
