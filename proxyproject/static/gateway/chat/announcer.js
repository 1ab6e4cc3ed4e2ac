// Says an answer to a screen reader sentence by sentence, in a polite live region.

const SENTENCE_END = /[.!?…።؟。！？]["'”’)\]]*\s+|\n+/gu;
const MOST_SENTENCES = 4;

export class Announcer {
  constructor(region) {
    this.region = region;
    this.rest = "";
  }

  hear(text) {
    this.rest += text;
    let end = 0;
    for (const match of this.rest.matchAll(SENTENCE_END)) end = match.index + match[0].length;
    if (end) this.say(this.rest.slice(0, end));
    this.rest = this.rest.slice(end);
  }

  finish(last = "") {
    this.say(this.rest);
    this.rest = "";
    this.say(last);
  }

  say(text) {
    if (!text.trim()) return;
    const sentence = document.createElement("p");
    sentence.textContent = text.trim();
    this.region.append(sentence);
    while (this.region.children.length > MOST_SENTENCES) this.region.firstElementChild.remove();
  }
}
