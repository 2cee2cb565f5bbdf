// The caption: shown with the names in it, and edited. What somebody types is never lost: neither by leaving, nor
// by a reload, nor by what somebody else writes meanwhile.
"use strict";

(function (storycast) {
  const { button, count, fill, make, moment, said, sentence } = storycast.dom;
  const { captionProblem, captionFlags, length, namesIn, oneLine, placesOf, wordCount, MAX_CAPTION } =
    storycast.text;
  const { pictureSubject } = storycast;

  class Editor {
    /** `app`: state, desk, words, actions, notices, telling; editorChanged() when it was opened or closed. */
    constructor(app, place) {
      this._app = app;
      this._place = place;
      this._id = null;
      this._drafts = new Map();
      this.isOpen = false;
    }

    start() {
      this._slot = `storycast-review:${this._app.state.review.run_id}:words`;
      const kept = storycast.storage.read("session", this._slot);
      for (const [id, draft] of Array.isArray(kept) ? kept : []) {
        if (this._app.state.has(id)) this._drafts.set(id, draft);
      }
    }

    /** Whether there are words that nobody has saved. */
    get hasDrafts() {
      return this._drafts.size > 0;
    }

    /** Show the caption of a picture. */
    show(id) {
      if (id !== this._id) {
        this._id = id;
        this.isOpen = false;
      }
      if (this.isOpen) this._refresh();
      else this._showText();
    }

    get _look() {
      return this._app.state.look(this._id);
    }

    _showText() {
      const look = this._look;
      const { words } = this._app.state.review;
      const by = look.captionBy ? this._app.words.byWhom(look.captionBy) : said(look.record.caption_model);
      const draft = this._drafts.get(this._id);
      const there = namesIn(look.caption, look.inPicture);
      const named = look.inPicture.map((name) => namedMark(name, there.has(name)));
      fill(
        this._place,
        make("p", { class: "caption", dir: "auto" }, ...marked(look.caption, look.inPicture)),
        make(
          "p",
          { class: "soft small" },
          ...sentence`Words by ${by} · ${count(wordCount(look.caption), "word")}, ${words.join(" to ")} asked for`,
        ),
        make("ul", { class: "named", "aria-label": "Who is in the picture" }, ...named),
        draft
          ? make(
              "p",
              { class: "draft small" },
              "Your words for this picture are not saved yet. ",
              button("Throw them away", { class: "link", onclick: () => this._forget() }),
            )
          : null,
        this._app.desk.isOpen
          ? button(draft ? "Go on writing" : "Edit the caption", {
              icon: "edit",
              key: "E",
              class: "quiet edit",
              onclick: () => this.open(),
            })
          : null,
      );
    }

    /** Begin to write. */
    open() {
      if (!this._app.desk.isOpen) {
        this._app.telling.isClosed();
        return;
      }
      const draft = this._drafts.get(this._id) || { text: this._look.caption, base: this._value.text };
      this._base = draft.base;
      this._begin = draft.text;
      this.isOpen = true;
      this._build();
      this._refresh();
      this._area.focus();
      this._area.setSelectionRange(this._area.value.length, this._area.value.length);
      this._app.editorChanged();
    }

    /** The caption as it is stored: names in it are those of the run, where the words are a model's. */
    get _value() {
      return this._app.state.value(pictureSubject(this._id), "caption");
    }

    _build() {
      this._area = make("textarea", {
        rows: 5,
        dir: "auto",
        spellcheck: "true",
        "aria-label": "Caption",
        "aria-describedby": "caption-count caption-problem",
      });
      this._area.value = this._begin;
      this._count = make("p", { class: "soft small", id: "caption-count" });
      this._problem = make("p", { class: "problem small", id: "caption-problem", role: "alert" });
      this._named = make("ul", { class: "named", "aria-label": "Who is in the picture" });
      this._clash = make("div", { class: "clash", role: "alert", hidden: true });
      this._buttons = make("div", { class: "row" });
      this._save = button("Save", {
        key: "Ctrl ⏎",
        shortcut: "Control+Enter",
        class: "main",
        onclick: () => this.save(),
      });
      this._leave = button("Leave", {
        key: "Esc",
        shortcut: "Escape",
        class: "quiet",
        onclick: () => this.leave(),
      });
      this._buttons.append(this._save, this._leave);
      this._area.addEventListener("input", () => {
        this._keep();
        this._refresh();
      });
      this._area.addEventListener("keydown", (event) => {
        if (event.isComposing) return;
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          this.save();
        } else if (event.key === "Escape") {
          event.preventDefault();
          event.stopPropagation();
          this.leave();
        }
      });
      fill(this._place, this._area, this._count, this._named, this._problem, this._clash, this._buttons);
    }

    _refresh() {
      const text = oneLine(this._area.value);
      const { words } = this._app.state.review;
      const flags = captionFlags(text, [], words);
      this._count.textContent = `${count(wordCount(text), "word")}, ${words.join(" to ")} asked for · ${count(length(text), "character")} of ${MAX_CAPTION.toLocaleString("en-US")}`;
      this._count.classList.toggle("off", flags.length > 0);
      const named = namesIn(text, this._look.inPicture);
      fill(this._named, ...this._look.inPicture.map((name) => namedMark(name, named.has(name))));
      const problem = captionProblem(text);
      this._problem.textContent = text === oneLine(this._begin) ? "" : problem;
      this._save.disabled = Boolean(problem);
      this._refreshClash();
    }

    /** Somebody else wrote another caption while one was writing: both are shown, and one chooses. */
    _refreshClash() {
      const now = this._value;
      const isClash = now.text !== this._base;
      if (isClash === !this._clash.hidden && this._clash.dataset.now === now.text) return;
      this._clash.hidden = !isClash;
      this._save.hidden = isClash;
      this._clash.dataset.now = now.text;
      if (!isClash) return;
      const who = now.by ? this._app.words.who(now.by.who) : "Somebody";
      const at = now.by ? ` at ${moment(now.by.when)}` : "";
      fill(
        this._clash,
        make("p", {}, ...sentence`${who} gave this picture another caption${at}, while you were writing:`),
        make("blockquote", { dir: "auto" }, this._look.caption),
        make(
          "div",
          { class: "row" },
          button("Keep mine", { class: "main", onclick: () => this._chooseMine() }),
          button("Take theirs", { class: "quiet", onclick: () => this._forget() }),
        ),
      );
    }

    _chooseMine() {
      this._base = this._value.text;
      this.save();
    }

    /** Save what was written; the picture's caption from then on. */
    save() {
      const text = oneLine(this._area.value);
      if (captionProblem(text) || !this._app.desk.isOpen) return;
      if (!this._clash.hidden && this._value.text !== this._base) {
        this._clash.querySelector("button").focus();
        this._app.notices.announce("Choose first: keep yours, or take theirs.");
        return;
      }
      const id = this._id;
      this._close();
      // The model's words with new names in them are not somebody's own words.
      if (text !== this._look.caption) this._app.actions.write(id, text, this._base);
      this._app.notices.announce("The caption is saved.");
      this._app.editorChanged();
    }

    /** Stop writing. What was written stays at hand. */
    leave() {
      this._keep();
      this.isOpen = false;
      this._showText();
      this._app.editorChanged();
    }

    /** Keep words that could not be saved, since somebody else was faster. */
    keep(id, text, base) {
      this._drafts.set(id, { text, base });
      this._write();
    }

    _keep() {
      const text = this._area.value;
      if (oneLine(text) === oneLine(this._look.caption) && this._base === this._value.text)
        this._drafts.delete(this._id);
      else this._drafts.set(this._id, { text, base: this._base });
      this._write();
    }

    _forget() {
      this._close();
      this._app.editorChanged();
    }

    _close() {
      this._drafts.delete(this._id);
      this._write();
      this.isOpen = false;
      this._showText();
    }

    _write() {
      const drafts = [...this._drafts];
      if (drafts.length) storycast.storage.write("session", this._slot, drafts);
      else storycast.storage.remove("session", this._slot);
    }
  }

  function namedMark(name, isThere) {
    const label = isThere ? "named" : "not named";
    return make(
      "li",
      { class: isThere ? "is-named" : "not-named" },
      storycast.dom.icon(isThere ? "keep" : "flag"),
      said(name),
      ` ${label}`,
    );
  }

  /** A caption as text and marks. */
  function marked(caption, names) {
    const parts = [];
    let at = 0;
    for (const [from, to] of placesOf(caption, names)) {
      parts.push(caption.slice(at, from), make("mark", {}, caption.slice(from, to)));
      at = to;
    }
    return [...parts, caption.slice(at)];
  }

  storycast.Editor = Editor;
})((window.Storycast = window.Storycast || {}));
