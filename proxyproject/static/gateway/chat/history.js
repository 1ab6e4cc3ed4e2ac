// This conversation, kept for this tab: a reload finds it again, and nobody else who signs in here does.

const PREFIX = "chat:";

export class History {
  // Turns are {role, content} and, of answers, {reasoning, source, end, failure}.
  constructor(user) {
    this.key = PREFIX + user;
    this.turns = this.#kept();
    this.before = null;
  }

  #kept() {
    try {
      for (const key of Object.keys(sessionStorage)) {
        if (key.startsWith(PREFIX) && key !== this.key) sessionStorage.removeItem(key);
      }
      return JSON.parse(sessionStorage.getItem(this.key)) ?? [];
    } catch {
      return []; // a browser that keeps nothing for this site
    }
  }

  keep() {
    try {
      sessionStorage.setItem(this.key, JSON.stringify(this.turns));
    } catch {
      // too large, or nothing is kept here: then a reload begins anew
    }
  }

  forget() {
    this.turns = [];
    this.before = null;
    try {
      sessionStorage.removeItem(this.key);
    } catch {
      // nothing was kept
    }
  }

  begin() {
    this.before = this.turns;
    this.turns = [];
    this.keep();
  }

  bringBack() {
    this.turns = this.before ?? [];
    this.before = null;
    this.keep();
  }

  // What a model is told of it: all that was said, but not that an answer failed.
  get messages() {
    return this.turns.filter((turn) => turn.content.trim()).map(({ role, content }) => ({ role, content }));
  }
}
