// Every key, what it does, and the dialog that shows them. No key acts while one types.
"use strict";

(function (storycast) {
  const { hint, make } = storycast.dom;
  const { isDialogOpen, openDialog } = storycast.dialogs;

  /** [keys as shown, what they do, where: "" for everywhere]. */
  const HELP = [
    [
      "Decide",
      [
        ["K", "keep, and go on to the next open picture"],
        ["D", "drop, and go on to the next open picture"],
        ["O", "reopen"],
        ["U or Ctrl Z", "undo your last decision"],
        ["⇧U or Ctrl ⇧Z", "do it again"],
        ["M", "say who it is: move to another character"],
        ["1 … 9", "one picture: use this duplicate instead; 0 takes the run's choice back"],
      ],
    ],
    [
      "Caption",
      [
        ["E or C", "edit the caption"],
        ["Ctrl ⏎", "save it"],
        ["Esc", "leave it; your words stay at hand"],
      ],
    ],
    [
      "Move",
      [
        ["→ or J", "next picture"],
        ["← or ⇧J", "previous picture"],
        ["↑ ↓", "grid: a row up or down; one picture: scroll"],
        ["N", "next open picture"],
        ["Home End", "first and last"],
        ["⏎", "open a picture of the grid"],
        ["G or Esc", "back to the grid"],
      ],
    ],
    [
      "Several at once, in the grid",
      [
        ["X or Space", "choose a picture"],
        ["⇧ and arrows", "choose a range; with a click too"],
        ["Ctrl A", "choose all that are shown"],
        ["⇧K ⇧D ⇧O", "keep, drop, reopen all that are chosen"],
        ["M", "move all that are chosen"],
        ["Esc", "choose none"],
      ],
    ],
    [
      "The rest",
      [
        ["F", "to the filters"],
        ["/", "search captions"],
        ["R", "rename, merge or drop the character"],
        ["H", "history, with undo of anything"],
        ["⇧F", "finish"],
        ["S", "offline bundle: save the decisions file"],
        ["?", "these keys"],
      ],
    ],
  ];

  function openHelp(app) {
    const rows = (list) =>
      list
        .filter(([key]) => key !== "S" || app.backend.isBundle)
        .map(([keys, what]) => make("div", {}, make("dt", {}, ...keysOf(keys)), make("dd", {}, what)));
    openDialog(
      "Keys",
      () =>
        HELP.map(([title, list]) =>
          make("section", {}, make("h3", {}, title), make("dl", { class: "keys" }, ...rows(list))),
        ),
      { kind: "wide keys" },
    );
  }

  function keysOf(text) {
    return text
      .split(/ (or|and|…) /)
      .map((part) =>
        ["or", "and", "…"].includes(part)
          ? ` ${part} `
          : part.startsWith("arrows")
            ? part
            : part.split(" ").map((key) => hint(key)),
      )
      .flat();
  }

  /** Whether keys belong to what has the focus. */
  function isTyping(target) {
    if (target.isContentEditable || target.matches("textarea, select")) return true;
    return target.matches("input") && !["checkbox", "radio", "button"].includes(target.type);
  }

  /** The key as Latin letters have it, whatever the keyboard's language. */
  function keyOf(event) {
    if (/^[\x20-\x7e]+$/.test(event.key)) return event.key.length === 1 ? event.key.toLowerCase() : event.key;
    return /^Key[A-Z]$/.test(event.code) ? event.code.slice(3).toLowerCase() : event.key;
  }

  const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

  /** `app`: everything that a key can do. */
  function listen(app) {
    document.addEventListener("keydown", (event) => {
      if (event.defaultPrevented || event.isComposing || event.altKey || isDialogOpen() || isTyping(event.target))
        return;
      const act = event.ctrlKey || event.metaKey ? withControl(app, event) : plain(app, event);
      if (!act) return;
      event.preventDefault();
      act();
    });
    // Firefox and Chromium press a button when Space comes up.
    document.addEventListener("keyup", (event) => {
      if (event.key === " " && event.target.matches?.(".tile .face")) event.preventDefault();
    });
  }

  function withControl(app, event) {
    const key = keyOf(event);
    if (key === "z") return event.shiftKey ? () => app.deciding.redo() : () => app.deciding.undo();
    if (key === "y") return () => app.deciding.redo();
    if (key === "a" && app.isGrid) return () => app.grid.chooseAll();
    if (key === "s" && app.backend.isBundle) return () => app.saveFile();
    return null;
  }

  function plain(app, event) {
    const key = keyOf(event);
    const shift = event.shiftKey;
    const isControl = event.target.matches("button, summary, a, input");
    const isTile = event.target.matches(".tile .face");
    if (event.repeat && !(key in ARROWS) && key !== "j") return null;
    if (key in ARROWS) return arrow(app, event, ...ARROWS[key]);
    switch (key) {
      case "k":
      case "d":
      case "o": {
        const what = { k: "keep", d: "drop", o: "reopen" }[key];
        return shift ? () => app.deciding.judgeChosen(what) : () => app.deciding.judgeCurrent(what);
      }
      case "u":
        return shift ? () => app.deciding.redo() : () => app.deciding.undo();
      case "j":
        return () => (shift ? app.step(-1) : app.step(1));
      case "n":
        return () => app.nextOpen();
      case "Home":
        return () => app.go(app.sequence[0]);
      case "End":
        return () => app.go(app.sequence.at(-1));
      case "e":
      case "c":
        return () => app.deciding.editCaption();
      case "m":
        return () => app.deciding.move();
      case "r":
        return () => app.deciding.editCurrentCharacter();
      case "g":
        return app.isGrid ? null : () => app.toGrid();
      case "h":
        return () => app.openHistory();
      case "f":
        return shift ? () => app.openFinish() : () => app.focusFilters();
      case "s":
        return app.backend.isBundle ? () => app.saveFile() : null;
      case "/":
        return () => app.focusSearch();
      case "?":
        return () => openHelp(app);
      case "Escape":
        return () => app.escape();
      case "x":
        return app.isGrid ? () => app.grid.toggle(app.grid.focused) : null;
      case " ":
        return app.isGrid && (isTile || !isControl) ? () => app.grid.toggle(app.grid.focused) : null;
      case "Enter":
        return app.isGrid && !isControl ? () => app.open(app.grid.focused) : null;
      default:
        return /^[0-9]$/.test(key) && !app.isGrid ? () => app.deciding.use(Number(key)) : null;
    }
  }

  function arrow(app, event, tiles, rows) {
    // Arrows belong to a group of radio buttons.
    if (event.target.matches("input[type=radio]")) return null;
    if (app.isGrid) return () => app.grid.move(tiles, rows, event.shiftKey);
    if (!tiles) return () => app.single.scroll(rows);
    return () => (tiles > 0 ? app.step(1) : app.step(-1));
  }

  Object.assign(storycast, { listen, openHelp });
})((window.Storycast = window.Storycast || {}));
