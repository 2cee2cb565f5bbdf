// What a review has come to: every field's value, and the decision that said so. Decisions that are not saved
// yet lie on top, so that the page never waits for the network.
"use strict";

(function (storycast) {
  const { captionFlags, renamed } = storycast.text;
  const OPEN = "open";
  const KEPT = "kept";
  const DROPPED = "dropped";
  const IN_CAST = "cast";
  const RULES = [
    "repeated_fragment",
    "repeated_traits",
    "kind_words",
    "near_identical",
    "missing_names",
    "wrong_cast",
    "unusable_caption",
    "caption_length",
  ];

  const pictureSubject = (id) => `picture:${id}`;
  const characterSubject = (name) => `character:${name}`;
  // No name and no crop id holds a line break.
  const keyOf = (subject, field) => `${subject}\n${field}`;

  class ReviewState {
    constructor(review) {
      this.review = review;
      this.log = [];
      this.unsaved = [];
      this.version = 0;
      this.pictures = review.pictures.map((record, index) => ({
        id: record.image.crop_id,
        number: index + 1,
        record,
      }));
      this._pictures = new Map(this.pictures.map((one) => [one.id, one]));
      this._values = new Map();
      this._overlay = new Map();
      this._looks = new Map();
      this._cached = { version: -1 };
      this._listeners = [];
      for (const { id, record } of this.pictures) {
        const carried = record.carried;
        this._start(pictureSubject(id), {
          verdict: carried ? carried.verdict : OPEN,
          caption: (carried && carried.caption) || record.caption,
          character: record.image.character,
          shown: id,
        });
      }
      for (const member of review.characters) {
        this._start(characterSubject(member.name), { name: member.name, standing: IN_CAST });
      }
      for (const rule of RULES) this._start(`lint:${rule}`, { acknowledged: "no" });
      this._lintFlags = new Map();
    }

    _start(subject, fields) {
      for (const [field, text] of Object.entries(fields))
        this._values.set(keyOf(subject, field), { text, by: null });
    }

    get seq() {
      return this.log.length ? this.log[this.log.length - 1].seq : 0;
    }

    has(id) {
      return this._pictures.has(id);
    }

    numberOf(id) {
      return this._pictures.get(id).number;
    }

    /** What a field holds now, what is not saved yet included: {text, by}; undefined for what the review lacks. */
    value(subject, field) {
      const key = keyOf(subject, field);
      return this._overlay.get(key) || this._values.get(key);
    }

    text(subject, field) {
      return this.value(subject, field).text;
    }

    onChange(listener) {
      this._listeners.push(listener);
    }

    /** Take over saved decisions, those that are known already passed over. */
    take(decisions) {
      const news = decisions.filter((one) => one.seq > this.seq);
      if (!news.length) return [];
      const ids = new Set(news.map((one) => one.id));
      const touched = subjectsOf(this.unsaved.filter((one) => ids.has(one.id)));
      this.unsaved = this.unsaved.filter((one) => !ids.has(one.id));
      for (const decision of news) {
        for (const change of decision.changes) {
          const key = keyOf(change.subject, change.field);
          if (this._values.has(key)) this._values.set(key, { text: change.after, by: decision });
          touched.add(change.subject);
        }
        this.log.push(decision);
      }
      this._lay();
      this._changed(touched, false);
      return news;
    }

    /** Lay decisions on top that are not saved yet. */
    add(drafts) {
      this.unsaved = [...this.unsaved, ...drafts];
      this._lay();
      this._changed(subjectsOf(drafts), true);
    }

    /** Take away a decision that was not saved and will not be. */
    remove(draft) {
      this.unsaved = this.unsaved.filter((one) => one.id !== draft.id);
      this._lay();
      this._changed(subjectsOf([draft]), false);
    }

    _lay() {
      this._overlay = new Map();
      for (const draft of this.unsaved) {
        for (const change of draft.changes) {
          const now = this.value(change.subject, change.field);
          if (now && now.text === change.before) {
            this._overlay.set(keyOf(change.subject, change.field), { text: change.after, by: draft });
          }
        }
      }
    }

    _changed(subjects, isOwn) {
      this.version += 1;
      let isWide = false;
      for (const subject of subjects) {
        if (subject.startsWith("character:")) isWide = true;
        else this._looks.delete(subject.slice("picture:".length));
      }
      if (isWide) this._looks.clear();
      for (const listener of this._listeners) listener({ subjects, isWide, isOwn });
    }

    /** Final names by those in the run. */
    get names() {
      return this._once("names", () => {
        const named = this.review.characters.map(({ name }) => [name, this.text(characterSubject(name), "name")]);
        return new Map(named);
      });
    }

    /** Characters by final name, two of one name being one, with what is kept, open and dropped of them. */
    get cast() {
      return this._once("cast", () => {
        const cast = new Map();
        for (const member of this.review.characters) {
          const name = this.names.get(member.name);
          const one = cast.get(name) || {
            name,
            keys: [],
            descriptions: [],
            standings: new Set(),
            kept: 0,
            open: 0,
            dropped: 0,
          };
          one.keys.push(member.name);
          if (member.description) one.descriptions.push(member.description);
          one.standings.add(this.text(characterSubject(member.name), "standing"));
          cast.set(name, one);
        }
        for (const { id } of this.pictures) {
          const look = this.look(id);
          cast.get(look.name)[look.state] += 1;
        }
        for (const one of cast.values()) {
          one.isDropped = !one.standings.has(IN_CAST);
          one.isDivided = one.standings.size > 1;
        }
        return cast;
      });
    }

    get totals() {
      return this._once("totals", () => {
        const totals = { open: 0, kept: 0, dropped: 0, all: this.pictures.length };
        for (const { id } of this.pictures) totals[this.look(id).state] += 1;
        return totals;
      });
    }

    _once(name, make) {
      if (this._cached.version !== this.version) this._cached = { version: this.version };
      if (!(name in this._cached)) this._cached[name] = make();
      return this._cached[name];
    }

    /** How a picture looks by now: with final names, as the approval will have it. */
    look(id) {
      let look = this._looks.get(id);
      if (!look) {
        look = this._made(this._pictures.get(id));
        this._looks.set(id, look);
      }
      return look;
    }

    _made({ id, number, record }) {
      const subject = pictureSubject(id);
      const verdict = this.value(subject, "verdict");
      const caption = this.value(subject, "caption");
      const character = this.value(subject, "character");
      const shown = this.value(subject, "shown");
      const carried = record.carried;
      const image = (record.alternatives.find((one) => one.image.crop_id === shown.text) || record).image;
      const name = this.names.get(character.text);
      // Whom it was taken for is now called as the one whom it is of; the others as they are called now.
      const here = new Map(record.image.in_picture.map((one) => [one, this.names.get(one) || one]));
      here.set(record.image.character, name);
      const others = image.in_picture.slice(1).map((one) => here.get(one) || this.names.get(one) || one);
      const inPicture = [...new Set([name, ...others])];
      const isModels = caption.text === record.caption;
      const captionBy = isModels ? "" : caption.by ? caption.by.who : carried ? carried.who : "";
      const standing = this.value(characterSubject(character.text), "standing");
      const isOutOfCast = standing.text === DROPPED;
      const isCarried = Boolean(carried) && !verdict.by && carried.verdict !== OPEN;
      const look = {
        id,
        subject,
        number,
        record,
        image,
        name,
        inPicture,
        isOutOfCast,
        isCarried,
        captionBy,
        key: character.text,
        framing: image.framing,
        isExchanged: shown.text !== id,
        // A person's words are shown as they wrote them, whatever the characters are called since.
        caption: captionBy ? caption.text : renamed(caption.text, here),
        verdict: verdict.text,
        state: isOutOfCast ? DROPPED : verdict.text,
        by: verdict.by || (isCarried ? carried : null),
        deciders: new Set([verdict, caption, character, shown].filter((one) => one.by).map((one) => one.by.who)),
      };
      if (isCarried) look.deciders.add(carried.who);
      look.flags = this._flags(look, Boolean(character.by));
      return look;
    }

    _flags(look, isPlacedByPerson) {
      const flags = captionFlags(look.caption, look.inPicture, this.review.words).map(({ kind, text }) => ({
        kind,
        text: `The caption: ${text}.`,
      }));
      for (const told of look.record.flags) {
        const kind = flagKind(told);
        if (kind === "length" || kind === "unnamed" || kind === "same") continue;
        // Somebody said whom it is of; and another picture of the film has a size of its own.
        if ((kind === "unsure" && isPlacedByPerson) || (kind === "enlarged" && look.isExchanged)) continue;
        flags.push({ kind, text: renamed(told, this.names) });
      }
      if (look.isExchanged && look.image.enlarged) {
        const text = `Only ${look.image.side_px} px of the film: it was enlarged for training.`;
        flags.push({ kind: "enlarged", text });
      }
      return flags;
    }

    /** Id of the picture for which a crop stands by now; undefined where it stands for none. */
    idOf(cropId) {
      return this._once("ids", () => new Map(this.pictures.map(({ id }) => [this.look(id).image.crop_id, id]))).get(cropId);
    }

    /** Take over what the caption lint says of pictures: Map id -> flags. */
    setLintFlags(flags) {
      this._lintFlags = flags;
    }

    /** What stands out in a picture: [{kind, text}]. */
    flags(id) {
      const look = this.look(id);
      const flags = look.state === DROPPED ? look.flags : [...look.flags, ...(this._lintFlags.get(id) || [])];
      const same = look.state === DROPPED ? 1 : this._said.get(look.caption.toLowerCase());
      if (same < 2) return flags;
      return [...flags, { kind: "same", text: `${same} pictures have this caption, word for word.` }];
    }

    /** How many pictures that are not dropped say the same, by caption. */
    get _said() {
      return this._once("said", () => {
        const said = new Map();
        for (const { id } of this.pictures) {
          const look = this.look(id);
          if (look.state === DROPPED) continue;
          const caption = look.caption.toLowerCase();
          said.set(caption, (said.get(caption) || 0) + 1);
        }
        return said;
      });
    }
  }

  function subjectsOf(drafts) {
    return new Set(drafts.flatMap((draft) => draft.changes.map((change) => change.subject)));
  }

  function flagKind(text) {
    if (/^The caption: \d+ words/.test(text)) return "length";
    if (/^The caption: does not name/.test(text)) return "unnamed";
    if (/pictures have this caption/.test(text)) return "same";
    if (/^The name is a guess/.test(text)) return "unsure";
    if (/px of the film/.test(text)) return "enlarged";
    return "other";
  }

  Object.assign(storycast, { RULES, ReviewState, characterSubject, pictureSubject, OPEN, KEPT, DROPPED, IN_CAST });
})((window.Storycast = window.Storycast || {}));
