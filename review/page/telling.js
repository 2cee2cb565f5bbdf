// Tells of what came from elsewhere: others' decisions, conflicts, a lost connection, the review's end.
"use strict";

(function (storycast) {
  const { byId, count, fill, make, moment, said, sentence } = storycast.dom;
  const { notices } = storycast;
  const PRESENT_MS = 60_000;
  const MOST_TOLD = 5;
  const ENDS = { finished: "Finished. ", timed_out: "Time is over. " };

  class Telling {
    constructor(app) {
      this._app = app;
      this._others = new Map();
    }

    // ---- what the desk hears ------------------------------------------------------------------

    connected() {
      notices.banner("connection", null);
    }

    disconnected() {
      const { desk } = this._app;
      const waiting = desk.unsavedCount;
      const words = waiting
        ? make("strong", {}, `${count(waiting, "decision")} ${waiting === 1 ? "is" : "are"} not saved yet. `)
        : make("strong", {}, "No connection. ");
      const then = waiting
        ? " Leave this page open: it goes on trying."
        : " You can go on; what others decide is not shown just now.";
      const again = { label: "Try now", run: () => desk.wake() };
      notices.banner("connection", make("p", {}, words, desk.problem, then), { kind: "warn", actions: [again] });
    }

    /** Something was saved, or will not be any more. */
    saved() {
      this._app.refreshSaved();
      if (this._app.desk.problem) this.disconnected();
    }

    refused(draft, message) {
      const id = `refused-${draft.id}`;
      this._keepWords(draft, draft.changes);
      const words = sentence`Your ${this._app.words.noun(draft.what)} was not made: ${said(message)}`;
      notices.banner(id, make("p", {}, ...words), { kind: "bad", isUrgent: true, actions: [dismiss(id)] });
    }

    /** Somebody decided something else before: say who, and let one insist. */
    conflicts(draft, conflicts) {
      const { words, single } = this._app;
      const id = `conflict-${draft.id}`;
      this._keepWords(draft, conflicts);
      const noun = words.noun(draft.what);
      const isOne = conflicts.length === 1 && draft.changes.length === 1;
      const lines = conflicts.slice(0, MOST_TOLD).map((one) => make("li", {}, ...words.conflict(one), "."));
      if (conflicts.length > MOST_TOLD) lines.push(make("li", {}, `and ${conflicts.length - MOST_TOLD} more.`));
      const told = isOne
        ? make("p", {}, ...sentence`${words.conflict(conflicts[0])}; your ${noun} was not made.`)
        : [
            make(
              "p",
              {},
              `${conflicts.length} of your ${count(draft.changes.length, "change")} (${noun}) ${conflicts.length === 1 ? "was" : "were"} not made:`,
            ),
            make("ul", {}, ...lines),
          ];
      const pictures = new Set(conflicts.map((one) => one.subject).filter((one) => one.startsWith("picture:")));
      const actions = [dismiss(id)];
      if (draft.what !== "caption")
        actions.unshift({ label: "Do it all the same", run: () => this._insist(id, draft, conflicts) });
      if (pictures.size === 1)
        actions.unshift({
          label: "Show it",
          run: () => this._show(id, [...pictures][0].slice("picture:".length), draft),
        });
      notices.banner(id, told, { kind: "warn", isUrgent: true, actions });
      if (!this._app.isGrid) single.refresh();
    }

    /** What somebody wrote and could not save stays at hand. */
    _keepWords(draft, changes) {
      if (draft.what !== "caption") return;
      for (const one of changes)
        this._app.single.editor.keep(one.subject.slice("picture:".length), one.after, one.before);
    }

    _show(banner, id, draft) {
      notices.banner(banner, null);
      this._app.open(id);
      if (draft.what === "caption") this._app.single.editor.open();
    }

    /** Make changes over what somebody else has said since. */
    _insist(banner, draft, conflicts) {
      notices.banner(banner, null);
      const { state, desk } = this._app;
      const changes = conflicts.map(({ subject, field, after }) => ({
        subject,
        field,
        before: state.text(subject, field),
        after,
      }));
      desk.decide(draft.what, changes, draft.undoes || (draft.what === "undo" ? draft.id : null));
    }

    /** Others decided something. */
    decided(decisions) {
      for (const one of decisions) this._others.set(one.who, { decision: one, at: Date.now() });
      this.refreshOthers();
    }

    refreshOthers() {
      const now = Date.now();
      const present = [...this._others.values()].filter(({ at }) => now - at < PRESENT_MS).slice(-2);
      const others = byId("others");
      others.hidden = !present.length;
      const { words, desk } = this._app;
      const told = ({ decision }) =>
        make(
          "span",
          {},
          decision.who === desk.me ? "You, elsewhere," : said(decision.who),
          " ",
          ...words.done(decision),
          `, ${moment(decision.when)}`,
        );
      fill(others, ...present.map(told));
      // Where there is no room for what they do, who they are.
      const names = [...new Set(present.map(({ decision }) => decision.who))].filter((who) => who !== desk.me);
      fill(byId("with"), ...names.flatMap((who, index) => [index ? ", " : "· with ", said(who)]));
    }

    status() {
      this._app.refreshStatus();
    }

    closed(lost) {
      if (lost.length) this._lost(lost);
      this.showClosed();
    }

    // ---- the rest -----------------------------------------------------------------------------

    /** Decisions that an earlier load of the page had not saved: they are sent now, or came too late. */
    resumed({ resumed, lost }) {
      const { length } = resumed;
      if (length)
        notices.toast(
          `${count(length, "decision")} from before this page was loaded ${length === 1 ? "is" : "are"} being saved.`,
        );
      if (lost.length) this._lost(lost);
    }

    _lost(lost) {
      const lines = lost
        .slice(0, MOST_TOLD)
        .map((draft) => make("li", {}, "You ", ...this._app.words.done(draft)));
      if (lost.length > MOST_TOLD) lines.push(make("li", {}, `and ${lost.length - MOST_TOLD} more.`));
      const words = `${count(lost.length, "decision")} of yours came too late and ${lost.length === 1 ? "was" : "were"} not made:`;
      notices.banner("lost", [make("p", {}, words), make("ul", {}, ...lines)], {
        kind: "bad",
        isUrgent: true,
        actions: [dismiss("lost")],
      });
    }

    /** Say, on an attempt to change something, that the review is closed. */
    isClosed() {
      notices.toast(this._app.desk.status.message || "This review takes no more decisions.");
    }

    /** From here on the page is for reading. */
    showClosed() {
      const { isOpen, status } = this._app.desk;
      document.body.classList.toggle("closed", !isOpen);
      if (isOpen) return;
      const words = make(
        "p",
        {},
        make("strong", {}, ENDS[status.state] || "Closed. "),
        said(status.message),
        " You can look at everything; nothing can be changed any more.",
      );
      notices.banner("closed", words, { kind: status.state === "finished" ? "good" : "warn", isUrgent: true });
      notices.banner("connection", null);
      for (const tool of byId("tools").querySelectorAll(".decides")) tool.disabled = true;
      this._app.refreshAll();
      this._app.bulk.refresh();
    }
  }

  const dismiss = (id) => ({ label: "Dismiss", run: () => notices.banner(id, null) });

  storycast.Telling = Telling;
})((window.Storycast = window.Storycast || {}));
