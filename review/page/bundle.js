// The offline bundle: who decides, and the file with their decisions.
"use strict";

(function (storycast) {
  const { count, make, said, sentence } = storycast.dom;
  const { openDialog } = storycast.dialogs;

  /** Ask for the reviewer's name until there is one. */
  function askName(backend) {
    return new Promise((resolve) => {
      const form = ({ close }) => {
        const input = make("input", {
          type: "text",
          id: "who",
          required: true,
          maxlength: 100,
          autocomplete: "name",
          autofocus: true,
          dir: "auto",
        });
        const problem = make("p", { class: "problem small", role: "alert" });
        const asked = make(
          "form",
          { class: "part" },
          make("p", {}, "Your name is kept with every decision, so that people know who made it."),
          make("label", { for: "who" }, "Your name"),
          make("div", { class: "row" }, input, make("button", { type: "submit", class: "main" }, "Begin")),
          problem,
        );
        asked.addEventListener("submit", (event) => {
          event.preventDefault();
          const name = storycast.text.oneLine(input.value);
          problem.textContent = storycast.text.isPrintable(name) ? "" : "A name holds no control characters.";
          if (!name || problem.textContent) return;
          backend.who = name;
          close();
        });
        return asked;
      };
      const onclose = () => resolve(backend.who ? null : askName(backend));
      openDialog("Who are you?", form, { kind: "small", onclose });
    });
  }

  /** Give the decisions as a download. */
  function saveFile(backend) {
    const { name, blob, count: number } = backend.file();
    const address = URL.createObjectURL(blob);
    const link = make("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    backend.noteSaved();
    storycast.notices.toast(sentence`${count(number, "decision")} saved as ${said(name)}. Send this file back.`);
  }

  Object.assign(storycast, { askName, saveFile });
})((window.Storycast = window.Storycast || {}));
