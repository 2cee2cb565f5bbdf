// Sends decisions in the order in which they were made, hears of everybody else's, and takes back.
"use strict";

(function (storycast) {
  const { storage } = storycast;
  const MAX_CHANGES = 500;
  const POLL_MS = 2_000;
  const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
  const UNDOABLE = (decision) => !["undo", "finish", "time_out"].includes(decision.what);

  /** Parts of one bulk action have ids that differ in their end alone. */
  const groupOf = (id) => id.replace(/-part\d+$/, "");

  function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }

  /**
   * The reviewer's desk. `tell` hears of what people should know: closed(lost drafts), connected(), disconnected(),
   * conflicts(draft, list), refused(draft, message), decided(decisions of others), saved(), status().
   */
  class Desk {
    constructor(backend, tell) {
      this.backend = backend;
      this.tell = tell;
      this.state = null;
      this.me = "";
      this.status = { state: "waiting", message: "", deadline: null };
      this.problem = "";
      this._mine = new Set();
      this._passedOver = new Set();
      this._isSending = false;
      this._failures = 0;
      this._timer = 0;
    }

    async open() {
      const { review, decisions, me, status } = await this.backend.load();
      this.me = me;
      this.status = status;
      this.state = new storycast.ReviewState(review);
      this.state.take(decisions);
      this._prefix = `storycast-review:${review.run_id}:unsaved:`;
      this._slot = this._prefix + newId();
      return this.state;
    }

    /** Go on with what an earlier load of this page could not save, and listen to the others: {resumed, lost}. */
    start() {
      const left = [];
      for (const slot of storage.keys("local", this._prefix)) {
        const kept = storage.read("local", slot);
        storage.remove("local", slot);
        if (kept && kept.me === this.me && Array.isArray(kept.drafts)) left.push(...kept.drafts);
      }
      const known = new Set(this.state.log.map((one) => one.id));
      const drafts = left.filter((draft) => !known.has(draft.id));
      if (drafts.length && this.isOpen) this._propose(drafts);
      document.addEventListener("visibilitychange", () => this.wake());
      window.addEventListener("focus", () => this.wake());
      window.addEventListener("online", () => this.wake());
      this._later(POLL_MS);
      return this.isOpen ? { resumed: drafts, lost: [] } : { resumed: [], lost: drafts };
    }

    get isOpen() {
      return this.status.state === "waiting";
    }

    get unsavedCount() {
      return this.state ? this.state.unsaved.length : 0;
    }

    /** Decide; returns the decisions made, none where nothing is left to change. */
    decide(what, changes, undoes = null) {
      return this._decideAll(what, [{ changes, undoes }]);
    }

    /** Decide in several parts, which belong together; each may take back a decision of its own. */
    _decideAll(what, wanted) {
      if (!this.isOpen) return [];
      const parts = [];
      for (const { changes, undoes } of wanted) {
        const left = changes.filter((one) => one.before !== one.after);
        for (let at = 0; at < left.length; at += MAX_CHANGES)
          parts.push({ changes: left.slice(at, at + MAX_CHANGES), undoes });
      }
      const id = newId();
      const when = new Date().toISOString();
      const drafts = parts.map(({ changes, undoes }, index) => {
        return {
          id: parts.length === 1 ? id : `${id}-part${index + 1}`,
          what,
          changes,
          undoes,
          who: this.me,
          when,
        };
      });
      if (drafts.length) this._propose(drafts);
      return drafts;
    }

    _propose(drafts) {
      for (const draft of drafts) this._mine.add(draft.id);
      this.state.add(drafts);
      this._keepUnsaved();
      this._send();
      // While nothing gets through, an attempt may take long to fail: what is not saved is counted at once.
      if (this.problem) this.tell.disconnected();
    }

    /** All decisions, oldest first, those that are not saved yet at the end. */
    get all() {
      return [...this.state.log, ...this.state.unsaved];
    }

    /** Ids of decisions that have been taken back, each with the decision that did. */
    get undone() {
      const undone = new Map();
      for (const decision of this.all.reverse()) {
        if (decision.undoes && !undone.has(decision.id)) undone.set(decision.undoes, decision);
      }
      return undone;
    }

    /** The decisions that belong together with one: the parts of a bulk action. */
    group(decision) {
      const group = groupOf(decision.id);
      return this.all.filter((one) => groupOf(one.id) === group && one.who === decision.who);
    }

    /** Take back one's own last decision; returns what `undo` does, null where there is none. */
    undoLast() {
      const undone = this.undone;
      const last = this.all.findLast(
        (one) =>
          one.who === this.me &&
          UNDOABLE(one) &&
          one.changes.length &&
          !undone.has(one.id) &&
          !this._passedOver.has(groupOf(one.id)),
      );
      return last ? this.undo(last) : null;
    }

    /** Do again what one took back last, while nothing else was decided since. */
    redoLast() {
      const all = this.all;
      const undone = this.undone;
      const kinds = new Map(all.map((one) => [one.id, one.what]));
      const own = all.filter((one) => one.who === this.me);
      const since = own.findLastIndex((one) => one.what !== "undo");
      const last = own
        .slice(since + 1)
        .findLast((one) => !undone.has(one.id) && one.undoes && kinds.get(one.undoes) !== "undo");
      return last ? this.undo(last) : null;
    }

    /**
     * Take back a decision, with all parts of its bulk action: {decision, made, conflicts}. What was decided anew
     * since is left as it is.
     */
    undo(decision) {
      const undone = this.undone;
      const conflicts = [];
      const wanted = [];
      for (const part of this.group(decision).reverse()) {
        if (undone.has(part.id)) continue;
        const changes = [];
        for (const { subject, field, before, after } of [...part.changes].reverse()) {
          const now = this.state.value(subject, field);
          if (!now || now.text === before) continue;
          if (now.text === after) changes.push({ subject, field, before: after, after: before });
          else conflicts.push({ subject, field, before: after, after: before, now: now.text, ...byOf(now) });
        }
        wanted.push({ changes, undoes: part.id });
      }
      const made = this._decideAll("undo", wanted);
      // What is in nobody's power to take back must not stand in the way of what was decided before.
      if (!made.length) this._passedOver.add(groupOf(decision.id));
      return { decision, made, conflicts };
    }

    /** Close the review; the answer's status says how it went. */
    async finish(id) {
      this._mine.add(id);
      const answer = await this.backend.finish(id, this.state.seq);
      this.hear(answer);
      return this.status;
    }

    newId() {
      return newId();
    }

    /** Try now what waits for its next time. */
    wake() {
      if (document.visibilityState === "hidden") return;
      this._failures = 0;
      this._later(0);
    }

    async _send() {
      if (this._isSending) return;
      this._isSending = true;
      while (this.state.unsaved.length && this.isOpen) {
        const draft = this.state.unsaved[0];
        try {
          const answer = await this.backend.decide(draft, this.state.seq);
          this.hear(answer);
          this.state.remove(draft);
          if (answer.conflicts.length) this.tell.conflicts(draft, answer.conflicts);
        } catch (error) {
          if (!(error instanceof storycast.RequestError)) throw error;
          if (error.kind === "closed") {
            this.hear(error.answer);
          } else if (error.kind === "refused") {
            this.state.remove(draft);
            this.tell.refused(draft, error.message);
          } else {
            this._failed(error);
            break;
          }
        }
        this._keepUnsaved();
        this.tell.saved();
      }
      this._isSending = false;
    }

    async _poll() {
      if (document.visibilityState !== "hidden" && !this._isSending) {
        try {
          this.hear(await this.backend.news(this.state.seq));
          await this._send();
        } catch (error) {
          if (!(error instanceof storycast.RequestError)) throw error;
          this._failed(error);
        }
      }
      const wait = this._failures ? RETRY_MS[Math.min(this._failures, RETRY_MS.length) - 1] : POLL_MS;
      this._later(wait);
    }

    _later(wait) {
      clearTimeout(this._timer);
      this._timer = setTimeout(() => this._poll(), wait);
    }

    _failed(error) {
      this._failures += 1;
      this.problem = error.message;
      this.tell.disconnected();
    }

    hear({ decisions, status }) {
      if (this.problem) {
        this.problem = "";
        this.tell.connected();
      }
      this._failures = 0;
      const news = this.state.take(decisions);
      const others = news.filter((one) => !this._mine.has(one.id));
      const wasOpen = this.isOpen;
      this.status = status;
      if (others.length) this.tell.decided(others);
      this.tell.status();
      if (wasOpen && !this.isOpen) {
        const lost = this.state.unsaved;
        for (const draft of lost) this.state.remove(draft);
        this._keepUnsaved();
        this.tell.closed(lost);
      }
    }

    _keepUnsaved() {
      const drafts = this.state.unsaved;
      if (drafts.length) storage.write("local", this._slot, { me: this.me, drafts });
      else storage.remove("local", this._slot);
    }
  }

  function byOf({ by }) {
    return { who: by ? by.who : null, when: by ? by.when : null };
  }

  Object.assign(storycast, { Desk, groupOf });
})((window.Storycast = window.Storycast || {}));
