// Moments in the browser's zone, where the reader has chosen none. Without this file they stand there with their own zone.

const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;

const TIME = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" };
const DATE = { day: "numeric", month: "long" };
const FORMS = { time: [TIME], date: [DATE], moment: [DATE, TIME], full: [{ ...DATE, year: "numeric" }, TIME] };

const zone = document.querySelector("[data-zone]");
if (zone?.dataset.zone !== "fixed") {
  for (const told of document.querySelectorAll("time[data-form]")) {
    const moment = new Date(told.dateTime);
    told.textContent = FORMS[told.dataset.form].map((form) => moment.toLocaleString(language, form)).join(", ");
  }
  if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
}
