// What this browser keeps for the page, where it lets us keep anything.
"use strict";

(function (storycast) {
  const stores = { local: "localStorage", session: "sessionStorage" };

  function storeOf(kind) {
    try {
      return window[stores[kind]];
    } catch {
      return null;
    }
  }

  storycast.storage = {
    read(kind, key) {
      try {
        return JSON.parse(storeOf(kind).getItem(key));
      } catch {
        return null;
      }
    },
    /** Whether it could be kept. */
    write(kind, key, value) {
      try {
        storeOf(kind).setItem(key, JSON.stringify(value));
        return true;
      } catch {
        return false;
      }
    },
    remove(kind, key) {
      try {
        storeOf(kind).removeItem(key);
      } catch {
        // Then it was never there.
      }
    },
    keys(kind, prefix) {
      try {
        return Object.keys(storeOf(kind)).filter((key) => key.startsWith(prefix));
      } catch {
        return [];
      }
    },
  };
})((window.Storycast = window.Storycast || {}));
