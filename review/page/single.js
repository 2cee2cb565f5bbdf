// One picture, large: what it shows, what stands out, its duplicates, and what to do with it.
"use strict";

(function (storycast) {
  const { button, count, fill, filmTime, icon, make, moment, said, sentence } = storycast.dom;
  const AHEAD = 6;
  const BEHIND = 2;
  const STATES = { open: ["open", "Open"], kept: ["keep", "Kept"], dropped: ["drop", "Dropped"] };

  class Single {
    /** `app`: state, desk, words, cache, backend, filters, deciding; step(by), toGrid(). */
    constructor(app, section) {
      this._app = app;
      this._section = section;
      this.id = null;
      this.sequence = [];
      this._build();
    }

    _build() {
      const app = this._app;
      const act = (what, label, key, kind) =>
        button(label, {
          icon: what,
          key,
          title: label,
          class: `act ${kind}`,
          onclick: () => app.deciding.judgeCurrent(what),
        });
      this._stage = make("div", { class: "stage" });
      this._twins = make("section", { class: "twins", "aria-labelledby": "twins-title" });
      this._head = make("div", { class: "head" });
      this._caption = make("section", { class: "words", "aria-label": "Caption" });
      this._flags = make("section", { class: "flagged", "aria-labelledby": "flags-title" });
      this._facts = make("dl", { class: "facts" });
      this._decided = make("p", { class: "decided small" });
      this._keep = act("keep", "Keep", "K", "good");
      this._drop = act("drop", "Drop", "D", "bad");
      this._reopen = act("reopen", "Reopen", "O", "quiet");
      const before = button("Previous", {
        icon: "left",
        key: "←",
        title: "Previous (←)",
        class: "bare step",
        onclick: () => app.step(-1),
      });
      const after = button("Next", {
        icon: "right",
        key: "→",
        title: "Next (→)",
        class: "bare step",
        onclick: () => app.step(1),
      });
      const toGrid = button("All pictures", {
        icon: "grid",
        key: "G",
        class: "quiet",
        onclick: () => app.toGrid(),
      });
      this._move = button("Move to …", {
        icon: "move",
        key: "M",
        class: "quiet",
        onclick: () => app.deciding.move(),
      });
      this._character = button("Character …", {
        icon: "cast",
        key: "R",
        class: "quiet",
        onclick: () => app.deciding.editCurrentCharacter(),
      });
      this._place = make("p", { class: "place soft small" });
      this._acts = make(
        "div",
        { class: "acts", role: "group", "aria-label": "Decide" },
        before,
        this._drop,
        this._reopen,
        this._keep,
        after,
      );
      this._side = make(
        "div",
        { class: "side" },
        this._head,
        this._caption,
        this._flags,
        make("div", { class: "row" }, this._move, this._character),
        this._facts,
        this._decided,
      );
      this._section.append(
        make("div", { class: "crumbs" }, toGrid, this._place),
        make(
          "div",
          { class: "both" },
          make("div", { class: "left" }, this._stage, this._twins),
          make("div", { class: "right" }, this._side, this._acts),
        ),
      );
      this.editor = new storycast.Editor(app, this._caption);
    }

    get _look() {
      return this._app.state.look(this.id);
    }

    /** Show a picture of the sequence. */
    show(id) {
      // Asked before anything changes, while the answer costs nothing.
      if (this._side.scrollTop) this._side.scrollTop = 0;
      this.id = id;
      this._showPicture();
      this.refresh();
      const next = storycast.nextOpen(this._app.state, this.sequence, id);
      // The picture is painted first; then those are fetched that may come next.
      requestAnimationFrame(() => setTimeout(() => this._lookAhead(next), 0));
    }

    _showPicture() {
      const look = this._look;
      const cropId = look.image.crop_id;
      const entry = this._app.cache.get(cropId);
      this._shown = entry;
      if (entry.isReady) {
        this._setImage(entry.image);
        return;
      }
      // The small one is there at once, from the grid.
      this._setImage(make("img", { src: this._app.backend.thumb(cropId), class: "small" }));
      entry.ready.then(() => {
        if (this._shown !== entry) return;
        if (entry.isBroken)
          fill(
            this._stage,
            make("p", { class: "gone" }, "This picture can't be shown: it was not found, or can't be read."),
          );
        else this._setImage(entry.image);
      });
    }

    _setImage(image) {
      image.alt = this._look.caption;
      image.dir = "auto";
      fill(this._stage, image);
    }

    /** Load and decode what may come next: the open ones from here, then the neighbours. */
    _lookAhead(next) {
      const at = this.sequence.indexOf(this.id);
      const neighbours = [
        ...this.sequence.slice(at + 1, at + 1 + AHEAD),
        ...this.sequence.slice(Math.max(at - BEHIND, 0), at).reverse(),
      ];
      const open = [];
      for (let id = next; id && open.length < AHEAD && !open.includes(id) && id !== this.id;) {
        open.push(id);
        id = storycast.nextOpen(this._app.state, this.sequence, id);
      }
      for (const id of new Set([...open, ...neighbours.slice(0, 2), ...neighbours.slice(AHEAD)])) {
        this._app.cache.get(this._app.state.look(id).image.crop_id);
      }
    }

    /** Bring what is said of the picture up to date. */
    refresh() {
      if (!this.id) return;
      const look = this._look;
      if (!this._shown || this._shown !== this._app.cache.get(look.image.crop_id)) this._showPicture();
      const [symbol, word] = STATES[look.state];
      this._section.dataset.state = look.state;
      fill(
        this._head,
        make("h2", {}, said(look.name)),
        make("span", { class: `chip ${look.state}` }, icon(symbol), look.isOutOfCast ? "Out of the cast" : word),
        make(
          "p",
          { class: "soft small" },
          `${look.framing} · picture ${look.number} of ${this._app.state.pictures.length}`,
        ),
      );
      this.editor.show(this.id);
      this._showFlags(look);
      this._showFacts(look);
      this._showTwins(look);
      fill(this._decided, ...this._whoDecided(look));
      const at = this.sequence.indexOf(this.id) + 1;
      const left = this.sequence.filter((id) => this._app.state.look(id).state === storycast.OPEN).length;
      this._place.textContent = `${at || "–"} of ${this.sequence.length}${this._app.filters.isEmpty ? "" : " in this filter"} · ${left} open`;
      const isOpen = this._app.desk.isOpen;
      this._keep.disabled = !isOpen || look.state === "kept";
      this._drop.disabled = !isOpen || look.state === "dropped";
      this._reopen.disabled = !isOpen || look.verdict === "open";
      this._move.disabled = !isOpen;
      document.title = `${look.number} · ${look.name} · Storycast review`;
    }

    _showFlags(look) {
      const flags = this._app.state.flags(look.id);
      this._flags.hidden = !flags.length;
      fill(
        this._flags,
        make("h3", { id: "flags-title" }, "Worth a look"),
        make("ul", {}, ...flags.map((flag) => make("li", {}, icon("flag"), said(flag.text)))),
      );
    }

    _showFacts(look) {
      const { image } = look;
      const fact = (name, ...value) => [make("dt", {}, name), make("dd", {}, ...value)];
      const others = look.inPicture.slice(1).flatMap((name, index) => [index ? ", " : "", said(name)]);
      fill(
        this._facts,
        ...fact("Film", said(look.record.footage)),
        ...fact("Time", filmTime(image.time_ms)),
        ...fact("Shot", String(image.shot)),
        ...fact("Framing", image.framing),
        ...fact("Likeness", image.score.toFixed(2)),
        ...fact("Cut", `${image.side_px} px${image.enlarged ? ", enlarged for training" : ""}`),
        ...(others.length ? fact("With", ...others) : []),
        ...fact("File", said(look.record.file_name)),
      );
    }

    _whoDecided(look) {
      if (look.isOutOfCast) return sentence`${said(look.name)} is out of the cast, so this picture is out too.`;
      if (look.isCarried) {
        const { who, when, run_id: runId } = look.record.carried;
        return sentence`${this._app.words.who(who)} ${look.verdict} this in run ${said(runId)}, ${moment(when)}. It holds until you say otherwise.`;
      }
      if (!look.by) return ["Nobody has decided on it yet."];
      const verb = { open: "reopened", kept: "kept", dropped: "dropped" }[look.verdict];
      return sentence`${this._app.words.who(look.by.who)} ${verb} it, ${moment(look.by.when)}.`;
    }

    _showTwins(look) {
      const { alternatives, more_alternatives: more } = look.record;
      // Not made anew without need: somebody may have the focus in it.
      const shown = `${look.id} ${look.image.crop_id} ${this._app.desk.isOpen}`;
      if (shown === this._twinsOf) return;
      this._twinsOf = shown;
      this._twins.hidden = !alternatives.length;
      if (!alternatives.length) {
        fill(this._twins);
        return;
      }
      const own = this._twin(look, look.record.image, 0, "The run's choice");
      const others = alternatives.map((one, index) => this._twin(look, one.image, index + 1, one.reason));
      fill(
        this._twins,
        make("h3", { id: "twins-title" }, count(alternatives.length, "near-duplicate"), " that could stand here"),
        make("ul", {}, own, ...others),
        more
          ? make(
              "p",
              { class: "soft small" },
              `${count(more, "more duplicate")} ${more === 1 ? "was" : "were"} dropped for this picture.`,
            )
          : null,
      );
    }

    _twin(look, image, number, reason) {
      const isUsed = image.crop_id === look.image.crop_id;
      const key = number < 10 ? String(number) : null;
      const label = number ? "Use this one instead" : "Use the run's choice";
      const use = isUsed
        ? make("p", { class: "used" }, icon("keep"), "In use")
        : button(label, {
            key,
            class: "quiet",
            disabled: !this._app.desk.isOpen,
            onclick: () => this._app.deciding.use(number),
          });
      return make(
        "li",
        { class: isUsed ? "used" : null },
        make("img", {
          src: this._app.backend.thumb(image.crop_id),
          width: 320,
          height: 320,
          alt: number ? `Duplicate ${number}` : "The run's choice",
          decoding: "async",
        }),
        make("p", { class: "small" }, `${filmTime(image.time_ms)} · ${image.framing} · ${image.score.toFixed(2)}`),
        make("p", { class: "soft small" }, said(reason)),
        use,
      );
    }

    /** Scroll what is said of the picture; on a phone the page. */
    scroll(rows) {
      for (const each of [this._side, window]) each.scrollBy({ top: rows * 80 });
    }

    /** Crop id of the duplicate under a number, 0 being the run's choice; null where there is none. */
    twin(number) {
      const { record } = this._look;
      if (number === 0) return record.image.crop_id;
      const one = record.alternatives[number - 1];
      return one ? one.image.crop_id : null;
    }

    /** What to say of the picture to those who listen. */
    get told() {
      const look = this._look;
      const flags = this._app.state.flags(look.id);
      return `Picture ${look.number}: ${look.name}, ${look.framing}, ${STATES[look.state][1].toLowerCase()}${flags.length ? `, ${count(flags.length, "flag")}` : ""}.`;
    }
  }

  storycast.Single = Single;
})((window.Storycast = window.Storycast || {}));
