"""Embeddings, tracks, naming and discovery."""

import math
from collections import Counter
from collections.abc import Sequence
from time import process_time
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from storycast import clusters as clustering
from storycast.cast import Cast, CastMember, Reference
from storycast.clusters import complete_linkage
from storycast.discovery import MIN_SIGHTINGS, Cluster, discover, find_clusters, told_by_people, unknown_clusters
from storycast.embeddings import (
    DEFAULT_THRESHOLDS,
    MIN_CALIBRATION_PAIRS,
    THRESHOLDS,
    Vectors,
    calibrate,
    decode,
    encode,
    stack,
    thresholds_of,
    unit,
)
from storycast.naming import name_by_cast
from storycast.sightings import Sighting, described, link_tracks, neighbour_and_stranger_cosines
from storycast.votes import Method, Vote
from tests.fakes.sightings import seen

TITAN = "amazon.titan-embed-image-v1"


def direction(degrees: float) -> Any:
    return unit([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


def directions(*degrees: float) -> Vectors:
    return stack([direction(one) for one in degrees])


# ---- embeddings -----------------------------------------------------------------------------------


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=20))
def test_a_vector_has_length_one_and_survives_its_text(values: list[float]) -> None:
    assume(np.linalg.norm(np.asarray(values, np.float32)) > 1e-6)
    vector = unit(values)
    assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-5)
    assert np.array_equal(decode(encode(vector)), vector)


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0], [[1.0], [2.0]]])
def test_what_has_no_direction_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match="finite components"):
        unit(values)


def test_vectors_of_different_models_do_not_stack() -> None:
    assert stack([]).shape == (0, 1)
    with pytest.raises(ValueError, match="different lengths"):
        stack([unit([1.0]), unit([1.0, 0.0])])


def test_thresholds_belong_to_the_model_whatever_region_it_is_asked_in() -> None:
    for model_id, thresholds in THRESHOLDS.items():
        assert thresholds_of(model_id) is thresholds_of(f"us.{model_id}") is thresholds
        assert -1 < thresholds.known < thresholds.duplicate < 1
        assert -1 < thresholds.alike_look < thresholds.known_look < thresholds.same_look < 1
    assert thresholds_of("someone.else-v1") is DEFAULT_THRESHOLDS


def test_calibration_lies_between_neighbours_and_strangers_and_says_so() -> None:
    made = calibrate([0.9] * 20, [0.5] * 20, TITAN)
    assert made.threshold == pytest.approx(0.7)
    assert "20 neighbours" in made.source
    assert (made.neighbour_median, made.stranger_p95) == (0.9, 0.5)


def test_a_few_twins_among_strangers_do_not_spoil_the_calibration() -> None:
    made = calibrate([0.9] * 40, [0.4] * 97 + [0.999] * 3, TITAN)
    assert made.threshold == pytest.approx(0.65)


@pytest.mark.parametrize(
    ("neighbours", "strangers", "words"),
    [
        ([0.9] * (MIN_CALIBRATION_PAIRS - 1), [0.5] * 50, "too few pairs"),
        ([0.9] * 50, [], "too few pairs"),
        ([0.8] * 50, [0.9] * 50, "too alike"),
    ],
)
def test_footage_that_tells_nothing_takes_the_tables_value_and_says_so(
    neighbours: list[float], strangers: list[float], words: str
) -> None:
    made = calibrate(neighbours, strangers, TITAN)
    assert made.threshold == THRESHOLDS[TITAN].duplicate
    assert words in made.source
    assert "first guess" in made.source


# ---- tracks ---------------------------------------------------------------------------------------


def test_a_thing_is_followed_through_its_shot_and_not_beyond() -> None:
    sightings = [seen(0), seen(1, left=0.45), seen(2, left=0.5), seen(3, shot=1, left=0.5)]
    assert link_tracks(sightings, directions(0, 5, 10, 10)) == [0, 0, 0, 1]


def test_two_things_of_one_frame_are_two_tracks_however_alike() -> None:
    pair = [
        seen(time, crop_id=f"f-{time:09d}-{side:02d}", left=0.1 + 0.6 * side) for time in (0, 1) for side in (0, 1)
    ]
    assert link_tracks(pair, directions(0, 0, 0, 0)) == [0, 1, 0, 1]


