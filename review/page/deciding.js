// What a key or a button decides, what is told of it, and where one goes next.
"use strict";

(function (storycast) {
  const { button, count, fill, make, said, sentence } = storycast.dom;
  const { isDialogOpen } = storycast.dialogs;
  const { notices, OPEN } = storycast;
  const DONE = { keep: "Kept", drop: "Dropped", reopen: "Reopened" };

  /** The next picture of a sequence that is open, after one and then from the beginning; null where none is. */
  function nextOpen(state, sequence, id) {
    const at = sequence.indexOf(id);
    for (let step = 1; step <= sequence.length; step += 1) {
      const each = sequence[(at + step) % sequence.length];
      if (each !== id && state.look(each).state === OPEN) return each;
    }
    return null;
  }

  class Deciding {
    constructor(app) {
      this._app = app;
    }

    /** Whether anything can be decided; says so where not. */
    get _isOpen() {
      if (!this._app.desk.isOpen) this._app.telling.isClosed();
      return this._app.desk.isOpen;
    }

    /** Keep, drop or reopen the picture that keys are about, and go on to the next open one. */
    judgeCurrent(what) {
      if (this._app.currentId) this.judge(what, this._app.currentId, { goesOn: true });
    }

    judge(what, id, { goesOn = false } = {}) {
      const { state, sequence } = this._app;
      if (!this._isOpen || this._isRefused(what, [id])) return;
      const next = goesOn && what !== "reopen" ? nextOpen(state, sequence, id) : null;
      this._app.actions.judge(what, [id]);
      if (next) {
        this._app.go(next, `${DONE[what]}.`);
        return;
      }
      notices.announce(`${DONE[what]}.`);
      if (!this._app.isGrid) this._app.single.refresh();
      if (goesOn && what !== "reopen") this._tellNothingLeft();
    }

    /** Keep, drop or reopen all that are chosen in the grid. */
    judgeChosen(what) {
      const { grid, state } = this._app;
      const ids = this.chosenIds;
      if (!this._isOpen) return;
      if (!this._app.isGrid || !ids.length) {
        notices.toast("Nothing is chosen: X chooses a picture of the grid, Ctrl+A all of them.");
        return;
      }
      if (this._isRefused(what, ids)) return;
      const at = grid.shown.indexOf(grid.focused);
      const made = this._app.actions.judge(
        what,
        what === "keep" ? ids.filter((id) => !state.look(id).isOutOfCast) : ids,
      );
      grid.chooseNone();
      this._app.catchUp({ isOwn: true });
      grid.focus(grid.shown[Math.min(at, grid.shown.length - 1)], { isGentle: true });
      const changed = made.reduce((sum, one) => sum + one.changes.length, 0);
      if (made.length) this.told(`${DONE[what]} ${count(changed, "picture")}.`);
      else notices.toast("They were so already.");
    }

    get chosenIds() {
      return this._app.grid.shown.filter((id) => this._app.grid.chosen.has(id));
    }

    /** Pictures of a character that is out of the cast are out whatever is said of them. */
    _isRefused(what, ids) {
      const out = ids.filter((id) => this._app.state.look(id).isOutOfCast);
      if (what !== "keep" || !out.length) return false;
      const { name } = this._app.state.look(out[0]);
      const action = { label: "Character …", run: () => storycast.editCharacter(this._app, name) };
      notices.toast(sentence`${said(name)} is out of the cast: take it back to keep its pictures.`, { action });
      return out.length === ids.length;
    }

    _tellNothingLeft() {
      const { open } = this._app.state.totals;
      const label = this._app.backend.isBundle ? "Done" : "Finish";
      if (open) {
        const words = `Nothing is open here any more; ${count(open, "picture")} ${open === 1 ? "is" : "are"} elsewhere.`;
        notices.toast(words, { action: { label: "Show them", run: () => this._app.showOpen() } });
      } else {
        notices.toast("Everything is decided.", { action: { label, run: () => this._app.openFinish() } });
      }
    }

    /** Let a duplicate stand in the picture's place; its number again takes it back. */
    use(number) {
      const { single, state } = this._app;
      let cropId = single.twin(number);
      if (!cropId || !this._isOpen) return;
      if (number && cropId === state.look(single.id).image.crop_id) cropId = single.id;
      const isOwn = cropId === single.id;
      if (!this._app.actions.use(single.id, cropId).length) return;
      this.told(isOwn ? "The run's choice is in use again." : `Duplicate ${number} is used instead.`);
      single.refresh();
    }

    editCaption() {
      if (this._app.isGrid) this._app.open(this._app.grid.focused);
      if (!this._app.isGrid) this._app.single.editor.open();
    }

    /** Ask whom the pictures that keys are about are of. */
    move() {
      const chosen = this._app.isGrid ? this.chosenIds : [];
      const ids = chosen.length ? chosen : [this._app.currentId].filter(Boolean);
      if (ids.length && this._isOpen) storycast.chooseMove(this._app, ids);
    }

    moved() {
      this._app.grid.chooseNone();
      if (!this._app.isGrid) this._app.single.refresh();
    }

    editCharacter(name) {
      if (this._isOpen) storycast.editCharacter(this._app, name);
    }

    editCurrentCharacter() {
      const id = this._app.currentId;
      if (id) this.editCharacter(this._app.state.look(id).name);
    }

    // ---- taking back --------------------------------------------------------------------------

    undo() {
      if (this._isOpen) this._undone(this._app.desk.undoLast(), "There is nothing of yours to undo.");
    }

    redo() {
      if (this._isOpen) this._undone(this._app.desk.redoLast(), "There is nothing to do again.");
    }

    undoDecision(decision) {
      if (this._isOpen) this._undone(this._app.desk.undo(decision), "");
    }

    _undone(result, nothing) {
      if (!result) {
        notices.toast(nothing);
        return;
      }
      const { decision, made, conflicts } = result;
      if (made.length) {
        notices.toast(["You ", ...this._app.words.done(made[0], made), "."]);
        this._show(made);
      } else if (!conflicts.length) {
        notices.toast("Nothing of it is left to take back.");
      }
      if (conflicts.length)
        this._app.telling.conflicts({ what: "undo", changes: conflicts, id: decision.id }, conflicts);
    }

    /** Show what was taken back, where it is one picture. */
    _show(made) {
      const subjects = new Set(made.flatMap((one) => one.changes.map((change) => change.subject)));
      const [first] = subjects;
      if (subjects.size !== 1 || !first.startsWith("picture:") || isDialogOpen()) return;
      const id = first.slice("picture:".length);
      const { grid, isGrid } = this._app;
      if (isGrid) {
        this._app.catchUp({ isOwn: true });
        if (grid.shown.includes(id)) grid.focus(id, { isGentle: true });
      } else {
        this._app.open(id);
      }
    }

    /** Tell of one's own decision, with undo. */
    told(words) {
      notices.toast(words, { action: { label: "Undo", key: "U", run: () => this.undo() } });
    }
  }

  /** What can be done with the pictures that are chosen. */
  class BulkBar {
    constructor(app, bar) {
      this._app = app;
      this._bar = bar;
      const { deciding, grid } = app;
      const act = (what, label, key, kind) =>
        button(label, { icon: what, key, class: `${kind} decides`, onclick: () => deciding.judgeChosen(what) });
      this._count = make("p", {});
      fill(
        bar,
        this._count,
        act("drop", "Drop", "⇧D", "bad"),
        act("reopen", "Reopen", "⇧O", "quiet"),
        button("Move to …", { icon: "move", key: "M", class: "quiet decides", onclick: () => deciding.move() }),
        act("keep", "Keep", "⇧K", "good"),
        button("All", {
          key: "Ctrl A",
          class: "quiet",
          title: "Choose all that are shown",
          onclick: () => grid.chooseAll(),
        }),
        button("None", { key: "Esc", class: "quiet", onclick: () => grid.chooseNone() }),
      );
    }

    /** Soon, once for however many were chosen. */
    refreshSoon() {
      if (this._isPlanned) return;
      this._isPlanned = true;
      requestAnimationFrame(() => {
        this._isPlanned = false;
        this.refresh();
      });
    }

    refresh() {
      const chosen = this._app.grid.chosen.size;
      const isShown = this._app.isGrid && chosen > 0;
      const wasShown = !this._bar.hidden;
      this._bar.hidden = !isShown;
      document.body.classList.toggle("choosing", isShown);
      if (!isShown) return;
      for (const each of this._bar.querySelectorAll(".decides")) each.disabled = !this._app.desk.isOpen;
      const words = `${chosen.toLocaleString("en-US")} chosen`;
      if (wasShown && this._count.textContent === words) return;
      this._count.textContent = words;
      notices.announce(`${words}.`);
    }
  }

  Object.assign(storycast, { BulkBar, Deciding, nextOpen });
})((window.Storycast = window.Storycast || {}));
