// As many of Amazon's crowd elements as Storycast's worker template needs. Amazon's own are on its servers.
"use strict";

// An element that is made ready once, when all of its content is there; crowd-form moves those within it.
class CrowdElement extends HTMLElement {
  #isReady = false;

  connectedCallback() {
    if (document.readyState === "loading") {
      document.addEventListener("DOMContentLoaded", () => this.#makeReady(), { once: true });
    } else {
      this.#makeReady();
    }
  }

  #makeReady() {
    if (!this.#isReady) {
      this.#isReady = true;
      this.setUp();
    }
  }
}

// A form's fields as Amazon's crowd-form sends them: radio buttons and boxes as {value: is chosen}, the rest as text.
function answerOf(form) {
  const answer = {};
  for (const field of form.elements) {
    if (!field.name) {
      continue;
    }
    if (field.type === "radio" || field.type === "checkbox") {
      answer[field.name] = { ...answer[field.name], [field.value]: field.checked };
    } else {
      answer[field.name] = field.value;
    }
  }
  return answer;
}

class CrowdForm extends CrowdElement {
  setUp() {
    const form = document.createElement("form");
    form.append(...this.childNodes);
    this.append(form);
    if (!form.querySelector("crowd-button")) {
      form.append(document.createElement("crowd-button"));
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(form);
    });
    if (document.body.dataset.open !== "yes") {
      tell("This human loop takes no answer from you any more.");
      this.#close(form);
    }
  }

  async #send(form) {
    const { loop, worker } = document.body.dataset;
    const said = JSON.stringify({ worker, answer: answerOf(form) });
    this.#close(form);
    try {
      const sent = await fetch(`/_storycast/a2i/loops/${loop}/answers`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: said,
      });
      const told = await sent.json();
      tell(sent.ok ? "Your answer was taken in." : `It was not taken in: ${told.message}`);
    } catch (error) {
      tell(`It was not sent: ${error.message}. Submit again.`);
      this.#open(form);
    }
  }

  #close(form) {
    for (const field of form.elements) {
      field.disabled = true;
    }
  }

  #open(form) {
    for (const field of form.elements) {
      field.disabled = false;
    }
  }
}

class CrowdButton extends CrowdElement {
  setUp() {
    const button = document.createElement("button");
    button.type = "submit";
    button.textContent = this.textContent.trim() || "Submit";
    this.replaceChildren(button);
  }
}

class FullInstructions extends CrowdElement {
  setUp() {
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    summary.textContent = this.getAttribute("header") || "Instructions";
    details.append(summary, ...this.childNodes);
    this.append(details);
  }
}

function tell(text) {
  const place = document.getElementById("told");
  place.textContent = text;
  place.scrollIntoView();
}

customElements.define("full-instructions", FullInstructions);
customElements.define("crowd-button", CrowdButton);
customElements.define("crowd-form", CrowdForm);