def test_another_thing_in_the_same_place_is_another_track() -> None:
    assert link_tracks([seen(0), seen(1)], directions(0, 60)) == [0, 1]
    assert link_tracks([seen(0), seen(1, left=0.0)], directions(0, 40)) == [0, 1]
    assert link_tracks([seen(0), seen(1, left=0.0)], directions(0, 20)) == [0, 0]


def _crowd(draw: st.DrawFn) -> tuple[list[Sighting], Vectors]:
    sightings, degrees = [], []
    for time in range(draw(st.integers(1, 4))):
        for side in range(draw(st.integers(1, 3))):
            place = draw(st.sampled_from([0.0, 0.1, 0.5]))
            sightings.append(
                seen(time, crop_id=f"f-{time:09d}-{side:02d}", left=place, shot=draw(st.integers(0, 1)))
            )
            degrees.append(draw(st.sampled_from([0, 0, 15, 40, 90])))
    return sightings, directions(*degrees)


crowds = st.composite(_crowd)()


@given(crowds, st.randoms(use_true_random=False))
def test_tracks_do_not_depend_on_the_order_of_sightings(crowd: tuple[list[Sighting], Vectors], rng: Any) -> None:
    sightings, vectors = crowd
    tracks = link_tracks(sightings, vectors)
    rows = list(range(len(sightings)))
    rng.shuffle(rows)
    again = link_tracks([sightings[row] for row in rows], vectors[rows])
    assert again == [tracks[row] for row in rows]
    per_frame = Counter((one.shot, one.frame_id, track) for one, track in zip(sightings, tracks, strict=True))
    assert set(per_frame.values()) == {1}


def test_neighbours_are_of_one_track_and_strangers_of_two_shots() -> None:
    sightings = [seen(0), seen(1), seen(2, shot=1), seen(3, shot=1)]
    neighbours, strangers = neighbour_and_stranger_cosines(sightings, [0, 0, 1, 2], directions(0, 60, 90, 90))
    assert neighbours == pytest.approx([0.5], abs=1e-6)
    assert strangers == pytest.approx([0.0, 0.0, np.sqrt(0.75), np.sqrt(0.75)], abs=1e-6)
    _, few = neighbour_and_stranger_cosines(sightings, [0, 0, 1, 2], directions(0, 60, 90, 90), most=2)
    assert len(few) <= 2


# ---- naming ---------------------------------------------------------------------------------------


def member(name: str, *degrees: float, labels: tuple[str, ...] = ()) -> CastMember:
    references = tuple(
        Reference(key=f"cast/{name}/{number}.jpg", content="0", embedding=encode(direction(one)))
        for number, one in enumerate(degrees)
    )
    return CastMember(name=name, description="", labels=labels, references=references)


THRESHOLDS_HERE: dict[Method, float] = {"references": 0.7, "faces": 0.8, "custom_labels": 0.5, "labels": 0.4}


def named(
    sightings: Sequence[Sighting],
    degrees: Sequence[float],
    *members: CastMember,
    tracks: Sequence[int] | None = None,
) -> list[Sighting]:
    cast = Cast(embedding_model=TITAN, members=members)
    tracks = tracks if tracks is not None else list(range(len(sightings)))
    return name_by_cast(sightings, tracks, directions(*degrees), cast, thresholds=THRESHOLDS_HERE, alike=0.9)


def test_the_likest_references_name_a_sighting_and_the_reason_has_its_likeness() -> None:
    (one,) = named([seen(0)], [10], member("Mara", 20, 0, 10, 95), member("Tom", 60))
    assert (one.character, one.outcome) == ("Mara", "named")
    assert "like the references of Mara: 1.00 over one frame" in one.reason
    mara, tom = one.votes
    assert (mara.method, mara.character, mara.reached) == ("references", "Mara", True)
    assert mara.score == pytest.approx((1 + 2 * np.cos(np.radians(10))) / 3, abs=1e-4), "mean of the three likest"
    assert tom.score == pytest.approx(np.cos(np.radians(50)), abs=1e-4)
    assert (tom.character, tom.reached) == ("Tom", False)


