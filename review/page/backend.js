// Where decisions go: to the server of `storycast review`, or, in an offline bundle, into this browser and a file.
"use strict";

(function (storycast) {
  const { storage } = storycast;
  const TIMEOUT_MS = 20_000;
  const DECISIONS_FORMAT = "storycast-decisions-1";

  /** A request that was not granted. `kind`: "closed", "refused" (it can never be granted) or "failed" (try again). */
  class RequestError extends Error {
    constructor(kind, message, answer = null) {
      super(message);
      this.kind = kind;
      this.answer = answer;
    }
  }

  class HttpBackend {
    isBundle = false;
    isAtRisk = false;

    constructor() {
      // Asked for before the other scripts are there; who waits for it sees it fail.
      this._review = this._asked("api/review");
      this._review.catch(() => null);
    }

    load() {
      return this._review;
    }

    news(after) {
      return this._asked(`api/decisions?after=${after}`);
    }

    decide({ id, what, changes, undoes }, after) {
      return this._asked("api/decisions", { id, what, changes, undoes, after });
    }

    finish(id, after) {
      return this._asked("api/finish", { id, after });
    }

    /** What the caption lint says of all that may be kept, or of those that are: of "all" or "kept". */
    lint(of) {
      return this._asked(`api/lint?of=${of}`);
    }

    thumb(cropId) {
      return `pictures/${encodeURIComponent(cropId)}/thumb`;
    }

    full(cropId) {
      return `pictures/${encodeURIComponent(cropId)}/full`;
    }

    async _asked(address, body) {
      const request = { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" };
      if (body) {
        Object.assign(request, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(body),
        });
      }
      let response;
      let answer;
      try {
        response = await fetch(address, request);
        answer = await response.json();
      } catch {
        if (response && !response.ok) throw new RequestError("failed", `The server answered ${response.status}.`);
        throw new RequestError("failed", "The review server does not answer. Is storycast review still running?");
      }
      if (response.ok) return answer;
      const kind = { 409: "closed", 413: "refused", 422: "refused" }[response.status] || "failed";
      throw new RequestError(kind, answer.message || `The server answered ${response.status}.`, answer);
    }
  }

  class FileBackend {
    isBundle = true;

    constructor(given) {
      this._given = given;
      this._key = `storycast-review:${given.review.run_id}:decisions`;
      this._memory = { who: "", decisions: [], saved: 0 };
      this.isKept = true;
    }

    get _kept() {
      const kept = storage.read("local", this._key);
      return kept && Array.isArray(kept.decisions) ? kept : this._memory;
    }

    _keep(kept) {
      this._memory = kept;
      this.isKept = storage.write("local", this._key, kept);
    }

    get who() {
      return this._kept.who;
    }

    set who(name) {
      this._keep({ ...this._kept, who: name });
    }

    async load() {
      const { review, decisions, status } = this._given;
      return { review, decisions: [...decisions, ...this._numbered()], me: this.who, status };
    }

    async news(after) {
      const all = [...this._given.decisions, ...this._numbered()];
      return { decisions: all.filter((one) => one.seq > after), status: this._given.status };
    }

    async decide({ id, what, changes, undoes }, after) {
      const kept = this._kept;
      if (!kept.decisions.some((one) => one.id === id)) {
        const decision = { id, what, changes, undoes, when: new Date().toISOString() };
        this._keep({ ...kept, decisions: [...kept.decisions, decision] });
      }
      return { ...(await this.news(after)), conflicts: [] };
    }

    /** Nothing looks anew at captions here: what the run found is in the review. */
    async lint() {
      return null;
    }

    thumb(cropId) {
      return `pictures/${encodeURIComponent(cropId)}-thumb.jpg`;
    }

    full(cropId) {
      return `pictures/${encodeURIComponent(cropId)}-full.jpg`;
    }

    _numbered() {
      const { who, decisions } = this._kept;
      const before = Math.max(0, ...this._given.decisions.map((one) => one.seq));
      return decisions.map((one, index) => ({ ...one, who, via: "bundle", seq: before + index + 1 }));
    }

    /** Whether leaving the page loses something: this browser keeps nothing. */
    get isAtRisk() {
      return !this.isKept && this.unsavedCount > 0;
    }

    /** How many decisions are in no file yet. */
    get unsavedCount() {
      const { decisions, saved } = this._kept;
      return decisions.length - saved;
    }

    /** The decisions as a file: {name, blob}. */
    file() {
      const { who, decisions } = this._kept;
      const runId = this._given.review.run_id;
      const content = { format: DECISIONS_FORMAT, run_id: runId, who, decisions };
      const plain = who.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "reviewer";
      return {
        name: `decisions-${runId}-${plain}.json`,
        blob: new Blob([JSON.stringify(content, null, 1) + "\n"], { type: "application/json" }),
        count: decisions.length,
      };
    }

    noteSaved() {
      const kept = this._kept;
      this._keep({ ...kept, saved: kept.decisions.length });
    }
  }

  storycast.RequestError = RequestError;
  const given = window.STORYCAST_REVIEW;
  storycast.backend = given ? new FileBackend(given) : new HttpBackend();
})((window.Storycast = window.Storycast || {}));
