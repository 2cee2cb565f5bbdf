// Pictures loaded and decoded before they are asked for, so that the next one is there when the key goes down.
"use strict";

(function (storycast) {
  const MOST = 16;

  class PictureCache {
    constructor(backend) {
      this._backend = backend;
      this._entries = new Map();
    }

    /** A picture: {image, isReady, ready}. The one that is used last is thrown out last. */
    get(cropId) {
      let entry = this._entries.get(cropId);
      if (entry) {
        this._entries.delete(cropId);
      } else {
        entry = this._loading(cropId);
      }
      this._entries.set(cropId, entry);
      for (const oldest of this._entries.keys()) {
        if (this._entries.size <= MOST) break;
        this._entries.delete(oldest);
      }
      return entry;
    }

    _loading(cropId) {
      const image = new Image();
      image.decoding = "sync";
      image.src = this._backend.full(cropId);
      const entry = { image, isReady: false, isBroken: false, ready: null };
      entry.ready = image.decode().then(
        () => {
          entry.isReady = true;
        },
        () => {
          // Nothing is kept of what failed: the next look tries again.
          entry.isBroken = true;
          if (this._entries.get(cropId) === entry) this._entries.delete(cropId);
        },
      );
      return entry;
    }
  }

  storycast.PictureCache = PictureCache;
})((window.Storycast = window.Storycast || {}));