def test_who_is_as_like_another_gets_no_name_and_the_reason_says_between_whom() -> None:
    mara, tom = member("Mara", 0), member("Tom", 41)
    (between,) = named([seen(0)], [20.4], mara, tom)
    assert (between.character, between.outcome) == ("", "unknown")
    assert "as like Mara as Tom: likeness 0.94 and 0.94" in between.reason
    (nearer,) = named([seen(0)], [18], mara, tom)
    assert nearer.character == "Mara"
    # A label that only one of them claims still decides.
    labelled = seen(0).model_copy(update={"labels": (("Dog", 80.0),)})
    (told,) = named([labelled], [20.4], mara, member("Tom", 41, labels=("dog",)))
    assert told.character == "Tom"


def test_a_track_has_one_name_whatever_one_odd_frame_says() -> None:
    names = [
        one.character
        for one in named(
            [seen(n) for n in range(4)], [0, 5, 0, 80], member("Mara", 0), member("Tom", 90), tracks=[0, 0, 0, 0]
        )
    ]
    assert names == ["Mara"] * 4


def test_nobody_is_like_it_says_who_was_nearest() -> None:
    (one,) = named([seen(0)], [0], member("Mara", 60))
    assert (one.character, one.outcome) == ("", "unknown")
    assert "likest is Mara, likeness 0.50, below 0.70 over one frame" in one.reason


def test_a_label_that_one_character_claims_decides_where_references_do_not() -> None:
    rabbit = seen(0, labels=(("RABBIT", 90.0),))
    (one,) = named([rabbit], [0], member("Mara", 60), member("Tom", labels=("Rabbit",)))
    assert (one.character, one.reason) == ("Tom", "a label of Tom: 0.90 over one frame")
    (two,) = named([rabbit], [0], member("Mara", labels=("rabbit",)), member("Tom", labels=("Rabbit",)))
    assert two.character == ""
    assert "labels of several characters: Mara, Tom" in two.reason


def test_a_frame_shows_a_character_once() -> None:
    twins = [seen(0), seen(0, crop_id="f-000000000-01", left=0.1)]
    first, second = named(twins, [0, 10], member("Mara", 0))
    assert first.character == "Mara"
    assert (second.character, second.outcome) == ("", "repeated")
    assert "f-000000000-00" in second.reason


@given(crowds, st.randoms(use_true_random=False))
def test_names_do_not_depend_on_the_order_of_sightings(crowd: tuple[list[Sighting], Vectors], rng: Any) -> None:
    sightings, vectors = crowd
    tracks = link_tracks(sightings, vectors)
    cast = Cast(embedding_model=TITAN, members=(member("Mara", 0), member("Tom", 90)))
    here = name_by_cast(sightings, tracks, vectors, cast, thresholds=THRESHOLDS_HERE, alike=0.9)
    rows = list(range(len(sightings)))
    rng.shuffle(rows)
    there = name_by_cast(
        [sightings[row] for row in rows],
        [tracks[row] for row in rows],
        vectors[rows],
        cast,
        thresholds=THRESHOLDS_HERE,
        alike=0.9,
    )
    assert [one.character for one in there] == [here[row].character for row in rows]
    per_frame = Counter((one.frame_id, one.character) for one in here if one.character)
    assert not per_frame or set(per_frame.values()) == {1}


# ---- several methods ------------------------------------------------------------------------------


def voted(number: int, *votes: tuple[Method, str, float], **changes: Any) -> Sighting:
    made = tuple(Vote(method=method, character=name, score=score) for method, name, score in votes)
    return seen(number, votes=made, **changes)


def test_a_face_names_who_is_like_nobodys_references_and_no_face_says_nothing() -> None:
    sightings = [voted(0, ("faces", "Mara", 0.97)), voted(1), voted(2)]
    found = named(sightings, [90, 90, 90], member("Mara", 0), member("Tom", 20), tracks=[0, 0, 0])
    assert [one.character for one in found] == ["Mara"] * 3
    assert found[1].reason == "a face of Mara: 0.97 over 3 frames of its shot"
    assert (found[0].votes[0].method, found[0].votes[0].reached) == ("faces", True)


def test_a_face_below_its_threshold_is_kept_and_does_not_count() -> None:
    (one,) = named([voted(0, ("faces", "Mara", 0.79))], [90], member("Mara", 0))
    assert one.character == ""
    assert "a face of Mara: 79%, below 80%" in one.reason
    assert one.votes[0].reached is False


