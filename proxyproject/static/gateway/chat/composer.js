// Where a question is written. Enter sends, Shift Enter breaks the line, Esc stops; a composition in progress is let be.

export class Composer extends EventTarget {
  // Events: "ask" (detail: the text) and "stop".
  constructor(form) {
    super();
    this.field = form.querySelector("textarea");
    this.sendButton = form.querySelector("#send");
    this.stopButton = form.querySelector("#stop");
    this.isBusy = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
    this.field.addEventListener("input", () => this.#fit());
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#ask();
    });
    this.stopButton.addEventListener("click", () => this.#stop());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing && this.isBusy) this.#stop();
    });
    this.#fit();
  }

  #ask() {
    const text = this.field.value.trim();
    if (!text || this.isBusy) return;
    this.dispatchEvent(new CustomEvent("ask", { detail: text }));
  }

  #stop() {
    this.dispatchEvent(new Event("stop"));
  }

  clear() {
    this.field.value = "";
    this.#fit();
  }

  focus() {
    this.field.focus();
  }

  setBusy(isBusy) {
    const hadFocus = [this.sendButton, this.stopButton].includes(document.activeElement);
    this.isBusy = isBusy;
    this.sendButton.hidden = isBusy;
    this.stopButton.hidden = !isBusy;
    this.#fit();
    if (hadFocus) this.focus();
  }

  #fit() {
    this.sendButton.disabled = !this.field.value.trim();
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }
}
