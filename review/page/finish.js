// Finish: says what training will get and what it costs, and asks once. In a bundle: save the file, send it back.
"use strict";

(function (storycast) {
  const { button, count, make, said, sentence } = storycast.dom;
  const { openDialog } = storycast.dialogs;
  const { leastPictures } = storycast;
  const usd = (number) =>
    `$${number.toLocaleString("en-US", { minimumFractionDigits: number < 10 ? 2 : 0, maximumFractionDigits: number < 10 ? 2 : 0 })}`;

  /** `app`: state, desk, actions, backend, telling; saveFile(). */
  function openFinish(app, onclose) {
    let problem = "";
    let isBusy = false;
    let finishId = null;
    let lint = app.lint.found;
    let version = -1;
    const opened = openDialog(
      app.backend.isBundle ? "Done?" : "Finish the review?",
      (dialog) => {
        const found = storycast.summary(app.state);
        return app.backend.isBundle ? bundleEnd(app, found, dialog) : serverEnd(found, dialog);
      },
      { kind: "finish", onclose },
    );

    /** Ask what the captions of those that are kept come to, whenever that may have changed. */
    async function look() {
      if (version === app.state.version || app.desk.unsavedCount) return;
      version = app.state.version;
      const asked = version;
      const found = await app.lint.ofKept();
      if (asked !== version || !opened.dialog.open) return;
      lint = found;
      opened.refresh();
    }

    async function finish() {
      isBusy = true;
      problem = "";
      // The same click asked again is the same: an answer that got lost does not finish twice.
      finishId = finishId || app.desk.newId();
      opened.refresh();
      try {
        await app.desk.finish(finishId);
        opened.close();
      } catch (error) {
        if (!(error instanceof storycast.RequestError)) throw error;
        isBusy = false;
        if (error.kind === "closed") {
          opened.close();
          app.desk.hear(error.answer);
          return;
        }
        problem = error.message;
        opened.refresh();
        opened.dialog.querySelector(".problem").focus();
      }
    }

    function serverEnd(found, dialog) {
      const training = app.state.review.training;
      const waiting = app.desk.unsavedCount;
      const isEnough = Boolean(training) && !found.shortfalls.length && !found.isTooSmall && found.kept > 0;
      const trains = isEnough && !app.lint.blocks(lint);
      const price = trains && isCharged(training) ? `, ${range(training)}` : "";
      const label = trains ? `Finish and train${price}` : "Finish the review";
      const yes = button(isBusy ? "Finishing …" : label, {
        class: "main",
        disabled: isBusy || waiting > 0,
        onclick: finish,
      });
      return [
        ...whatItComesTo(app, found),
        openOnes(app, found, dialog),
        found.kept ? app.lint.ticks(lint, isEnough) : null,
        isEnough && !trains ? refused() : whatFollows(app, found, trains),
        waiting
          ? make(
              "p",
              { class: "notice warn", role: "status" },
              `${count(waiting, "decision")} ${waiting === 1 ? "is" : "are"} being saved first.`,
            )
          : null,
        problem ? make("p", { class: "problem", role: "alert", tabindex: -1 }, problem) : null,
        make(
          "div",
          { class: "row end" },
          button("Go on reviewing", { class: "quiet", onclick: dialog.close }),
          yes,
        ),
      ];
    }
    look();
    return {
      ...opened,
      refresh() {
        opened.refresh();
        look();
      },
    };
  }

  function refused() {
    return make(
      "p",
      { class: "notice warn" },
      "No training starts as it is: the run ends with its dataset, with an error that says why. It can be trained on later.",
    );
  }

  /** Where stand-ins answer nobody is charged; what AWS would charge is told all the same. */
  const isCharged = (training) => training.charged !== false;

  const range = ({ cost_usd: [low, high] }) => (usd(low) === usd(high) ? usd(low) : `${usd(low)} to ${usd(high)}`);

  function whatItComesTo(app, found) {
    const { minimum_per_character: least, images_per_character: budget } = app.state.review;
    if (!found.kept) {
      return [
        make(
          "p",
          { class: "notice bad" },
          make("strong", {}, "Nothing is kept. "),
          "The run ends without a dataset, with an error that says so. What was decided is taken over when it is started again.",
        ),
      ];
    }
    const short = new Set(found.shortfalls.map(([name]) => name));
    const rows = [...found.perCharacter].map(([name, have]) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, said(name)),
        make("td", { class: "number" }, String(have)),
        make(
          "td",
          {},
          short.has(name)
            ? make("span", { class: "short" }, `${least - have} below the minimum of ${least}`)
            : `of about ${budget}`,
        ),
      ),
    );
    const framings = [...found.framings]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, number]) => `${number} ${name}`);
    return [
      make(
        "p",
        { class: "lead" },
        make("strong", {}, count(found.kept, "picture")),
        ` of ${count(found.perCharacter.size, "character")} ${app.state.review.training ? "for the training" : "for the dataset"}.`,
      ),
      make(
        "div",
        { class: "scroll", tabindex: 0, role: "region", "aria-label": "Pictures per character" },
        make(
          "table",
          {},
          make("caption", { class: "unseen" }, "Pictures per character"),
          make(
            "thead",
            {},
            make(
              "tr",
              {},
              make("th", { scope: "col" }, "Character"),
              make("th", { scope: "col", class: "number" }, "Pictures"),
              make("th", { scope: "col" }, "Asked for"),
            ),
          ),
          make("tbody", {}, ...rows),
        ),
      ),
      make(
        "ul",
        { class: "plain" },
        make("li", {}, `Framing: ${framings.join(", ")}.`),
        make(
          "li",
          {},
          found.together
            ? `${count(found.together, "picture")} ${found.together === 1 ? "shows" : "show"} two characters or more.`
            : "None shows two characters together: how they look beside each other is not learnt.",
        ),
        make(
          "li",
          { class: found.unnamed ? "short" : null },
          found.unnamed
            ? `${count(found.unnamed, "caption")} ${found.unnamed === 1 ? "does" : "do"} not name everybody in the picture.`
            : "Every caption names everybody in its picture.",
        ),
        make(
          "li",
          {},
          `${count(found.byPeople, "caption")} ${found.byPeople === 1 ? "is" : "are"} in people's own words; ${found.dropped} ${found.dropped === 1 ? "picture was" : "pictures were"} dropped.`,
        ),
      ),
    ];
  }

  function openOnes(app, found, dialog) {
    if (!found.open) return null;
    const keepAll = () => {
      const ids = app.state.pictures
        .map(({ id }) => id)
        .filter((id) => app.state.look(id).state === storycast.OPEN);
      app.actions.judge("keep", ids);
      dialog.refresh();
    };
    return make(
      "div",
      { class: "notice warn" },
      make(
        "p",
        {},
        make("strong", {}, `${count(found.open, "picture")} ${found.open === 1 ? "is" : "are"} still open`),
        ` and ${found.open === 1 ? "stays" : "stay"} out of the dataset.`,
      ),
      button(found.open === 1 ? "Keep it too" : `Keep these ${found.open} too`, {
        icon: "keep",
        class: "quiet",
        onclick: keepAll,
      }),
    );
  }

  function whatFollows(app, found, trains) {
    const { training, minimum_per_character: least } = app.state.review;
    if (!found.kept) return null;
    if (!training)
      return make(
        "p",
        { class: "notice" },
        "The run then ends with the dataset: no training was asked for, nothing more is billed.",
      );
    if (found.isTooSmall)
      return make(
        "p",
        { class: "notice warn" },
        `A training needs at least ${count(leastPictures(training), "picture")}: none starts, and the run ends with the dataset.`,
      );
    if (!trains) {
      return make(
        "div",
        { class: "notice warn" },
        make(
          "p",
          {},
          make("strong", {}, "No training starts: "),
          ...found.shortfalls.flatMap(
            ([name, have], index) =>
              sentence`${index ? ", " : ""}${said(name)} has ${String(have)} of at least ${String(least)}`,
          ),
          ".",
        ),
        make(
          "p",
          {},
          "Keep more, drop the character from the cast, or finish: the run ends with the dataset, and it can be trained on later.",
        ),
      );
    }
    const times = found.timesSeen;
    const seen = times >= 10 ? Math.round(times).toLocaleString("en-US") : times.toFixed(1);
    return make(
      "div",
      { class: "notice" },
      make("p", {}, ...whatItCosts(training)),
      make(
        "p",
        {},
        ...sentence`${said(training.base_model)} sees each picture about ${seen} times: ${training.step_count.toLocaleString("en-US")} steps of ${String(training.batch_size)} over ${count(found.trainedOn, "picture")}${found.heldOut ? `; ${count(found.heldOut, "picture")} ${found.heldOut === 1 ? "is" : "are"} held out to grade it` : ""}.`,
      ),
      training.instance_type ? make("p", {}, whereItTrains(training)) : null,
      training.licence ? make("p", {}, ...licenceOf(training)) : null,
    );
  }

  function whatItCosts(training) {
    const { most_usd: most } = training;
    const drawn = training.instance_type ? "drawing the storyboard" : "hosting and storyboard";
    const limit = typeof most === "number" ? `, ${usd(most)} at the very most` : "";
    const terms = `at list prices of ${training.prices_as_of}, ${drawn} included${limit}. The project's budget is ${usd(training.budget_usd)}.`;
    if (isCharged(training))
      return [make("strong", {}, `Then the training starts, and costs ${range(training)}`), ` ${terms}`];
    return [
      make("strong", {}, "Then the training starts. Local stand-ins do it, and nobody is charged: "),
      `on AWS it would cost ${range(training)} ${terms}`,
    ];
  }

  function whereItTrains({ instance_type: instance, spot }) {
    const job = `A job on ${instance} trains an adapter (LoRA)`;
    return spot
      ? `${job} on spot capacity, which may cost less: AWS may interrupt it, and it goes on from its last checkpoint.`
      : `${job} on capacity of its own.`;
  }

  function licenceOf({ base_model: model, licence }) {
    const text = sentence`Licence of ${said(model)}: ${licence.name}. ${licence.restricts}`;
    // Only the web's own addresses: a review's file may come from anywhere.
    if (!/^https:\/\//.test(licence.link)) return text;
    return [...text, " ", make("a", { href: licence.link, target: "_blank", rel: "noopener noreferrer" }, "Its text"), "."];
  }

  function bundleEnd(app, found, dialog) {
    const runId = app.state.review.run_id;
    return [
      ...whatItComesTo(app, found),
      openOnes(app, found, dialog),
      make(
        "div",
        { class: "notice" },
        make(
          "p",
          {},
          make("strong", {}, "Save the decisions file and send it back"),
          " to whoever gave you this bundle. They take it in with",
        ),
        make("pre", {}, make("code", {}, `storycast review ${runId} --import FILE`)),
        make("p", {}, "and finish the review there. Until then your decisions are in this browser alone."),
      ),
      make(
        "div",
        { class: "row end" },
        button("Go on reviewing", { class: "quiet", onclick: dialog.close }),
        button("Save decisions", { icon: "save", class: "main", onclick: () => app.saveFile() }),
      ),
    ];
  }

  storycast.openFinish = openFinish;
})((window.Storycast = window.Storycast || {}));