def test_a_custom_label_counts_by_any_name_that_the_model_has_for_a_character() -> None:
    tom = member("Tom").model_copy(update={"custom_labels": ("Tom", "tom_the_cat")})
    (one,) = named([seen(0, custom_labels=(("TOM_THE_CAT", 55.0),))], [0], tom, member("Mara", 90))
    assert (one.character, one.reason) == ("Tom", "a custom label of Tom: 0.55 over one frame")
    (other,) = named([seen(0, labels=(("tom_the_cat", 99.0),))], [0], tom, member("Mara", 90))
    assert other.character == "", "a general label is no custom one"


def test_methods_that_agree_say_so_and_the_surer_of_two_that_do_not_wins() -> None:
    mara, tom = member("Mara", 0), member("Tom", 90)
    (both,) = named([voted(0, ("faces", "Mara", 0.9))], [0], mara, tom)
    assert both.reason == "like the references of Mara: 1.00; a face of Mara: 0.90 over one frame"
    (surer,) = named([voted(0, ("faces", "Tom", 0.85))], [0], mara, tom)
    assert surer.character == "Mara", "likeness 1.00 is a surer word than a face just above its threshold"
    (torn,) = named([voted(0, ("faces", "Tom", 0.99))], [3], mara, tom)
    assert (torn.character, torn.outcome) == ("", "unknown")
    assert torn.reason.startswith("the methods name Mara and Tom")


def test_labels_do_not_contradict_what_surer_methods_say() -> None:
    mara, tom = member("Mara", 0), member("Tom", labels=("Dog",))
    (one,) = named([seen(0, labels=(("Dog", 99.0),))], [0], mara, tom)
    assert one.character == "Mara"


def test_two_characters_of_one_look_are_told_apart_by_their_faces_alone() -> None:
    twins = [member("Ann", 0), member("Zoe", 0)]
    sightings = [voted(0, ("faces", "Ann", 0.95)), voted(1, ("faces", "Zoe", 0.95)), voted(2)]
    found = named(sightings, [0, 0, 0], *twins)
    assert [one.character for one in found] == ["Ann", "Zoe", ""]
    assert "as like Ann as Zoe" in found[2].reason


def test_a_loose_box_round_two_named_characters_loses_its_name_and_a_head_is_no_second_character() -> None:
    crowd = [
        seen(0, left=0.0, width=0.9, top=0.0, height=0.9),
        seen(0, crop_id="f-000000000-01", left=0.1, width=0.2, top=0.1, height=0.5),
        seen(0, crop_id="f-000000000-02", left=0.6, width=0.2, top=0.1, height=0.5),
    ]
    loose, left, right = named(crowd, [3, 0, 90], member("Mara", 0), member("Tom", 90))
    assert (loose.character, loose.outcome) == ("", "several")
    assert "holds Mara and Tom" in loose.reason
    assert (left.character, right.character) == ("Mara", "Tom")
    body, head = named([crowd[0], crowd[1]], [0, 3], member("Mara", 0), member("Tom", 90))
    assert (body.character, head.outcome) == ("Mara", "repeated")


def test_tracks_that_look_alike_lend_each_other_their_likeness() -> None:
    sightings = [seen(number, shot=number) for number in range(6)]
    degrees = [44, 50, 46, 48, 50, 52]
    alone = named(sightings[:1], degrees[:1], member("Mara", 0), member("Tom", 180))
    film = named(sightings, degrees, member("Mara", 0), member("Tom", 180))
    assert alone[0].character == "Mara", "by itself it is like enough"
    assert {one.character for one in film} == {""}, "over the film it is one of many that are not"
    assert "likest is Mara" in film[0].reason


def test_sure_tracks_are_further_references() -> None:
    sightings = [seen(number, shot=number) for number in range(4)]
    found = named(sightings, [30, 35, 40, 55], member("Mara", 0), member("Tom", 180))
    assert [one.character for one in found] == ["Mara"] * 4
    (unlike,) = named(sightings[:1], [55], member("Mara", 0), member("Tom", 180))
    assert unlike.character == ""


