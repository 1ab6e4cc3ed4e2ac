// The chat: puts the parts together and tells each what the others need to know.

import { Announcer } from "./announcer.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { explained } from "./failures.js";
import { History } from "./history.js";
import { Models } from "./models.js";
import { Quota } from "./quota.js";
import { Transcript } from "./transcript.js";

const at = (id) => document.getElementById(id);
const { user, largestMessage, words } = JSON.parse(at("known").textContent);
const ENDS = { length: words.length, stopped: words.stopped, content_filter: words.filtered };

const history = new History(user);
const transcript = new Transcript(at("transcript"), at("scroller"), at("to-end"));
const announcer = new Announcer(at("heard"));
const composer = new Composer(at("composer"));
const models = new Models(at("model"), words);
const quota = new Quota(at("left"), words, () => models.provider);
const connection = new Connection(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/chat/`);

let asked = null; // what is being answered: {id, turn, view}
let lastFailed = null; // the view that has the button to try again
let number = 0;

function ask() {
  const message = { type: "ask", id: `${Date.now()}-${(number += 1)}`, messages: history.messages };
  if (models.chosen) message.model = models.chosen;
  const turn = { role: "assistant", content: "", failure: { code: "CONNECTION" } }; // until it has ended otherwise
  lastFailed?.noMoreTries();
  history.turns.push(turn);
  history.keep();
  const view = transcript.addAnswer();
  view.isComing = true;
  asked = { id: message.id, turn, view };
  composer.setBusy(true);
  showState();
  transcript.goToEnd();
  if (new TextEncoder().encode(JSON.stringify(message)).length > largestMessage) fail({ code: "TOO_LONG" });
  else connection.send(message);
}

function end() {
  asked = null;
  showState();
  history.keep();
  composer.setBusy(false);
  quota.load();
}

function fail(failure) {
  const { turn, view } = asked;
  turn.failure = failure;
  announcer.finish(show(turn, view));
  end();
}

// Shows an answer that has ended. Returns what a screen reader is to be told beside its text.
function show(turn, view) {
  const ending = ENDS[turn.end] ?? "";
  view.finish(turn.source ?? "", ending);
  if (!turn.failure) return ending;
  const told = explained(turn.failure, turn.content, words);
  view.fail(told, () => tryAgain(turn, view));
  lastFailed = view;
  return `${told.title}. ${told.text}`;
}

function tryAgain(turn, view) {
  if (asked || history.turns.at(-1) !== turn) return;
  history.turns.pop();
  view.remove();
  composer.focus();
  ask();
}

const HEARS = {
  started({ provider, model }) {
    asked.turn.source = [provider, model].filter(Boolean).join(" · ");
  },
  delta({ content }) {
    asked.turn.content += content;
    asked.view.say(content);
    announcer.hear(content);
  },
  reasoning({ content }) {
    asked.turn.reasoning = (asked.turn.reasoning ?? "") + content;
    asked.view.think(content);
  },
  done({ finish_reason }) {
    const { turn, view } = asked;
    delete turn.failure;
    turn.end = finish_reason;
    announcer.finish(show(turn, view));
    end();
  },
  error(event) {
    fail(event);
  },
};

connection.addEventListener("message", ({ detail }) => {
  if (asked && detail.id === asked.id) HEARS[detail.type]?.(detail);
});
connection.addEventListener("open", () => (at("offline").hidden = true));
connection.addEventListener("down", () => (at("offline").hidden = false));
connection.addEventListener("lost", () => asked && !connection.unsent && fail({ code: "CONNECTION" }));
connection.addEventListener("signedout", () => {
  connection.dropUnsent();
  if (!asked) addSignedOut();
  else if (asked.turn.failure?.code !== "UNAUTHORIZED") fail({ code: "UNAUTHORIZED" });
});

function addSignedOut() {
  if (history.turns.at(-1)?.failure?.code === "UNAUTHORIZED") return;
  transcript.addAnswer().fail(explained({ code: "UNAUTHORIZED" }, "", words), () => {});
}

composer.addEventListener("ask", ({ detail }) => {
  if (asked) return;
  history.turns.push({ role: "user", content: detail });
  transcript.addPerson(detail);
  composer.clear();
  ask();
});

composer.addEventListener("stop", () => {
  if (!asked) return;
  if (connection.dropUnsent()) HEARS.done({ finish_reason: "stopped" });
  else connection.send({ type: "stop" });
});

for (const suggestion of document.querySelectorAll(".suggestion")) {
  suggestion.addEventListener("click", () => {
    composer.focus();
    composer.dispatchEvent(new CustomEvent("ask", { detail: suggestion.textContent }));
  });
}

at("new-chat").addEventListener("click", () => {
  if (asked) return;
  history.begin();
  render();
  composer.focus();
});

at("undo").addEventListener("click", () => {
  history.bringBack();
  render();
  composer.focus();
});

at("model").addEventListener("change", () => quota.show());
addEventListener("pagehide", () => history.keep());
document.querySelector('form[action$="/logout"]')?.addEventListener("submit", () => history.forget());

function showState() {
  const isEmpty = history.turns.length === 0;
  at("empty").hidden = !isEmpty;
  at("undo").hidden = !history.before?.length;
  at("new-chat").hidden = isEmpty;
  at("new-chat").disabled = asked !== null;
}

function render() {
  transcript.clear();
  lastFailed = null;
  for (const turn of history.turns) {
    lastFailed?.noMoreTries();
    if (turn.role === "user") transcript.addPerson(turn.content);
    else {
      const view = transcript.addAnswer();
      if (turn.reasoning) view.think(turn.reasoning);
      view.say(turn.content);
      show(turn, view);
    }
  }
  showState();
  transcript.goToEnd();
}

render();
models.load().then(() => quota.show());
quota.load();
