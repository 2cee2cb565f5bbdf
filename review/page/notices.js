// Tells people what happened: in passing, until they have read it, or as long as it holds.
"use strict";

(function (storycast) {
  const { button, byId, make } = storycast.dom;
  const TOAST_MS = 6_000;
  const MOST_TOASTS = 3;

  const notices = {
    /** Say something to those who listen to the page. */
    announce(text) {
      // The same words again are said again.
      const live = byId("live");
      live.textContent = live.textContent === text ? `${text}\u00a0` : text;
    },

    /** Show a note for some seconds. `action`: {label, key, run}. */
    toast(children, { action = null, kind = "" } = {}) {
      const note = make("div", { class: `toast ${kind}` }, make("p", {}, ...[children].flat()));
      const gone = () => note.remove();
      if (action) {
        const act = () => {
          gone();
          action.run();
        };
        note.append(button(action.label, { key: action.key, class: "quiet", onclick: act }));
      }
      note.append(button("Dismiss", { icon: "close", class: "bare", onclick: gone }));
      const toasts = byId("toasts");
      // The same again stands there once.
      for (const other of toasts.children) if (other.textContent === note.textContent) other.remove();
      toasts.append(note);
      while (toasts.children.length > MOST_TOASTS) toasts.firstChild.remove();
      let timer = setTimeout(gone, TOAST_MS);
      note.addEventListener("pointerenter", () => clearTimeout(timer));
      note.addEventListener("focusin", () => clearTimeout(timer));
      note.addEventListener("pointerleave", () => {
        timer = setTimeout(gone, TOAST_MS);
      });
      notices.announce(note.querySelector("p").textContent);
      return gone;
    },

    /** Show something above the page until it no longer holds; `id` names it, null children take it away. */
    banner(id, children, { kind = "", actions = [], isUrgent = false } = {}) {
      const banners = byId("banners");
      const there = banners.querySelector(`[data-banner="${id}"]`);
      if (!children) {
        if (there) there.remove();
        return;
      }
      const text = make("div", { class: "words" }, ...[children].flat());
      const buttons = actions.map(({ label, run }) => button(label, { class: "quiet", onclick: run }));
      const banner = make(
        "div",
        { class: `banner ${kind}`, "data-banner": id, role: isUrgent ? "alert" : "status" },
        text,
        make("div", { class: "row" }, ...buttons),
      );
      if (there && there.textContent === banner.textContent) return;
      if (there) there.replaceWith(banner);
      else banners.append(banner);
    },
  };

  storycast.notices = notices;
})((window.Storycast = window.Storycast || {}));