NAMES = ["Ana María", "Zoë Ångström", "🐰 Hase", "小明", "O'Neil-Smith", "Ωmega 3"]


def test_forty_characters_of_any_name_are_told_apart() -> None:
    names = [*NAMES, *(f"Nr. {number}" for number in range(34))]
    axes = np.eye(40, dtype=np.float32)
    members = tuple(
        CastMember(
            name=name,
            description="",
            labels=(),
            references=(Reference(key=str(row), content=str(row), embedding=encode(axes[row])),),
        )
        for row, name in enumerate(names)
    )
    cast = Cast(embedding_model=TITAN, members=members)
    sightings = [seen(number, shot=number) for number in range(40)]
    found = name_by_cast(sightings, list(range(40)), axes, cast, thresholds=THRESHOLDS_HERE, alike=0.9)
    assert [one.character for one in found] == names
    assert all(name in one.reason for name, one in zip(names, found, strict=True))


def test_no_crop_at_all_is_nobody() -> None:
    cast = Cast(embedding_model=TITAN, members=(member("Mara", 0),))
    assert name_by_cast([], [], stack([]), cast, thresholds=THRESHOLDS_HERE, alike=0.9) == []
    assert find_clusters([], [], stack([]), same_character=0.9) == []


def test_framing_and_company_are_of_the_square() -> None:
    close = seen(0, character="Mara", top=0.0, height=1.0, left_px=0, top_px=0, side_px=1080)
    other = seen(0, crop_id="f-000000000-01", character="Tom", left=0.1, width=0.1)
    far = seen(0, crop_id="f-000000000-02", left=0.9, width=0.1, left_px=1700, side_px=200)
    first, second, third = described([close, other, far])
    assert (first.framing, first.cast_in_square) == ("close-up", 2)
    assert second.framing == "full" or second.framing == "medium"
    assert third.cast_in_square == 0


# ---- discovery ------------------------------------------------------------------------------------


def discovered(
    sightings: Sequence[Sighting],
    degrees: Sequence[float],
    names: dict[str, str] | None = None,
    dropped: Sequence[str] = (),
) -> tuple[list[Sighting], list[Cluster]]:
    tracks, looks = list(range(len(sightings))), directions(*degrees)
    clusters = find_clusters(sightings, tracks, looks, same_character=0.9)
    return discover(sightings, tracks, looks, clusters, names=names or {}, dropped=dropped), clusters


def test_a_person_names_merges_and_drops_clusters_by_ids_that_stay() -> None:
    sightings = [seen(n, shot=n) for n in range(10)]
    degrees = [0, 90, 1, 91, 2, 92, 93, 170, 171, 172]
    before, clusters = discovered(sightings, degrees)
    first, second, third = (cluster.cluster_id for cluster in clusters)
    again, _ = discovered(list(reversed(sightings)), list(reversed(degrees)))
    assert {one.crop_id: one.cluster for one in again} == {one.crop_id: one.cluster for one in before}
    assert all(one.cluster for one in before)
    told, _ = discovered(sightings, degrees, {first: "Mara", second: "Mara"}, [third])
    assert [one.character for one in told] == ["Mara"] * 7 + [""] * 3
    assert {one.outcome for one in told[7:]} == {"dropped"}
    assert f"the project file drops its cluster {third}" in told[7].reason
    only, _ = discovered(sightings, degrees, {third: "Tom"})
    assert [only[0].character, only[1].character, only[7].character] == ["Character 2", "Character 1", "Tom"]
    assert unknown_clusters(clusters, {"c-0": "Tom"}, ["c-1", first]) == [
        "characters: Tom names the cluster c-0, which this run does not have",
        "detection.drop names the cluster c-1, which this run does not have",
    ]


def test_what_a_person_says_of_a_cluster_stands_above_the_methods() -> None:
    sightings = [seen(n, shot=n) for n in range(3)]
    found = named(sightings, [0, 1, 2], member("Mara", 0))
    clusters = find_clusters(found, [0, 1, 2], directions(0, 1, 2), same_character=0.9)
    told = told_by_people(found, clusters, names={clusters[0].cluster_id: "Tom"}, dropped=())
    assert [one.character for one in told] == ["Tom"] * 3


