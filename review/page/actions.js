// What a reviewer can decide, as changes of fields.
"use strict";

(function (storycast) {
  const { characterSubject, pictureSubject, OPEN, KEPT, DROPPED, IN_CAST } = storycast;
  const VERDICTS = { keep: KEPT, drop: DROPPED, reopen: OPEN };

  class Actions {
    constructor(desk) {
      this._desk = desk;
    }

    get _state() {
      return this._desk.state;
    }

    _change(subject, field, after) {
      return { subject, field, before: this._state.text(subject, field), after };
    }

    /** Keep, drop or reopen pictures. */
    judge(what, ids) {
      return this._desk.decide(
        what,
        ids.map((id) => this._change(pictureSubject(id), "verdict", VERDICTS[what])),
      );
    }

    /** Give a picture another caption; `before` is what its writer saw. */
    write(id, caption, before) {
      return this._desk.decide("caption", [
        { subject: pictureSubject(id), field: "caption", before, after: caption },
      ]);
    }

    /** Say whom pictures are of. `key`: a character's name in the run. */
    move(ids, key) {
      return this._desk.decide(
        "move",
        ids.map((id) => this._change(pictureSubject(id), "character", key)),
      );
    }

    /** Let a duplicate stand in a picture's place, or take the run's own choice back. */
    use(id, cropId) {
      return this._desk.decide("use", [this._change(pictureSubject(id), "shown", cropId)]);
    }

    /** Call a character otherwise; `one` as in the state's cast. */
    rename(one, name) {
      return this._each("rename", one, "name", name);
    }

    /** Make two characters one. */
    merge(one, into) {
      return this._each("merge", one, "name", into.name);
    }

    dropCharacter(one) {
      return this._each("drop_character", one, "standing", DROPPED);
    }

    restoreCharacter(one) {
      return this._each("restore_character", one, "standing", IN_CAST);
    }

    _each(what, one, field, after) {
      return this._desk.decide(
        what,
        one.keys.map((key) => this._change(characterSubject(key), field, after)),
      );
    }
  }

  storycast.Actions = Actions;
})((window.Storycast = window.Storycast || {}));
