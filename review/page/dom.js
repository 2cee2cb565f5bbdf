// Makes elements. Whatever comes from data becomes text or an attribute's value, never markup.
"use strict";

(function (storycast) {
  const SVG = "http://www.w3.org/2000/svg";

  /** make("p", {class: "soft", onclick: f}, "text", element, null): an element with its children. */
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
  }

  /** Give an element other children; null ones are left out. */
  const fill = (element, ...children) =>
    element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));

  /** Somebody's words inside a sentence of ours: their direction does not spill over. */
  const said = (text, properties = {}) => make("bdi", { dir: "auto", ...properties }, text);

  function icon(name) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", `#icon-${name}`);
    svg.append(use);
    return svg;
  }

  /** The hint of a key on a button. The button's aria-keyshortcuts says the same to those who do not see it. */
  const hint = (key) => make("kbd", { "aria-hidden": "true" }, key);

  /** A button: button("Keep", {icon: "keep", key: "K", class: "good", onclick}). */
  function button(label, { icon: picture, key, shortcut, ...properties } = {}) {
    return make(
      "button",
      { type: "button", "aria-keyshortcuts": shortcut || (key && shortcutOf(key)), ...properties },
      picture ? icon(picture) : null,
      make("span", { class: "label" }, label),
      key ? hint(key) : null,
    );
  }

  const shortcutOf = (key) =>
    key.replace("⇧", "Shift+").replace("Ctrl ", "Control+").replace("←", "ArrowLeft").replace("→", "ArrowRight");

  /** A sentence with somebody's words in it: sentence`${said(name)} was kept` as a list of children. */
  function sentence(strings, ...values) {
    return strings.flatMap((text, index) => (index < values.length ? [text, values[index]] : [text])).flat();
  }

  const byId = (id) => document.getElementById(id);

  const isEnglish = (navigator.language || "en").startsWith("en");
  const LOCALE = isEnglish ? navigator.language || "en" : "en-GB";
  const CLOCK = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" });
  const DAY = new Intl.DateTimeFormat(LOCALE, {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  });

  /** A time as people say it: of today without its day. */
  function moment(iso) {
    const when = new Date(iso);
    if (Number.isNaN(when.getTime())) return iso;
    return when.toDateString() === new Date().toDateString() ? CLOCK.format(when) : DAY.format(when);
  }

  const count = (number, one, many = `${one}s`) =>
    `${number.toLocaleString("en-US")} ${number === 1 ? one : many}`;

  /** Place in a film: 1:02:03.4. */
  function filmTime(ms) {
    const hours = Math.floor(ms / 3_600_000);
    const minutes = Math.floor(ms / 60_000) % 60;
    const seconds = ((ms / 1000) % 60).toFixed(1).padStart(4, "0");
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
  }

  Object.assign(storycast, {
    dom: { button, byId, count, fill, filmTime, hint, icon, make, moment, said, sentence },
  });
})((window.Storycast = window.Storycast || {}));
