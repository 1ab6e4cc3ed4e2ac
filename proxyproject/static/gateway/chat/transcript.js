// What was said, as it is seen. Text is appended in animation frames; what is there already is never touched again.

const NEAR_END = 40; // pixels

export class Transcript {
  constructor(list, scroller, toEnd) {
    this.list = list;
    this.scroller = scroller;
    this.toEnd = toEnd;
    this.follows = true; // the reader is at the end
    scroller.addEventListener("scroll", () => this.#look(), { passive: true });
    toEnd.addEventListener("click", () => this.goToEnd());
    const sizes = new ResizeObserver(() => this.keepUp());
    for (const part of [list, scroller, toEnd.parentElement]) sizes.observe(part); // the last: a long question takes room too
  }

  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.follows = scrollHeight - scrollTop - clientHeight < NEAR_END;
    this.toEnd.hidden = this.follows;
  }

  keepUp() {
    if (this.follows) this.scroller.scrollTop = this.scroller.scrollHeight;
    else this.#look();
  }

  goToEnd() {
    this.follows = true;
    this.toEnd.hidden = true;
    this.keepUp();
  }

  clear() {
    this.list.replaceChildren();
    this.goToEnd();
  }

  addPerson(text) {
    const item = made("said-by-person");
    item.querySelector(".said").textContent = text;
    this.list.append(item);
  }

  addAnswer() {
    const item = made("said-by-model");
    this.list.append(item);
    return new AnswerView(item);
  }
}

function made(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

export class AnswerView {
  constructor(item) {
    this.item = item;
    this.said = new Flow(item.querySelector(".said"));
    this.thought = new Flow(item.querySelector(".thought"));
    this.part(".copy").addEventListener("click", () => copy(this.part(".copy"), this.said.text));
    this.part(".copy-id").addEventListener("click", () => copy(this.part(".copy-id"), this.part(".request code").textContent));
  }

  part(selector) {
    return this.item.querySelector(selector);
  }

  set isComing(isComing) {
    this.item.classList.toggle("coming", isComing);
    this.item.setAttribute("aria-busy", String(isComing));
  }

  say(text) {
    this.said.add(text);
  }

  think(text) {
    this.part(".reasoning").hidden = false;
    this.thought.add(text);
  }

  finish(source, end) {
    this.isComing = false;
    this.said.flush();
    this.thought.flush();
    this.part(".source").textContent = source;
    this.part(".end").textContent = end;
    this.part(".end").hidden = !end;
    this.part(".copy").hidden = !navigator.clipboard || !this.said.text;
    this.part(".below").hidden = !this.said.text && !end;
  }

  // Parameters: told, {title, text, requestId, mayRetry, signIn, usage}; again, what Try again does.
  fail(told, again) {
    this.part(".failure").hidden = false;
    this.part(".failure-title").textContent = told.title;
    this.part(".failure-text").textContent = told.text;
    this.part(".again").hidden = !told.mayRetry;
    this.part(".again").addEventListener("click", again);
    this.part(".sign-in").hidden = !told.signIn;
    this.part(".usage").hidden = !told.usage;
    this.part(".request").hidden = !told.requestId;
    this.part(".request code").textContent = told.requestId ?? "";
    this.part(".copy-id").hidden = !navigator.clipboard;
  }

  noMoreTries() {
    this.part(".again").hidden = true;
  }

  remove() {
    this.item.remove();
  }
}

// Text that grows, at most once for each frame that is drawn.
class Flow {
  constructor(element) {
    this.node = document.createTextNode("");
    element.append(this.node);
    this.waiting = "";
    this.frame = null;
  }

  get text() {
    return this.node.data + this.waiting;
  }

  add(text) {
    this.waiting += text;
    if (document.hidden) this.flush(); // no frames are drawn, and the text must not pile up
    else this.frame ??= requestAnimationFrame(() => this.flush());
  }

  flush() {
    if (this.frame !== null) cancelAnimationFrame(this.frame);
    this.frame = null;
    if (this.waiting) this.node.appendData(this.waiting);
    this.waiting = "";
  }
}

async function copy(button, text) {
  const label = button.textContent;
  await navigator.clipboard.writeText(text);
  button.textContent = button.dataset.done;
  setTimeout(() => (button.textContent = label), 2000);
}
