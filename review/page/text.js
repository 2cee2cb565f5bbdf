// What names and captions may be, and what stands out in them: the same rules as storycast.approval,
// storycast.captions and storycast.review have. A test holds the two against each other.
"use strict";

(function (storycast) {
  const MIN_CAPTION = 3;
  const MAX_CAPTION = 1024;
  const MAX_NAME = 60;
  const TOLERANCE = 0.2;
  const WORD = "[\\p{L}\\p{N}_]";
  const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

  const escaped = (text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  const length = (text) => [...text].length;
  const fold = (text) => text.toLowerCase();
  const MOST_PATTERNS = 500;
  const patterns = new Map();

  /** A pattern for whole words. They are kept: the same few names are looked for in every caption. */
  function whole(pattern, flags) {
    const key = `${flags} ${pattern}`;
    let found = patterns.get(key);
    if (!found) {
      if (patterns.size >= MOST_PATTERNS) patterns.clear();
      found = new RegExp(`(?<!${WORD})(?:${pattern})(?!${WORD})`, flags);
      patterns.set(key, found);
    }
    return found;
  }

  /** A caption with whole names replaced, all at once, so that two names can be exchanged. `names`: Map old -> new. */
  function renamed(caption, names) {
    const changed = new Map();
    for (const [old, now] of names) {
      if (old !== now) changed.set(old, now);
    }
    if (!changed.size) return caption;
    const longestFirst = [...changed.keys()].sort((a, b) => length(b) - length(a));
    const found = whole(longestFirst.map((old) => `(${escaped(old)})`).join("|"), "giu");
    return caption.replace(found, (_match, ...groups) => {
      const which = longestFirst.findIndex((_old, index) => groups[index] !== undefined);
      return changed.get(longestFirst[which]);
    });
  }

  /** Which names stand in a caption: Al is not named by "always", nor Tom by "Old Tom" where both are asked for. */
  function namesIn(caption, names) {
    const byFolded = new Map(names.map((name) => [fold(name), name]));
    if (!byFolded.size) return new Set();
    const longestFirst = [...byFolded.keys()].sort((a, b) => length(b) - length(a)).map(escaped);
    const found = fold(caption).matchAll(whole(longestFirst.join("|"), "gu"));
    return new Set([...found].map(([text]) => byFolded.get(text)));
  }

  /** Places of names in a caption, [from, to] in order, for marking them. */
  function placesOf(caption, names) {
    if (!names.length) return [];
    const longestFirst = [...names].sort((a, b) => length(b) - length(a)).map(escaped);
    return [...caption.matchAll(whole(longestFirst.join("|"), "giu"))].map((one) => [
      one.index,
      one.index + one[0].length,
    ]);
  }

  function wordCount(caption) {
    return caption.split(/\s+/u).filter(Boolean).length;
  }

  /** What a reviewer should look at: a wrong length, a missing name. `words`: [least, most]. */
  function captionFlags(caption, inPicture, words) {
    const flags = [];
    const count = wordCount(caption);
    if (count < Math.floor(words[0] * (1 - TOLERANCE)) || count > Math.ceil(words[1] * (1 + TOLERANCE))) {
      flags.push({ kind: "length", text: `${count} words, asked for ${words[0]} to ${words[1]}` });
    }
    const named = namesIn(caption, inPicture);
    const missing = inPicture.filter((name) => !named.has(name));
    if (missing.length) flags.push({ kind: "unnamed", text: `does not name ${missing.join(", ")}` });
    return flags;
  }

  /** Why a character cannot be called so; empty when it can. */
  function nameProblem(name) {
    const bare = name.trim();
    const isUsable =
      bare &&
      length(bare) <= MAX_NAME &&
      fold(bare) !== "unknown" &&
      !UNPRINTABLE.test(bare) &&
      !/[<>{}"\\]/.test(bare);
    if (!isUsable) {
      return "A name has 1 to 60 characters, is not 'unknown', and holds no quotes, backslashes, <, >, { or }.";
    }
    return bare === name ? "" : "A name does not begin or end with a space.";
  }

  /** Why a text cannot be a caption; empty when it can. */
  function captionProblem(caption) {
    const count = length(caption);
    if (count < MIN_CAPTION || count > MAX_CAPTION) {
      const told = count.toLocaleString("en-US");
      return `A caption has ${MIN_CAPTION} to ${MAX_CAPTION.toLocaleString("en-US")} characters; this one has ${told}.`;
    }
    if (UNPRINTABLE.test(caption)) return "A caption is one line, without control characters.";
    return caption === caption.trim() ? "" : "A caption does not begin or end with a space.";
  }

  const isPrintable = (text) => !UNPRINTABLE.test(text);

  /** What somebody typed, as one line. */
  const oneLine = (text) => text.split(/\s+/u).filter(Boolean).join(" ");

  storycast.text = {
    MAX_CAPTION,
    MAX_NAME,
    captionFlags,
    captionProblem,
    isPrintable,
    length,
    nameProblem,
    namesIn,
    oneLine,
    placesOf,
    renamed,
    wordCount,
  };
})((window.Storycast = window.Storycast || {}));
