// The grid: a tile for each picture, moved through by arrows, chosen by the one or by ranges.
"use strict";

(function (storycast) {
  const { button, count, fill, icon, make, said } = storycast.dom;
  const STEP = 120;
  const TILE_PX = { width: 180, height: 240 };
  const STATES = { open: ["open", "Open"], kept: ["keep", "Kept"], dropped: ["drop", "Dropped"] };

  class Grid {
    /** `app`: state, filters, backend, desk, deciding, bulk; open(id), addressSoon(). */
    constructor(app, list) {
      this._app = app;
      this._list = list;
      this._tiles = new Map();
      this._anchor = null;
      this.focused = null;
      this.chosen = new Set();
      this.shown = [];
      list.addEventListener("click", (event) => this._clicked(event));
      list.addEventListener("focusin", (event) => {
        const tile = event.target.closest("li");
        if (tile) this._mark(tile.dataset.id);
      });
    }

    /** Make the tiles: those that can be seen now, the others while nothing else is to do. */
    build() {
      const most = Math.ceil(innerWidth / TILE_PX.width) * Math.ceil(innerHeight / TILE_PX.height + 1);
      const { pictures } = this._app.state;
      const isShown = this._app.filters.isEmpty ? () => true : (id) => this._app.filters.shows(id);
      const first = [];
      const rest = [];
      for (const { id } of pictures) (first.length < most && isShown(id) ? first : rest).push(id);
      // In the review's order, whatever is made first.
      for (const id of first) this._list.append(this._make(id));
      this.focused = first[0] || null;
      this._waiting = rest;
      const more = () => {
        this._makeSome(STEP);
        if (this._waiting.length) setTimeout(more, 0);
      };
      requestAnimationFrame(() => setTimeout(more, 0));
    }

    _makeSome(most) {
      const places = this._app.state.pictures;
      for (const id of this._waiting.splice(0, most)) {
        const tile = this._make(id);
        let after = this._app.state.numberOf(id);
        while (after < places.length && !this._tiles.has(places[after].id)) after += 1;
        this._list.insertBefore(tile, after < places.length ? this._tiles.get(places[after].id).tile : null);
        if (this._isReady) tile.hidden = !this._isShown.has(id);
      }
    }

    /** Show what the filters let through. */
    filter() {
      this.shown = this._app.filters.shown;
      this._isShown = new Set(this.shown);
      this._isReady = true;
      for (const [id, { tile }] of this._tiles) tile.hidden = !this._isShown.has(id);
      for (const id of [...this.chosen]) if (!this._isShown.has(id)) this.choose(id, false);
      if (!this._isShown.has(this.focused)) this._mark(this._nearest(this.focused));
    }

    /** The one that is shown after a picture that is not; the last where none is. */
    _nearest(id) {
      const { state } = this._app;
      const number = id ? state.numberOf(id) : 0;
      return this.shown.find((each) => state.numberOf(each) > number) || this.shown.at(-1) || null;
    }

    _make(id) {
      const { backend } = this._app;
      const image = make("img", { alt: "", width: 320, height: 320, loading: "lazy", decoding: "async" });
      const open = make("button", { type: "button", class: "face", tabindex: -1 }, image);
      image.addEventListener("error", () => open.classList.add("missing"));
      const box = make("input", { type: "checkbox", tabindex: -1 });
      const chip = make("span", { class: "chip" });
      const flags = make("span", { class: "flags", hidden: true });
      const quick = (what, label) =>
        button(label, { icon: what, class: `quick ${what}`, tabindex: -1, "data-judge": what });
      const keep = quick("keep", "Keep");
      const drop = quick("drop", "Drop");
      const name = make("bdi", { class: "name", dir: "auto" });
      const framing = make("span", { class: "framing" });
      const caption = make("p", { class: "caption", dir: "auto" });
      const tile = make(
        "li",
        { class: "tile", "data-id": id },
        make(
          "div",
          { class: "picture" },
          open,
          make("label", { class: "choose" }, box),
          flags,
          make("div", { class: "quicks" }, drop, keep),
        ),
        make("div", { class: "about" }, make("p", { class: "head" }, name, framing), chip, caption),
      );
      const parts = { tile, open, image, box, chip, flags, name, framing, caption, keep, drop, source: "" };
      this._tiles.set(id, parts);
      this._fill(id, parts, backend);
      if (id === this.focused) open.tabIndex = 0;
      return tile;
    }

    /** Bring a tile up to date. */
    update(id) {
      const parts = this._tiles.get(id);
      if (parts) this._fill(id, parts, this._app.backend);
    }

    updateAll() {
      for (const id of this._tiles.keys()) this.update(id);
    }

    _fill(id, parts, backend) {
      const look = this._app.state.look(id);
      const flags = this._app.state.flags(id);
      const source = backend.thumb(look.image.crop_id);
      if (source !== parts.source) {
        parts.open.classList.remove("missing");
        parts.image.src = parts.source = source;
      }
      const [symbol, word] = STATES[look.state];
      const who = look.by ? (look.by.who === this._app.desk.me ? "you" : look.by.who) : "";
      const stateWords = look.isOutOfCast ? "Out of the cast" : word;
      parts.tile.dataset.state = look.state;
      parts.chip.className = `chip ${look.state}`;
      fill(parts.chip, icon(symbol), stateWords);
      if (who && !look.isOutOfCast) {
        parts.chip.append(look.isCarried ? " earlier, " : " · ", said(who));
      }
      parts.name.textContent = look.name;
      parts.framing.textContent = ` ${look.framing} · ${look.number}`;
      parts.caption.textContent = look.caption;
      parts.flags.hidden = !flags.length;
      fill(parts.flags, icon("flag"), String(flags.length));
      parts.flags.title = flags.map((one) => one.text).join("\n");
      const told = [
        `Picture ${look.number}: ${look.name}, ${look.framing}`,
        who && !look.isOutOfCast ? `${stateWords} by ${who}` : stateWords,
        flags.length ? count(flags.length, "flag") : "",
      ];
      parts.open.setAttribute("aria-label", told.filter(Boolean).join(". "));
      parts.box.setAttribute("aria-label", `Choose picture ${look.number}`);
      parts.keep.setAttribute("aria-label", `Keep picture ${look.number}`);
      parts.drop.setAttribute("aria-label", `Drop picture ${look.number}`);
      const isOpen = this._app.desk.isOpen;
      parts.keep.disabled = !isOpen || look.state === "kept";
      parts.drop.disabled = !isOpen || look.state === "dropped";
    }

    _clicked(event) {
      const tile = event.target.closest("li.tile");
      if (!tile) return;
      const { id } = tile.dataset;
      const judge = event.target.closest("[data-judge]");
      if (judge) {
        this._app.deciding.judge(judge.dataset.judge, id);
      } else if (event.target.matches("input")) {
        if (event.shiftKey) this.chooseTo(id);
        else this.choose(id, event.target.checked);
        this._anchor = id;
      } else if (event.target.closest(".face")) {
        if (event.shiftKey) this.chooseTo(id);
        else if (event.ctrlKey || event.metaKey) this.toggle(id);
        else this._app.open(id);
      }
    }

    choose(id, isChosen) {
      if (isChosen) this.chosen.add(id);
      else this.chosen.delete(id);
      const parts = this._tiles.get(id);
      if (parts) {
        parts.box.checked = isChosen;
        parts.tile.classList.toggle("chosen", isChosen);
      }
      this._app.bulk.refreshSoon();
    }

    toggle(id) {
      this._anchor = id;
      this.choose(id, !this.chosen.has(id));
    }

    /** Choose all from where one began to this one. */
    chooseTo(id) {
      const from = Math.max(this.shown.indexOf(this._anchor), 0);
      const to = this.shown.indexOf(id);
      const [first, last] = from < to ? [from, to] : [to, from];
      for (const each of this.shown.slice(first, last + 1)) this.choose(each, true);
    }

    chooseAll() {
      for (const id of this.shown) this.choose(id, true);
    }

    chooseNone() {
      for (const id of [...this.chosen]) this.choose(id, false);
    }

    /** The tiles are one stop of the Tab key; arrows move within. */
    _mark(id) {
      const before = this._tiles.get(this.focused);
      if (before) before.open.tabIndex = -1;
      this.focused = id;
      const now = this._tiles.get(id);
      if (now) now.open.tabIndex = 0;
      if (this._isReady) this._app.addressSoon();
    }

    focus(id, { isGentle = false } = {}) {
      if (!id) return;
      if (!this._tiles.has(id)) this._makeSome(Infinity);
      this._mark(id);
      const { open, tile } = this._tiles.get(id);
      open.focus({ preventScroll: true });
      tile.scrollIntoView({ block: isGentle ? "nearest" : "center", behavior: "instant" });
    }

    get hasFocus() {
      return this._list.contains(document.activeElement);
    }

    get _columns() {
      if (this._waiting.length) this._makeSome(Infinity);
      const top = (id) => this._tiles.get(id).tile.offsetTop;
      const first = this.shown.length ? top(this.shown[0]) : 0;
      const next = this.shown.findIndex((id) => top(id) !== first);
      return next < 0 ? this.shown.length : next;
    }

    /** Move the focus by tiles and rows; with `isChoosing` choose what is passed. */
    move(tiles, rows, isChoosing = false) {
      if (!this.shown.length) return;
      const at = this.shown.indexOf(this.focused);
      if (at < 0 || !this.hasFocus) {
        this.focus(this.shown[Math.max(at, 0)], { isGentle: true });
        return;
      }
      const to = at + tiles + (rows ? rows * this._columns : 0);
      const id = this.shown[Math.min(Math.max(to, 0), this.shown.length - 1)];
      if (rows && (to < 0 || to >= this.shown.length)) return;
      if (isChoosing) {
        if (!this.chosen.has(this.focused)) this._anchor = this.focused;
        this.chooseTo(id);
      }
      this.focus(id, { isGentle: true });
    }
  }

  storycast.Grid = Grid;
})((window.Storycast = window.Storycast || {}));
