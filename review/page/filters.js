// Which pictures are shown: filters, what each would show, and their place in the address.
"use strict";

(function (storycast) {
  const EMPTY = Object.freeze({ state: "", character: "", framing: "", flag: "", mine: "", text: "" });
  const FLAG_WORDS = {
    any: "Any flag",
    none: "No flag",
    length: "Caption too short or long",
    unnamed: "Somebody is not named",
    same: "Same caption as another",
    unsure: "The name is a guess",
    enlarged: "Enlarged",
    lint: "Captions to look at",
    other: "Something else",
  };

  class Filters {
    constructor(state, me) {
      this._state = state;
      this._me = me;
      this.chosen = { ...EMPTY };
    }

    get isEmpty() {
      return Object.keys(EMPTY).every((name) => !this.chosen[name]);
    }

    clear() {
      this.chosen = { ...EMPTY };
    }

    /** Set from the address; what the review does not have is passed over. */
    read(parameters) {
      this.clear();
      for (const name of Object.keys(EMPTY)) {
        const value = parameters.get(name) || "";
        if (name === "character" ? this._state.names.has(value) : name === "flag" ? value in FLAG_WORDS : true) {
          this.chosen[name] = value;
        }
      }
    }

    write(parameters) {
      for (const [name, value] of Object.entries(this.chosen)) {
        if (value) parameters.set(name, value);
      }
    }

    /** The final name of the character that is chosen: it may have been renamed since. */
    get name() {
      return this.chosen.character ? this._state.names.get(this.chosen.character) : "";
    }

    /** What a picture fails, by name; empty where it is shown. */
    _failed(id) {
      const { state, character, framing, flag, mine, text } = this.chosen;
      const look = this._state.look(id);
      const failed = [];
      if (state && look.state !== state) failed.push("state");
      if (character && look.name !== this.name) failed.push("character");
      if (framing && look.framing !== framing) failed.push("framing");
      if (flag && !this._hasFlag(id, flag)) failed.push("flag");
      if (mine && !look.deciders.has(this._me)) failed.push("mine");
      if (text && !look.caption.toLowerCase().includes(text.toLowerCase())) failed.push("text");
      return failed;
    }

    _hasFlag(id, flag) {
      const flags = this._state.flags(id);
      if (flag === "any") return flags.length > 0;
      if (flag === "none") return flags.length === 0;
      return flags.some((one) => one.kind === flag);
    }

    shows(id) {
      return this._failed(id).length === 0;
    }

    get shown() {
      return this._state.pictures.filter(({ id }) => this.shows(id)).map(({ id }) => id);
    }

    /** How many pictures each choice would show, the other filters being as they are: Map by filter and value. */
    get counts() {
      const counts = Object.fromEntries(Object.keys(EMPTY).map((name) => [name, new Map([["", 0]])]));
      const add = (name, value) => counts[name].set(value, (counts[name].get(value) || 0) + 1);
      for (const { id } of this._state.pictures) {
        const failed = this._failed(id);
        if (failed.length > 1) continue;
        const look = this._state.look(id);
        const flags = new Set(this._state.flags(id).map((one) => one.kind));
        const values = {
          state: [look.state],
          character: [look.name],
          framing: [look.framing],
          flag: flags.size ? ["any", ...flags] : ["none"],
          mine: look.deciders.has(this._me) ? ["yes"] : [],
          text: [],
        };
        for (const name of failed.length ? failed : Object.keys(EMPTY)) {
          for (const value of ["", ...values[name]]) add(name, value);
        }
      }
      return counts;
    }
  }

  Object.assign(storycast, { Filters, FLAG_WORDS });
})((window.Storycast = window.Storycast || {}));