def test_who_is_seen_in_one_shot_only_does_not_return() -> None:
    sightings = [*(seen(n, shot=0) for n in range(4)), *(seen(4 + n, shot=1 + n % 2) for n in range(4))]
    found, _ = discovered(sightings, [0, 0, 0, 0, 90, 90, 90, 90])
    assert [one.character for one in found] == [""] * 4 + ["Character 1"] * 4
    assert "one shot only" in found[0].reason
    film_of_one_shot, _ = discovered(sightings[:4], [0, 0, 0, 0])
    assert {one.character for one in film_of_one_shot} == {"Character 1"}


def test_clustering_a_long_film_takes_seconds() -> None:
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(40, 32))
    looks = centres[rng.integers(0, 40, 3000)] + 0.6 * rng.normal(size=(3000, 32))
    looks = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float32)
    began = process_time()
    clusters = complete_linkage(looks @ looks.T, 0.5)
    assert process_time() - began < 20
    assert max(len(cluster) for cluster in clusters) > 20


@given(st.lists(st.tuples(st.integers(0, 180), st.integers(1, 4)), min_size=1, max_size=14), st.floats(0.3, 0.99))
def test_tracks_beyond_those_that_are_compared_join_whom_they_are_like(
    told: list[tuple[int, int]], least: float
) -> None:
    tracks = [track for track, (_, length) in enumerate(told) for _ in range(length)]
    looks = directions(*(told[track][0] for track in tracks))
    exact = clustering.clustered_tracks(tracks, looks, least)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clustering, "JOINED_AT_ONCE", 3)
        patched.setattr(clustering, "MOST_TRACKS", len(told))
        assert clustering.clustered_tracks(tracks, looks, least).tolist() == exact.tolist()
        patched.setattr(clustering, "MOST_TRACKS", 5)
        found = clustering.clustered_tracks(tracks, looks, least)
    # Numbered by their first tracks, none left out; the rows of a track are together.
    assert list(dict.fromkeys(found.tolist())) == list(range(max(found) + 1))
    of_track = {track: int(number) for track, number in zip(tracks, found, strict=True)}
    longest = sorted(range(len(told)), key=lambda track: (-told[track][1], track))[:5]
    angles = [degrees for degrees, _ in told]
    for track in range(len(told)):
        for other in longest:
            if of_track[track] == of_track[other]:
                assert math.cos(math.radians(angles[track] - angles[other])) >= least - 1e-5


def test_who_returns_gets_a_working_name_by_how_often() -> None:
    sightings = [seen(n, shot=n) for n in range(9)]
    found, _ = discovered(sightings, [0, 90, 1, 91, 2, 92, 93, 45, 180])
    assert [one.character for one in found] == [
        "Character 2",
        "Character 1",
        "Character 2",
        "Character 1",
        "Character 2",
        "Character 1",
        "Character 1",
        "",
        "",
    ]
    assert f"seen 1 of the {MIN_SIGHTINGS} times" in found[7].reason


def test_clusters_of_one_size_are_numbered_by_their_first_crop_whatever_the_tracks_numbers() -> None:
    sightings = [seen(n, shot=n) for n in range(6)]
    vectors = directions(0, 90, 0, 90, 0, 90)
    for tracks in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [9, 2, 7, 1, 8, 0]):
        clusters = find_clusters(sightings, tracks, vectors, same_character=0.9)
        found = discover(sightings, tracks, vectors, clusters, names={}, dropped=())
        assert [one.character for one in found] == ["Character 1", "Character 2"] * 3


@given(
    st.lists(st.integers(0, 180), min_size=1, max_size=10),
    st.floats(0.3, 0.99),
)
def test_clusters_never_chain(degrees: list[int], least: float) -> None:
    vectors = directions(*degrees).astype(float)
    similar = vectors @ vectors.T
    assume(np.abs(similar - least).min() > 1e-5)
    clusters = complete_linkage(similar.astype(np.float32), least)
    assert sorted(row for cluster in clusters for row in cluster) == list(range(len(degrees)))
    for cluster in clusters:
        assert all(similar[a, b] >= least - 1e-6 for a in cluster for b in cluster)
    for number, one in enumerate(clusters):
        for other in clusters[number + 1 :]:
            assert min(similar[a, b] for a in one for b in other) < least + 1e-6, "they could be merged"
