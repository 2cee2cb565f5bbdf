// The history: every decision, the newest first, each of which can be taken back.
"use strict";

(function (storycast) {
  const { button, count, make, moment, sentence } = storycast.dom;
  const { openDialog } = storycast.dialogs;
  const { groupOf } = storycast;
  const STEP = 100;
  const MOST_CHANGES = 50;
  const VIA = {
    bundle: " (from a decisions file)",
    a2i: " (in Amazon A2I)",
    auto: " (by the project's setting)",
    rule: " (the project's rule)",
  };

  /** Decisions with the parts of a bulk action together, newest first: [{key, parts}]. */
  function grouped(decisions) {
    const groups = new Map();
    for (const one of decisions) {
      const key = `${groupOf(one.id)} ${one.who}`;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(one);
    }
    return [...groups].map(([key, parts]) => ({ key, parts })).reverse();
  }

  /** `app`: state, desk, words, deciding; showFromDialog(id). */
  function openHistory(app, onclose) {
    let most = STEP;
    let isMine = false;
    const history = openDialog(
      "History",
      (opened) => {
        const undone = app.desk.undone;
        const all = grouped(app.desk.all).filter(({ parts }) => !isMine || parts[0].who === app.desk.me);
        const mine = make("input", { type: "checkbox" });
        mine.checked = isMine;
        mine.addEventListener("change", () => {
          isMine = mine.checked;
          opened.refresh();
          opened.body.querySelector("input").focus();
        });
        const more = button(`Show ${Math.min(STEP, all.length - most)} more`, {
          class: "quiet",
          onclick: () => {
            most += STEP;
            opened.refresh();
          },
        });
        return [
          make("label", { class: "mine" }, mine, make("span", {}, "Only mine")),
          all.length ? null : make("p", { class: "soft" }, "Nothing has been decided yet."),
          make(
            "ol",
            { class: "history" },
            ...all.slice(0, most).map(({ key, parts }) => row(app, key, parts, undone, opened)),
          ),
          all.length > most ? more : null,
        ];
      },
      { kind: "wide", onclose },
    );
    return {
      refresh() {
        const { activeElement } = document;
        const key = history.body.contains(activeElement) ? activeElement.closest("li")?.dataset.key : null;
        const unfolded = new Set(
          [...history.body.querySelectorAll("details[open]")].map((one) => one.closest("li").dataset.key),
        );
        history.refresh();
        for (const item of history.body.querySelectorAll("li[data-key]")) {
          if (unfolded.has(item.dataset.key) && item.querySelector("details"))
            item.querySelector("details").open = true;
          if (key && item.dataset.key === key) item.querySelector("button, summary")?.focus();
        }
        if (!history.dialog.contains(document.activeElement)) history.dialog.querySelector("h2").focus();
      },
    };
  }

  function row(app, key, parts, undone, opened) {
    const [decision] = parts;
    const changes = parts.flatMap((part) => part.changes);
    const isSaved = decision.seq !== undefined;
    const takenBack = parts.every((part) => undone.has(part.id)) ? undone.get(decision.id) : null;
    const isUndoable = app.desk.isOpen && changes.length && !takenBack;
    const label = decision.what === "undo" ? "Do it again" : "Undo";
    const undo = () => {
      app.deciding.undoDecision(decision);
      opened.refresh();
    };
    return make(
      "li",
      { "data-key": key, class: takenBack ? "undone" : null },
      make("p", { class: "what" }, app.words.who(decision.who), " ", ...app.words.done(decision, parts), "."),
      make(
        "p",
        { class: "soft small" },
        moment(decision.when),
        ...(changes.length === 1 ? [" · ", ...beforeAndAfter(app, changes[0])] : []),
        VIA[decision.via] || "",
        isSaved ? "" : " · not saved yet",
        ...(takenBack
          ? sentence` · taken back by ${app.words.byWhom(takenBack.who)}, ${moment(takenBack.when)}`
          : []),
      ),
      changes.length > 1
        ? make(
            "details",
            {},
            make("summary", {}, count(changes.length, "change")),
            make("ul", {}, ...listed(app, changes)),
          )
        : null,
      isUndoable ? button(label, { icon: "undo", class: "quiet undo", onclick: undo }) : null,
    );
  }

  function beforeAndAfter(app, change) {
    const id = change.subject.startsWith("picture:") ? change.subject.slice("picture:".length) : null;
    const show =
      id && app.state.has(id) ? button("Show", { class: "link", onclick: () => app.showFromDialog(id) }) : null;
    return [
      ...sentence`${app.words.value(change, change.before)} → ${app.words.value(change, change.after)} `,
      show,
    ];
  }

  function listed(app, changes) {
    const lines = changes.slice(0, MOST_CHANGES).map((change) => {
      return make("li", {}, ...app.words.subject(change.subject), ": ", ...beforeAndAfter(app, change));
    });
    if (changes.length > MOST_CHANGES)
      lines.push(make("li", {}, `and ${count(changes.length - MOST_CHANGES, "more change")}`));
    return lines;
  }

  storycast.openHistory = openHistory;
})((window.Storycast = window.Storycast || {}));
