// The characters at the side, and the filters above the grid.
"use strict";

(function (storycast) {
  const { button, count, icon, make, said, hint } = storycast.dom;
  const STATES = [
    ["", "All"],
    ["open", "Open"],
    ["kept", "Kept"],
    ["dropped", "Dropped"],
  ];

  /** Characters with what is kept, open and dropped of each, against the minimum and the budget. */
  class CastList {
    /** `app`: state, filters, deciding; setFilter(name, value). */
    constructor(app, list) {
      this._app = app;
      this._list = list;
      this._rows = new Map();
    }

    refresh() {
      const { cast } = this._app.state;
      if ([...cast.keys()].join("\n") !== [...this._rows.keys()].join("\n")) {
        this._rows = new Map([...cast.keys()].map((name) => [name, this._row(name)]));
        this._list.replaceChildren(...[...this._rows.values()].map((row) => row.item));
      }
      for (const [name, row] of this._rows) this._fill(cast.get(name), row);
    }

    _row(name) {
      const meter = make("span", { class: "meter", "aria-hidden": "true" });
      const bars = {
        kept: make("i", { class: "kept" }),
        open: make("i", { class: "open" }),
        least: make("i", { class: "least" }),
      };
      meter.append(bars.kept, bars.open, bars.least);
      const numbers = make("span", { class: "numbers" });
      const need = make("span", { class: "need" });
      const choose = make(
        "button",
        { type: "button", class: "who", "aria-pressed": "false" },
        said(name, { class: "name" }),
        numbers,
        meter,
        need,
      );
      const edit = button("Change", { icon: "more", class: "bare edit", title: "Rename, merge or drop" });
      const item = make("li", {}, choose, edit);
      choose.addEventListener("click", () => {
        const isChosen = this._app.filters.name === name;
        const one = this._app.state.cast.get(name);
        if (one) this._app.setFilter("character", isChosen ? "" : one.keys[0]);
      });
      edit.addEventListener("click", () => this._app.deciding.editCharacter(name));
      edit.setAttribute("aria-label", `Change ${name}: rename, merge or drop`);
      return { item, choose, numbers, need, bars };
    }

    _fill(one, { item, choose, numbers, need, bars }) {
      const { minimum_per_character: least, images_per_character: budget } = this._app.state.review;
      const most = Math.max(one.kept + one.open, budget, least, 1);
      const share = (number) => `${(100 * number) / most}%`;
      bars.kept.style.inlineSize = share(one.kept);
      bars.open.style.inlineSize = share(one.open);
      bars.least.style.insetInlineStart = share(least);
      bars.least.hidden = !least;
      numbers.textContent = `${one.kept} kept · ${one.open} open · ${one.dropped} dropped`;
      const lacking = least - one.kept;
      if (one.isDropped) need.textContent = "Out of the cast";
      else if (!one.kept && !one.open) need.textContent = "Nothing left: out of the cast";
      else if (lacking > 0) need.textContent = `${lacking} more for the minimum of ${least}`;
      else need.textContent = `Enough: ${least} to ${budget} asked for`;
      item.classList.toggle("out", one.isDropped);
      item.classList.toggle("lacking", lacking > 0 && !one.isDropped);
      choose.setAttribute("aria-pressed", String(this._app.filters.name === one.name));
    }
  }

  /** The filters, each choice with the number of pictures that it would show. */
  class FilterBar {
    /** `app`: state, filters; setFilter(name, value), clearFilters(), focusGrid(). */
    constructor(app, form) {
      this._app = app;
      const states = STATES.map(([value, label]) => {
        const input = make("input", { type: "radio", name: "state", value });
        const number = make("b");
        input.addEventListener("change", () => app.setFilter("state", value));
        return {
          value,
          input,
          number,
          label: make(
            "label",
            {},
            input,
            value ? icon({ open: "open", kept: "keep", dropped: "drop" }[value]) : null,
            make("span", {}, label),
            number,
          ),
        };
      });
      this._states = states;
      this._selects = {};
      this._told = {};
      for (const [name, label] of [
        ["character", "Character"],
        ["framing", "Framing"],
        ["flag", "Flags"],
      ]) {
        const select = make("select", { name, "aria-label": label });
        select.addEventListener("change", () => app.setFilter(name, select.value));
        this._selects[name] = select;
      }
      this._text = make("input", {
        type: "search",
        name: "text",
        placeholder: "Search",
        "aria-label": "Search captions",
        "aria-keyshortcuts": "/",
        autocomplete: "off",
      });
      this._text.addEventListener("input", () => app.setFilter("text", this._text.value.trim()));
      this._text.addEventListener("keydown", (event) => {
        if (event.key === "Escape" || event.key === "Enter") {
          event.preventDefault();
          event.stopPropagation();
          if (event.key === "Escape") {
            this._text.value = "";
            app.setFilter("text", "");
          }
          app.focusGrid();
        }
      });
      this._mine = make("input", { type: "checkbox", name: "mine" });
      this._mine.addEventListener("change", () => app.setFilter("mine", this._mine.checked ? "yes" : ""));
      this._mineCount = make("b");
      this._clear = button("Clear filters", {
        icon: "close",
        class: "quiet clear",
        onclick: () => app.clearFilters(),
      });
      this._more = button("More filters", {
        icon: "filter",
        class: "quiet more-filters",
        "aria-expanded": "false",
        onclick: () => this._toggle(),
      });
      this._form = form;
      form.append(
        make(
          "fieldset",
          { class: "states" },
          make("legend", { class: "unseen" }, "State"),
          ...states.map((one) => one.label),
        ),
        this._more,
        ...Object.values(this._selects),
        make("label", { class: "mine" }, this._mine, make("span", {}, "Mine"), this._mineCount),
        make("span", { class: "search" }, this._text, hint("/")),
        this._clear,
      );
      form.addEventListener("submit", (event) => event.preventDefault());
    }

    /** On a phone the rest of the filters is folded away. */
    _toggle(isOpen = !this._form.classList.contains("with-more")) {
      this._form.classList.toggle("with-more", isOpen);
      this._more.setAttribute("aria-expanded", String(isOpen));
    }

    focus() {
      this._states.find((one) => one.input.checked).input.focus();
    }

    focusText() {
      this._toggle(true);
      this._text.focus();
      this._text.select();
    }

    refresh() {
      const { filters, state } = this._app;
      const { counts, chosen } = filters;
      for (const { value, input, number } of this._states) {
        input.checked = chosen.state === value;
        number.textContent = String(counts.state.get(value) || 0);
      }
      const characters = [...state.cast.values()].map((one) => [
        one.keys[0],
        one.name,
        counts.character.get(one.name),
      ]);
      const framings = [...new Set(state.pictures.map(({ id }) => state.look(id).framing))].sort();
      const chosenKey = chosen.character ? state.cast.get(filters.name).keys[0] : "";
      this._fill("character", "All characters", characters, counts.character.get(""), chosenKey);
      this._fill(
        "framing",
        "All framings",
        framings.map((name) => [name, name, counts.framing.get(name)]),
        counts.framing.get(""),
        chosen.framing,
      );
      const flags = Object.entries(storycast.FLAG_WORDS).map(([kind, words]) => [
        kind,
        words,
        counts.flag.get(kind),
      ]);
      const isUseful = ([kind, , number]) => number || kind === chosen.flag || kind === "any" || kind === "none";
      this._fill("flag", "All flags", flags.filter(isUseful), counts.flag.get(""), chosen.flag);
      this._mine.checked = Boolean(chosen.mine);
      this._mineCount.textContent = String(counts.mine.get("yes") || 0);
      if (document.activeElement !== this._text) this._text.value = chosen.text;
      this._clear.hidden = filters.isEmpty;
    }

    _fill(name, all, choices, total, chosen) {
      const select = this._selects[name];
      const options = [["", all, total], ...choices].map(([value, label, number]) => [
        value,
        `${label} (${number || 0})`,
      ]);
      // A list that is open in somebody's hand is not made anew without need.
      const told = JSON.stringify(options);
      if (this._told[name] !== told) {
        this._told[name] = told;
        select.replaceChildren(...options.map(([value, label]) => make("option", { value, dir: "auto" }, label)));
      }
      select.value = chosen;
      select.classList.toggle("active", Boolean(chosen));
    }
  }

  Object.assign(storycast, { CastList, FilterBar, shownWords });

  /** How many pictures are shown, in words. */
  function shownWords(shown, all) {
    return shown === all ? count(all, "picture") : `${shown.toLocaleString("en-US")} of ${count(all, "picture")}`;
  }
})((window.Storycast = window.Storycast || {}));
