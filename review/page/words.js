// Says in words what was decided, and why something was not.
"use strict";

(function (storycast) {
  const { count, moment, said, sentence } = storycast.dom;
  const VERDICTS = { open: "open", kept: "kept", dropped: "dropped" };
  const STANDINGS = { cast: "in the cast", dropped: "out of the cast" };
  const VERBS = {
    keep: "kept",
    drop: "dropped",
    reopen: "reopened",
    move: "moved",
    caption: "rewrote the caption of",
    use: "chose another picture for",
  };
  const NOUNS = {
    keep: "keep",
    drop: "drop",
    reopen: "reopening",
    caption: "caption",
    move: "move",
    use: "exchange",
    rename: "new name",
    merge: "merge",
    drop_character: "dropping",
    restore_character: "restoring",
    acknowledge: "word on captions",
    undo: "undo",
  };

  const RULE_WORDS = {
    repeated_fragment: "The same words in nearly all captions",
    repeated_traits: "Standard looks repeated",
    kind_words: "What somebody is, beside the name",
    near_identical: "Captions that are nearly the same",
    missing_names: "Names missing or misspelled",
    wrong_cast: "Others named than are in the picture",
    unusable_caption: "What is no caption",
    caption_length: "Other lengths than asked for",
  };

  /** What a rule of the caption lint is about. */
  const ruleWords = (rule) => RULE_WORDS[rule] || rule;

  class Words {
    constructor(state, me) {
      this._state = state;
      this._me = me;
    }

    who(name) {
      return name === this._me ? "You" : said(name || "The run");
    }

    /** The same within a sentence. */
    byWhom(name) {
      return name === this._me ? "you" : said(name || "the run");
    }

    /** What a change is about: picture 3 and whom it is of, or a character. */
    subject(subject) {
      const [kind, key] = split(subject);
      if (kind === "lint") return [ruleWords(key)];
      if (kind === "character") return [said(this._state.names.get(key) || key)];
      if (!this._state.has(key)) return ["a picture"];
      return sentence`picture ${String(this._state.numberOf(key))} (${said(this._state.look(key).name)})`;
    }

    /** The value of a field, as people say it. */
    value(change, text) {
      if (change.field === "verdict") return VERDICTS[text] || said(text);
      if (change.field === "acknowledged") return text === "yes" ? "may stay" : "stands against a training";
      if (change.field === "standing") return STANDINGS[text] || said(text);
      if (change.field === "character") return said(this._state.names.get(text) || text);
      if (change.field === "shown")
        return change.subject === `picture:${text}` ? "the run's choice" : said(`duplicate ${text}`);
      return said(text);
    }

    /** What a decision did, after its maker's name: kept 12 pictures. `parts`: the parts of one bulk action. */
    done(decision, parts = [decision]) {
      const changes = parts.flatMap((part) => part.changes);
      const [first] = changes;
      switch (decision.what) {
        case "finish":
          return ["finished the review"];
        case "time_out":
          return ["ended the review: its time was over"];
        case "undo":
          return this._undid(decision, changes);
        case "rename":
          return first ? sentence`renamed ${said(first.before)} to ${said(first.after)}` : ["renamed somebody"];
        case "merge":
          return first
            ? sentence`merged ${said(first.before)} into ${said(first.after)}`
            : ["merged two characters"];
        case "drop_character":
          return first ? sentence`dropped ${this.subject(first.subject)} from the cast` : ["dropped a character"];
        case "acknowledge":
          if (!first) return ["said a word on the captions"];
          return first.after === "yes"
            ? sentence`let this stay: “${this.subject(first.subject)}”`
            : sentence`no longer lets this stay: “${this.subject(first.subject)}”`;
        case "restore_character":
          return first
            ? sentence`took ${this.subject(first.subject)} back into the cast`
            : ["took a character back"];
        default:
          break;
      }
      const what = changes.length === 1 ? this.subject(first.subject) : [count(changes.length, "picture")];
      const whereTo = decision.what === "move" && first ? sentence` to ${this.value(first, first.after)}` : [];
      return [`${VERBS[decision.what] || "changed"} `, ...what, ...whereTo];
    }

    _undid(decision, changes) {
      const undone =
        this._state.log.find((one) => one.id === decision.undoes) ||
        this._state.unsaved.find((one) => one.id === decision.undoes);
      if (!undone) return [`took back ${count(changes.length, "change")}`];
      if (undone.what === "undo") return [`did again what was taken back (${count(changes.length, "change")})`];
      const whose = undone.who === decision.who ? [] : sentence` of ${this.byWhom(undone.who)}`;
      return [`took back the ${NOUNS[undone.what] || "change"}`, ...whose, ` of `, ...this._of(changes)];
    }

    _of(changes) {
      if (changes.length === 1) return this.subject(changes[0].subject);
      const isCast = changes.length && changes[0].subject.startsWith("character:");
      return [count(changes.length, isCast ? "character" : "picture")];
    }

    /** What to call one's own decision that was not made. */
    noun(what) {
      return NOUNS[what] || "change";
    }

    /** Why a change was not made: Ben dropped picture 3 at 12:03. */
    conflict(one) {
      const who = this.who(one.who);
      const at = one.when ? ` at ${moment(one.when)}` : "";
      const what = this.subject(one.subject);
      if (one.field === "verdict") {
        const verb = { open: "reopened", kept: "kept", dropped: "dropped" }[one.now] || "changed";
        return sentence`${who} ${verb} ${what}${at}`;
      }
      if (one.field === "caption") return sentence`${who} wrote for ${what}${at}: “${said(one.now)}”`;
      if (one.field === "character") return sentence`${who} moved ${what} to ${this.value(one, one.now)}${at}`;
      if (one.field === "shown") return sentence`${who} chose ${this.value(one, one.now)} for ${what}${at}`;
      if (one.field === "acknowledged") return sentence`${who} said of “${what}”${at}: ${this.value(one, one.now)}`;
      if (one.field === "name") return sentence`${who} named ${said(split(one.subject)[1])} ${said(one.now)}${at}`;
      const standing = one.now === storycast.DROPPED ? "dropped" : "restored";
      return sentence`${who} ${standing} ${what}${at}`;
    }
  }

  /** "picture:0a1b" as its two parts; names may hold colons. */
  function split(subject) {
    const at = subject.indexOf(":");
    return [subject.slice(0, at), subject.slice(at + 1)];
  }

  Object.assign(storycast, { Words, ruleWords });
})((window.Storycast = window.Storycast || {}));
