// The socket to the gateway: open as long as the page is, opened anew when it breaks, more patiently each time.

const FIRST_WAIT = 500; // milliseconds
const LONGEST_WAIT = 15_000;
const SIGNED_OUT = 4401;

export class Connection extends EventTarget {
  // Events: "message" (detail: the object), "open", "lost" (it was open), "signedout", and "down" once it is away longer.
  constructor(address) {
    super();
    this.address = address;
    this.socket = null;
    this.unsent = null;
    this.tries = 0;
    this.timer = null;
    addEventListener("online", () => this.openNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.openNow());
    this.open();
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  // Sends now, or as soon as there is a connection. Only the latest is kept for then.
  send(message) {
    if (this.isOpen) this.socket.send(JSON.stringify(message));
    else this.unsent = message;
  }

  dropUnsent() {
    const had = this.unsent !== null;
    this.unsent = null;
    return had;
  }

  openNow() {
    if (this.timer === null) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.open();
  }

  open() {
    let wasOpen = false;
    const socket = new WebSocket(this.address);
    this.socket = socket;
    socket.addEventListener("open", () => {
      wasOpen = true;
      this.tries = 0;
      this.dispatchEvent(new Event("open"));
      if (this.unsent) this.send(this.unsent);
      this.unsent = null;
    });
    socket.addEventListener("message", (event) => {
      this.dispatchEvent(new CustomEvent("message", { detail: JSON.parse(event.data) }));
    });
    socket.addEventListener("close", (event) => {
      if (wasOpen) this.dispatchEvent(new Event("lost"));
      if (event.code === SIGNED_OUT) this.dispatchEvent(new Event("signedout"));
      else if (wasOpen) this.openLater();
      else this.findOutWhy();
    });
  }

  // A browser does not tell why a handshake failed. Somebody who is signed out need not try again.
  async findOutWhy() {
    let status = 0;
    try {
      status = (await fetch("/api/quota", { headers: { accept: "application/json" } })).status;
    } catch {
      // the server is away too
    }
    if (status === 401) this.dispatchEvent(new Event("signedout"));
    else this.openLater();
  }

  openLater() {
    if (this.tries > 0) this.dispatchEvent(new Event("down"));
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.tries) * (0.5 + Math.random() / 2);
    this.tries += 1;
    this.timer = setTimeout(() => this.openNow(), wait);
  }
}
