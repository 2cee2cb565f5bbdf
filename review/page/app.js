// Puts the page together: what is shown, and how one moves about in it.
"use strict";

(function (storycast) {
  const { button, byId, count, fill, make, moment, said, sentence } = storycast.dom;
  const { isDialogOpen } = storycast.dialogs;
  const { notices } = storycast;
  const ADDRESS_MS = 100;

  class App {
    constructor() {
      this.backend = storycast.backend;
      this.notices = notices;
      this.telling = new storycast.Telling(this);
      this.desk = new storycast.Desk(this.backend, this.telling);
      this.isGrid = true;
      this._wanted = new Set();
      this._isOwnChange = false;
    }

    async start() {
      if (this.backend.isBundle && !this.backend.who) await storycast.askName(this.backend);
      try {
        this.state = await this.desk.open();
      } catch (error) {
        if (!(error instanceof storycast.RequestError)) throw error;
        byId("remaining").textContent = "The review could not be loaded.";
        const again = { label: "Try again", run: () => location.reload() };
        notices.banner("load", make("p", {}, error.message), { kind: "bad", isUrgent: true, actions: [again] });
        return;
      }
      this.words = new storycast.Words(this.state, this.desk.me);
      this.actions = new storycast.Actions(this.desk);
      this.filters = new storycast.Filters(this.state, this.desk.me);
      this.cache = new storycast.PictureCache(this.backend);
      this.deciding = new storycast.Deciding(this);
      this.grid = new storycast.Grid(this, byId("tiles"));
      this.bulk = new storycast.BulkBar(this, byId("bulk"));
      this.single = new storycast.Single(this, byId("single-view"));
      this.lint = new storycast.CaptionLint(this, byId("lint"));
      this.castList = new storycast.CastList(this, byId("cast-list"));
      this.filterBar = new storycast.FilterBar(this, byId("filters"));
      this.single.editor.start();
      this._head();
      const address = new URLSearchParams(location.hash.slice(1));
      this.filters.read(address);
      this.grid.build();
      this._readAddress(address);
      this.state.onChange((change) => this._changed(change));
      this.catchUp({ isOwn: true });
      this.refreshStatus();
      storycast.listen(this);
      window.addEventListener("popstate", () => this._wentBack());
      window.addEventListener("hashchange", () => this._wentBack());
      window.addEventListener("beforeunload", (event) => {
        if (this.desk.unsavedCount || this.single.editor.hasDrafts || this.backend.isAtRisk)
          event.preventDefault();
      });
      this.telling.resumed(this.desk.start());
      this.telling.showClosed();
    }

    // ---- what is shown ------------------------------------------------------------------------

    _head() {
      const { review } = this.state;
      const { me } = this.desk;
      const { isBundle } = this.backend;
      fill(
        byId("run"),
        ...sentence`${said(review.project, { class: "project" })} · run ${said(review.run_id)}`,
        make("span", { class: "me" }, ...sentence` · you are ${said(me)}`),
        make("span", { class: "until", id: "until" }),
      );
      const tool = (label, options) => button(label, { class: "quiet tool", title: label, ...options });
      this._toggle = tool("Characters", {
        icon: "cast",
        class: "quiet tool for-cast",
        "aria-expanded": "false",
        "aria-controls": "cast",
        onclick: () => this._toggleCast(),
      });
      fill(
        byId("tools"),
        this._toggle,
        tool("Undo", { icon: "undo", key: "U", class: "quiet tool decides", onclick: () => this.deciding.undo() }),
        tool("History", { icon: "history", key: "H", onclick: () => this.openHistory() }),
        tool("Keys", {
          icon: "keys",
          key: "?",
          class: "quiet tool for-keys",
          onclick: () => storycast.openHelp(this),
        }),
        tool(isBundle ? "Done" : "Finish", {
          icon: "keep",
          key: "⇧F",
          class: `${isBundle ? "quiet" : "main"} tool finish decides`,
          onclick: () => this.openFinish(),
        }),
        isBundle
          ? tool("Save decisions", {
              icon: "save",
              key: "S",
              class: "main tool save",
              onclick: () => this.saveFile(),
            })
          : null,
      );
      fill(byId("made-by"), ...review.made_by.map((line) => make("li", { dir: "auto" }, line)));
    }

    _toggleCast() {
      const isOpen = byId("frame").classList.toggle("with-cast");
      this._toggle.setAttribute("aria-expanded", String(isOpen));
      if (!isOpen) return;
      this.toGrid();
      scrollTo({ top: 0, behavior: "instant" });
      byId("cast").querySelector("button")?.focus();
    }

    _changed({ subjects, isWide, isOwn }) {
      const pictures = isWide
        ? this.state.pictures.map(({ id }) => id)
        : [...subjects].map((one) => one.replace(/^picture:/, ""));
      for (const id of pictures) this._wanted.add(id);
      this._isOwnChange ||= isOwn;
      if (this._isPlanned) return;
      this._isPlanned = true;
      // The next picture comes first; the rest of the page follows after it was painted.
      requestAnimationFrame(() => setTimeout(() => this.catchUp(), 0));
    }

    /** Bring everything up to date that has changed since. */
    catchUp({ isOwn = false } = {}) {
      this._isPlanned = false;
      const wanted = [...this._wanted];
      this._wanted.clear();
      for (const id of wanted) this.grid.update(id);
      // What others decide does not pull tiles away from under one's hand.
      if (isOwn || this._isOwnChange || !this.isGrid) this._filterGrid();
      this._isOwnChange = false;
      if (!this.isGrid && wanted.includes(this.single.id)) this.single.refresh();
      this._refreshCounts();
      if (this._history) this._history.refresh();
    }

    _filterGrid() {
      this.grid.filter();
      const { shown } = this.grid;
      byId("shown").textContent = storycast.shownWords(shown.length, this.state.pictures.length);
      const nothing = byId("nothing");
      nothing.hidden = shown.length > 0;
      if (nothing.hidden) return;
      const isDone = this.filters.chosen.state === "open" && !this.state.totals.open;
      fill(
        nothing,
        make("p", {}, isDone ? "Everything is decided." : "No picture is like this."),
        isDone && this.desk.isOpen
          ? button(this.backend.isBundle ? "Done" : "Finish", { class: "main", onclick: () => this.openFinish() })
          : null,
        button("Show all pictures", { class: "quiet", onclick: () => this.clearFilters() }),
      );
    }

    _refreshCounts() {
      const { open, all } = this.state.totals;
      const progress = byId("progress");
      progress.max = all || 1;
      progress.value = all - open;
      const left = `${open.toLocaleString("en-US")} of ${count(all, "picture")} ${open === 1 ? "is" : "are"} open`;
      byId("remaining").textContent = open ? left : `All ${count(all, "picture")} decided`;
      this.castList.refresh();
      this.lint.refresh();
      this.filterBar.refresh();
      this.refreshSaved();
    }

    /** Say what is saved by now. */
    refreshSaved() {
      if (this.backend.isBundle) {
        const left = this.backend.unsavedCount;
        byId("tools").querySelector(".save .label").textContent = left
          ? `Save decisions (${left} new)`
          : "Save decisions";
      }
      if (this._finish) this._finish.refresh();
    }

    refreshAll() {
      this.grid.updateAll();
      this._filterGrid();
      this._refreshCounts();
      if (!this.isGrid) this.single.refresh();
      this.refreshStatus();
    }

    /** The caption lint has looked anew. */
    lintChanged() {
      this.grid.updateAll();
      if (!this.isGrid) this.single.refresh();
      this._refreshCounts();
    }

    refreshStatus() {
      this.telling.refreshOthers();
      const { deadline } = this.desk.status;
      const until = byId("until");
      if (until) until.textContent = deadline && this.desk.isOpen ? ` · until ${moment(deadline)}` : "";
    }

    // ---- the address --------------------------------------------------------------------------

    _readAddress(address) {
      const id = address.get("picture");
      if (!id || !this.state.has(id)) return;
      if (address.get("view") === "single") this._showSingle(id);
      else setTimeout(() => this.grid.focus(id), 0);
    }

    _writeAddress({ isStep = false } = {}) {
      clearTimeout(this._addressTimer);
      const address = new URLSearchParams();
      this.filters.write(address);
      if (this.currentId) address.set("picture", this.currentId);
      if (!this.isGrid) address.set("view", "single");
      this._address = `#${address}`;
      if (this._address === location.hash) return;
      try {
        if (isStep) history.pushState(null, "", this._address);
        else history.replaceState(null, "", this._address);
      } catch {
        // Some browsers let no file change its address; the hash alone they do.
        location.hash = this._address;
      }
    }

    /** Write the address soon: browsers take their time for it, and refuse one that changes too often. */
    addressSoon() {
      clearTimeout(this._addressTimer);
      this._addressTimer = setTimeout(() => this._writeAddress(), ADDRESS_MS);
    }

    _wentBack() {
      if (location.hash === this._address || isDialogOpen()) return;
      const address = new URLSearchParams(location.hash.slice(1));
      this._address = location.hash;
      clearTimeout(this._addressTimer);
      this.filters.read(address);
      const id = address.get("picture");
      if (address.get("view") === "single" && this.state.has(id)) this._showSingle(id);
      else this._showGrid(id);
      this.refreshAll();
    }

    // ---- moving about -------------------------------------------------------------------------

    /** The picture that keys are about. */
    get currentId() {
      return this.isGrid ? this.grid.focused : this.single.id;
    }

    /** Ids of the pictures that one goes through. */
    get sequence() {
      return this.isGrid ? this.grid.shown : this.single.sequence;
    }

    open(id) {
      if (!id) return;
      const isStep = this.isGrid;
      // The way back leads to this picture of the grid.
      if (isStep) this._writeAddress();
      this._showSingle(id);
      this._writeAddress({ isStep });
      notices.announce(this.single.told);
    }

    _showSingle(id) {
      if (this.isGrid || !this.single.sequence.includes(id)) {
        // What one decides leaves the filter; the way back to it stays.
        const { shown } = this.filters;
        this.single.sequence = shown.includes(id) ? shown : this.state.pictures.map((one) => one.id);
      }
      this.isGrid = false;
      byId("grid-view").hidden = true;
      byId("single-view").hidden = false;
      document.body.classList.add("one");
      this.bulk.refresh();
      this.single.show(id);
      if (!isDialogOpen()) byId("main").focus({ preventScroll: true });
      scrollTo({ top: 0, behavior: "instant" });
    }

    toGrid() {
      if (this.isGrid) return;
      this._showGrid(this.single.id);
      this._writeAddress();
    }

    _showGrid(id) {
      this.isGrid = true;
      byId("single-view").hidden = true;
      byId("grid-view").hidden = false;
      document.body.classList.remove("one");
      document.title = "Storycast review";
      this.catchUp({ isOwn: true });
      this.bulk.refresh();
      const { shown } = this.grid;
      this.grid.focus(shown.includes(id) ? id : storycast.nextOpen(this.state, shown, id) || shown[0]);
    }

    focusGrid() {
      this.grid.focus(this.grid.focused, { isGentle: true });
    }

    /** Go to a picture of the sequence, in either view. */
    go(id, words = "") {
      if (!id) return;
      if (this.isGrid) {
        this.grid.focus(id, { isGentle: true });
        if (words) notices.announce(words);
        return;
      }
      // On a phone one may be down at the buttons; the next picture is up.
      if (scrollY) scrollTo({ top: 0, behavior: "instant" });
      this.single.show(id);
      this.addressSoon();
      notices.announce(`${words} ${this.single.told}`.trim());
    }

    step(by) {
      if (this.isGrid) {
        this.grid.move(by, 0);
        return;
      }
      const { sequence, id } = this.single;
      const to = sequence[sequence.indexOf(id) + by];
      if (to) this.go(to);
      else notices.announce(by > 0 ? "This is the last picture." : "This is the first picture.");
    }

    nextOpen() {
      const id = storycast.nextOpen(this.state, this.sequence, this.currentId);
      if (id) this.go(id);
      else notices.toast("No other picture is open here.");
    }

    escape() {
      if (this.isGrid) this.grid.chooseNone();
      else this.toGrid();
    }

    setFilter(name, value) {
      this.filters.chosen[name] = value;
      this._filtered();
    }

    clearFilters() {
      this.filters.clear();
      this._filtered();
    }

    showOpen() {
      this.filters.clear();
      this.setFilter("state", "open");
    }

    _filtered() {
      this._filterGrid();
      const { shown } = this.grid;
      if (!this.isGrid && shown.length) {
        this.single.sequence = shown;
        this.single.show(shown.includes(this.single.id) ? this.single.id : shown[0]);
      } else if (!this.isGrid) {
        this._showGrid(null);
      }
      this._refreshCounts();
      this._writeAddress();
      notices.announce(`${storycast.shownWords(shown.length, this.state.pictures.length)} shown.`);
    }

    focusFilters() {
      this.toGrid();
      this.filterBar.focus();
    }

    focusSearch() {
      this.toGrid();
      this.filterBar.focusText();
    }

    /** The editor was opened or closed. */
    editorChanged() {
      this.single.refresh();
      if (!this.single.editor.isOpen) byId("main").focus({ preventScroll: true });
    }

    showFromDialog(id) {
      for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
      this.open(id);
    }

    // ---- dialogs ------------------------------------------------------------------------------

    openHistory() {
      this._history = storycast.openHistory(this, () => {
        this._history = null;
      });
    }

    openFinish() {
      if (!this.desk.isOpen) {
        this.telling.isClosed();
        return;
      }
      this._finish = storycast.openFinish(this, () => {
        this._finish = null;
      });
    }

    saveFile() {
      storycast.saveFile(this.backend);
      this.refreshSaved();
    }
  }

  storycast.app = new App();
  storycast.app.start();
})((window.Storycast = window.Storycast || {}));
