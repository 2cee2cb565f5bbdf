// The caption lint: what the captions together would teach a model, beside the characters and at Finish.
"use strict";

(function (storycast) {
  const { button, count, fill, make, moment, said } = storycast.dom;
  const WAIT_MS = 800;
  const MOST_PICTURES = 6;
  const ACKNOWLEDGED = "yes";
  // Of these nearly every picture is concerned: a flag on each would tell nothing.
  const OF_THE_SET = new Set(["repeated_fragment", "caption_length"]);
  const ruleSubject = (rule) => `lint:${rule}`;

  class CaptionLint {
    /** `app`: state, backend, desk; showFromDialog(id), lintChanged(). */
    constructor(app, section) {
      this._app = app;
      this._section = section;
      this.found = app.state.review.lint || null;
      this._flags();
      app.state.onChange(() => this.lookSoon());
      this.lookSoon();
    }

    /** Look anew once nothing has been decided for a moment. */
    lookSoon() {
      clearTimeout(this._timer);
      this._timer = setTimeout(() => this._look(), WAIT_MS);
    }

    async _look() {
      if (document.visibilityState === "hidden" || this._app.desk.unsavedCount) {
        this._timer = setTimeout(() => this._look(), WAIT_MS);
        return;
      }
      try {
        const found = await this._app.backend.lint("all");
        if (!found) return;
        this.found = found;
      } catch (error) {
        // What was found before stays; the desk says when the server does not answer.
        if (!(error instanceof storycast.RequestError)) throw error;
        return;
      }
      this._flags();
      this._app.lintChanged();
    }

    /** What the lint says of those that are kept, for Finish; what is known already where nobody answers. */
    async ofKept() {
      try {
        return (await this._app.backend.lint("kept")) || this.found;
      } catch (error) {
        if (!(error instanceof storycast.RequestError)) throw error;
        return this.found;
      }
    }

    _flags() {
      const flags = new Map();
      for (const one of this.findings) {
        if (OF_THE_SET.has(one.rule) || !this.stands(one)) continue;
        for (const id of one.crop_ids) {
          const shown = this._app.state.idOf(id);
          if (!shown) continue;
          if (!flags.has(shown)) flags.set(shown, []);
          flags.get(shown).push({ kind: "lint", text: `All captions together: ${one.message}` });
        }
      }
      this._app.state.setLintFlags(flags);
    }

    get findings() {
      return this.found ? this.found.findings : [];
    }

    /** Whether a finding stands against a training: nobody said that it may stay. */
    stands(one) {
      return one.severity === "blocks" && !this.isAllowed(one.rule) && !this.isAcknowledged(one.rule);
    }

    /** Whether the project's own file lets a rule's findings stay. */
    isAllowed(rule) {
      return (this._app.state.review.acknowledged || []).includes(rule);
    }

    isAcknowledged(rule) {
      const value = this._app.state.value(ruleSubject(rule), "acknowledged");
      return Boolean(value) && value.text === ACKNOWLEDGED;
    }

    acknowledge(rule, isAcknowledged) {
      const { state } = this._app;
      const subject = ruleSubject(rule);
      const before = state.text(subject, "acknowledged");
      const after = isAcknowledged ? ACKNOWLEDGED : "no";
      this._app.desk.decide("acknowledge", [{ subject, field: "acknowledged", before, after }]);
    }

    /** Bring the panel beside the pictures up to date. */
    refresh() {
      const all = this.findings;
      this._section.hidden = !all.length;
      const told = JSON.stringify([all.map((one) => [one.id, this.stands(one)]), this._app.state.version]);
      if (told === this._told) return;
      this._told = told;
      const stale = this._app.backend.isBundle
        ? [make("p", { class: "soft small" }, "As the run made them; what you change here is looked at when you send it back.")]
        : [];
      fill(
        this._section,
        make("h2", { id: "lint-title" }, "Captions to look at"),
        ...stale,
        make("ul", {}, ...all.map((one) => this._item(one))),
      );
    }

    _item(one) {
      return make(
        "li",
        { class: this.stands(one) ? "stands" : null },
        make("p", {}, said(one.message)),
        make("p", { class: "soft small" }, said(one.suggestion)),
        this.pictures(one),
      );
    }

    /** Buttons that lead to the pictures of a finding. */
    pictures(one) {
      const { state } = this._app;
      const ids = [...new Set(one.crop_ids.map((id) => state.idOf(id)).filter(Boolean))];
      const links = ids.slice(0, MOST_PICTURES).map((id) =>
        button(`Picture ${state.numberOf(id)}`, { class: "link", onclick: () => this._app.showFromDialog(id) }),
      );
      const more = ids.length - links.length;
      return make("p", { class: "links small" }, ...links, more > 0 ? ` and ${more.toLocaleString("en-US")} more` : null);
    }

    /** What stands against a training, by rule, with the ticks that let it stay. */
    ticks(found, isAhead) {
      const blocking = found ? found.findings.filter((one) => one.severity === "blocks") : [];
      const rules = [...new Set(blocking.map((one) => one.rule))].filter((rule) => !this.isAllowed(rule));
      if (!rules.length) return null;
      const isOpen = rules.some((rule) => !this.isAcknowledged(rule));
      const end = isAhead
        ? "The training is refused for these captions, before anything is billed, unless you tick them here. Better is to mend them."
        : "A training of this dataset will be refused for these captions, unless you tick them here.";
      return make(
        "div",
        { class: `notice lint ${isOpen ? "warn" : ""}` },
        make("p", {}, make("strong", {}, "Captions. "), end),
        ...rules.map((rule) => this._tick(rule, blocking.filter((one) => one.rule === rule))),
      );
    }

    _tick(rule, own) {
      const box = make("input", { type: "checkbox", name: rule, disabled: !this._app.desk.isOpen });
      box.checked = this.isAcknowledged(rule);
      box.addEventListener("change", () => this.acknowledge(rule, box.checked));
      const { by } = this._app.state.value(ruleSubject(rule), "acknowledged") || {};
      const who = by && box.checked ? [" · ", this._app.words.who(by.who), `, ${moment(by.when)}`] : [];
      return make(
        "div",
        { class: "rule" },
        make("label", {}, box, make("span", {}, `${storycast.ruleWords(rule)}: may stay`, ...who)),
        ...own.slice(0, 3).map((one) => make("div", {}, make("p", {}, said(one.message)), this.pictures(one))),
        own.length > 3 ? make("p", { class: "small" }, `and ${count(own.length - 3, "more finding")}`) : null,
      );
    }

    /** Whether what was found stands against a training by now. */
    blocks(found) {
      return Boolean(found) && found.findings.some((one) => this.stands(one));
    }
  }

  storycast.CaptionLint = CaptionLint;
})((window.Storycast = window.Storycast || {}));
