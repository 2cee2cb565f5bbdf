// Dialogs: the browser's own, which keep the focus and close on Escape.
"use strict";

(function (storycast) {
  const { button, make } = storycast.dom;
  let number = 0;
  const opened = new Set();

  /** Open a dialog; `fill(handle)` returns its content, with handle: {dialog, body, close, refresh}. Returns that too. */
  function openDialog(title, fill, { kind = "", onclose = null } = {}) {
    number += 1;
    const before = document.activeElement;
    const body = make("div", { class: "body" });
    const dialog = make("dialog", { class: kind, "aria-labelledby": `dialog-${number}`, closedby: "any" });
    const close = () => dialog.close();
    dialog.append(
      make(
        "header",
        {},
        make("h2", { id: `dialog-${number}`, tabindex: -1 }, title),
        button("Close", { icon: "close", class: "bare", shortcut: "Escape", onclick: close }),
      ),
      body,
    );
    const handle = { dialog, body, close, refresh: () => storycast.dom.fill(body, fill(handle)) };
    dialog.addEventListener("close", () => {
      opened.delete(dialog);
      dialog.remove();
      if (before && before.isConnected) before.focus({ preventScroll: true });
      if (onclose) onclose();
    });
    document.body.append(dialog);
    handle.refresh();
    dialog.showModal();
    opened.add(dialog);
    const first = dialog.querySelector("[autofocus]") || dialog.querySelector("h2");
    first.focus();
    if (first.select) first.select();
    return handle;
  }

  /** Ask once: `yes` runs when somebody agrees. */
  function ask(title, words, { label, kind = "main", yes }) {
    return openDialog(
      title,
      ({ close }) => {
        const agree = () => {
          close();
          yes();
        };
        return [
          ...[words].flat().map((one) => (typeof one === "string" ? make("p", {}, one) : one)),
          make(
            "div",
            { class: "row end" },
            button("Cancel", { class: "quiet", onclick: close }),
            button(label, { class: kind, autofocus: true, onclick: agree }),
          ),
        ];
      },
      { kind: "small" },
    );
  }

  // A dialog says that it is closed only a moment after it is.
  const isDialogOpen = () => [...opened].some((dialog) => dialog.open);

  storycast.dialogs = { ask, isDialogOpen, openDialog };
})((window.Storycast = window.Storycast || {}));
