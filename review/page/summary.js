// What training will get, were the review finished now: counted as storycast.approval and storycast.held_out do.
"use strict";

(function (storycast) {
  const MIN_RECORDS = 5;
  const MIN_SHOTS = 3;
  const MOST_TIMES_THE_SHARE = 2;

  /** Half to even, as Python rounds. */
  function rounded(number) {
    const below = Math.floor(number);
    if (number - below !== 0.5) return Math.round(number);
    return below % 2 ? below + 1 : below;
  }

  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

  /** Crop ids of what is kept out of a training; see storycast.held_out.hold_out. `pictures`: {id, character, footage, shot}. */
  function holdOut(pictures, share) {
    if (share <= 0) return [];
    const shots = new Map();
    for (const one of pictures) {
      const place = `${one.footage}\n${one.shot}`;
      if (!shots.has(place)) shots.set(place, { place, footage: one.footage, shot: one.shot, pictures: [] });
      shots.get(place).pictures.push(one);
    }
    const inOrder = (a, b) => compare(a.footage, b.footage) || a.shot - b.shot;
    const counts = new Map();
    for (const one of pictures) counts.set(one.character, (counts.get(one.character) || 0) + 1);
    const seenIn = new Map();
    for (const name of counts.keys()) {
      const own = [...shots.values()].filter((shot) => shot.pictures.some((one) => one.character === name));
      seenIn.set(name, own.sort(inOrder));
    }
    const most = Math.min(rounded(pictures.length * share * MOST_TIMES_THE_SHARE), pictures.length - MIN_RECORDS);
    const leavesEnough = (held) =>
      [...seenIn.values()].every(
        (own) =>
          !own.some((shot) => held.has(shot)) || own.filter((shot) => !held.has(shot)).length >= MIN_SHOTS - 1,
      );
    let held = new Set();
    for (const name of [...counts.keys()].sort((a, b) => counts.get(a) - counts.get(b) || compare(a, b))) {
      const own = seenIn.get(name);
      if (own.length < MIN_SHOTS || own.some((shot) => held.has(shot))) continue;
      for (const shot of [...own].sort((a, b) => a.pictures.length - b.pictures.length || inOrder(a, b))) {
        const after = new Set([...held, shot]);
        const size = [...after].reduce((sum, each) => sum + each.pictures.length, 0);
        if (size <= most && leavesEnough(after)) {
          held = after;
          break;
        }
      }
    }
    return [...held].flatMap((shot) => shot.pictures.map((one) => one.id)).sort(compare);
  }

  /** How many pictures a training needs; an older review does not say. */
  const leastPictures = (training) => (training && training.least_pictures) || MIN_RECORDS;

  /** What is approved by now, and what it comes to. */
  function summary(state) {
    const { review } = state;
    const looks = state.pictures.map(({ id }) => state.look(id));
    const kept = looks.filter((look) => look.state === storycast.KEPT);
    const count = (of) => {
      const counts = new Map();
      for (const look of kept) counts.set(of(look), (counts.get(of(look)) || 0) + 1);
      return counts;
    };
    const perCharacter = new Map([...count((look) => look.name)].sort(([a], [b]) => compare(a, b)));
    const places = kept.map((look) => ({
      id: look.image.crop_id,
      character: look.name,
      footage: look.image.footage_id,
      shot: look.image.shot,
    }));
    const training = review.training;
    const heldOut = training ? holdOut(places, training.hold_out_share).length : 0;
    const trainedOn = kept.length - heldOut;
    return {
      kept: kept.length,
      open: looks.filter((look) => look.state === storycast.OPEN).length,
      dropped: looks.filter((look) => look.state === storycast.DROPPED).length,
      perCharacter,
      framings: count((look) => look.framing),
      together: kept.filter((look) => look.inPicture.length > 1).length,
      unnamed: kept.filter((look) => look.flags.some((flag) => flag.kind === "unnamed")).length,
      flagged: kept.filter((look) => state.flags(look.id).length).length,
      byPeople: kept.filter((look) => look.captionBy).length,
      shortfalls: [...perCharacter].filter(([, have]) => have < review.minimum_per_character),
      isTooSmall: kept.length < leastPictures(training),
      heldOut,
      trainedOn,
      timesSeen: training && trainedOn ? (training.step_count * training.batch_size) / trainedOn : 0,
    };
  }

  Object.assign(storycast, { holdOut, leastPictures, summary });
})((window.Storycast = window.Storycast || {}));
