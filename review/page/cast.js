// Dialogs about characters: rename, merge, drop and restore one; move pictures to another.
"use strict";

(function (storycast) {
  const { button, count, make, said, sentence } = storycast.dom;
  const { ask, openDialog } = storycast.dialogs;
  const { nameProblem, MAX_NAME } = storycast.text;

  /** Rename a character, make it one with another, drop it or take it back. `app`: state, actions, deciding. */
  function editCharacter(app, name) {
    const { review } = app.state;
    const found = app.state.cast.get(name);
    if (!found) return;
    openDialog(
      sentence`Character: ${said(name)}`,
      ({ close }) => {
        const one = app.state.cast.get(name) || found;
        const others = [...app.state.cast.values()].filter((each) => each.name !== name && !each.isDropped);
        return [
          ...one.descriptions.map((text) => make("p", { class: "soft", dir: "auto" }, text)),
          make(
            "p",
            {},
            `${one.kept} kept, ${one.open} open, ${one.dropped} dropped; at least ${review.minimum_per_character} and about ${review.images_per_character} are asked for.`,
          ),
          one.keys.length > 1 || one.keys[0] !== name
            ? make("p", { class: "soft small" }, "In the run: ", ...listed(one.keys))
            : null,
          renameForm(app, one, close),
          others.length ? mergeForm(app, one, others, close) : null,
          standingForm(app, one, close),
        ];
      },
      { kind: "small" },
    );
  }

  const listed = (names) => names.flatMap((name, index) => [index ? ", " : "", said(name)]);

  function renameForm(app, one, close) {
    const input = make("input", {
      type: "text",
      id: "new-name",
      maxlength: MAX_NAME * 2,
      autocomplete: "off",
      dir: "auto",
      autofocus: true,
      "aria-describedby": "name-problem",
    });
    input.value = one.name;
    const problem = make("p", { class: "problem small", id: "name-problem", role: "alert" });
    const form = make(
      "form",
      { class: "part" },
      make("label", { for: "new-name" }, "Name"),
      make("div", { class: "row" }, input, make("button", { type: "submit", class: "main" }, "Rename")),
      problem,
      make(
        "p",
        { class: "soft small" },
        "Captions of the model follow the new name. Captions that people wrote stay as they are.",
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const name = input.value.trim();
      problem.textContent = nameProblem(name);
      if (problem.textContent) {
        input.focus();
        return;
      }
      if (name === one.name) {
        close();
        return;
      }
      const there = app.state.cast.get(name);
      close();
      if (there) askMerge(app, one, there);
      else if (app.actions.rename(one, name).length)
        app.deciding.told(sentence`${said(one.name)} is called ${said(name)} now.`);
    });
    input.addEventListener("input", () => {
      problem.textContent = "";
    });
    return form;
  }

  function mergeForm(app, one, others, close) {
    const select = make(
      "select",
      { id: "merge-into" },
      ...others.map((each) => make("option", { value: each.name, dir: "auto" }, each.name)),
    );
    return make(
      "div",
      { class: "part" },
      make("label", { for: "merge-into" }, "The same character as"),
      make(
        "div",
        { class: "row" },
        select,
        button("Merge …", {
          class: "quiet",
          onclick: () => {
            const into = app.state.cast.get(select.value);
            close();
            askMerge(app, one, into);
          },
        }),
      ),
    );
  }

  function askMerge(app, one, into) {
    const all = one.kept + one.open + one.dropped;
    ask(
      sentence`Merge ${said(one.name)} into ${said(into.name)}?`,
      [
        make(
          "p",
          {},
          ...sentence`The ${count(all, "picture")} of ${said(one.name)} become pictures of ${said(into.name)}, and the model's captions say ${said(into.name)} where they said ${said(one.name)}. Captions that people wrote stay as they are.`,
        ),
        make("p", {}, "You can undo this."),
      ],
      {
        label: "Merge",
        yes: () => {
          if (app.actions.merge(one, into).length)
            app.deciding.told(sentence`${said(one.name)} and ${said(into.name)} are one now.`);
        },
      },
    );
  }

  function standingForm(app, one, close) {
    const all = one.kept + one.open;
    const drop = () => {
      close();
      if (app.actions.dropCharacter(one).length)
        app.deciding.told(sentence`${said(one.name)} is out of the cast, with ${count(all, "picture")}.`);
    };
    const restore = () => {
      close();
      if (app.actions.restoreCharacter(one).length)
        app.deciding.told(sentence`${said(one.name)} is in the cast again.`);
    };
    return make(
      "div",
      { class: "part" },
      one.isDropped || one.isDivided
        ? button("Take back into the cast", { icon: "reopen", class: "quiet", onclick: restore })
        : null,
      one.isDropped ? null : button("Drop from the cast", { icon: "drop", class: "bad", onclick: drop }),
      make(
        "p",
        { class: "soft small" },
        one.isDropped
          ? "Its pictures count again as they were decided."
          : `Its ${count(all, "picture")} stay out of the dataset. You can take it back.`,
      ),
    );
  }

  /** Ask whom pictures are of. */
  function chooseMove(app, ids) {
    const now = new Set(ids.map((id) => app.state.look(id).name));
    const cast = [...app.state.cast.values()].filter((one) => !one.isDropped);
    const { dialog } = openDialog(
      ids.length === 1 ? "Who is this?" : `Who are these ${ids.length}?`,
      ({ close }) => {
        const move = (one) => {
          close();
          if (app.actions.move(ids, one.keys[0]).length)
            app.deciding.told(sentence`${count(ids.length, "picture")} moved to ${said(one.name)}.`);
          app.deciding.moved();
        };
        const choices = cast.map((one, index) => {
          const isNow = now.size === 1 && now.has(one.name);
          const choice = button("", {
            key: index < 9 ? String(index + 1) : null,
            class: "choice",
            onclick: () => move(one),
            disabled: isNow,
          });
          choice.querySelector(".label").append(said(one.name), isNow ? " (now)" : "");
          return make("li", {}, choice);
        });
        return [make("ol", { class: "choices" }, ...choices)];
      },
      { kind: "small" },
    );
    dialog.addEventListener("keydown", (event) => {
      const choice = /^[1-9]$/.test(event.key) && dialog.querySelectorAll(".choice")[Number(event.key) - 1];
      if (choice) choice.click();
    });
  }

  Object.assign(storycast, { chooseMove, editCharacter });
})((window.Storycast = window.Storycast || {}));
