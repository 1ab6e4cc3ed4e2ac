// What is left, in one line: the limit that is nearest to its end, of those that hold for the model that is chosen.

const LITTLE = 0.1;
const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;

export class Quota {
  constructor(line, words, providerOf) {
    this.line = line;
    this.words = words;
    this.providerOf = providerOf;
    this.limits = [];
    this.timer = null;
  }

  async load() {
    try {
      const answer = await fetch("/api/quota", { headers: { accept: "application/json" } });
      if (!answer.ok) return;
      this.limits = (await answer.json()).data;
      this.show();
    } catch {
      // without a connection the line stays as it is
    }
  }

  show() {
    const provider = this.providerOf();
    const counted = this.limits.filter(
      (one) => one.unit !== "concurrency" && (!one.provider || !provider || one.provider === provider),
    );
    const nearest = counted.sort((one, other) => share(one) - share(other))[0];
    this.line.hidden = !nearest;
    if (!nearest) return;
    this.line.textContent = told(nearest, this.words);
    this.line.dataset.level = nearest.remaining <= 0 ? "bad" : share(nearest) < LITTLE ? "attention" : "";
    clearTimeout(this.timer);
    const wait = nearest.resets_at ? new Date(nearest.resets_at) - Date.now() : Infinity;
    if (wait < 86_400_000) this.timer = setTimeout(() => this.load(), Math.max(1000, wait + 500));
  }
}

function share(one) {
  return one.limit > 0 ? one.remaining / one.limit : 0;
}

// Parameters: one, as /api/quota has it, or the details of a refusal by a quota.
export function told(one, words) {
  const remaining = one.remaining ?? Math.max(0, one.limit - one.used - one.reserved);
  const left = words.left[one.unit]
    .replace("{left}", amount(remaining, one))
    .replace("{limit}", amount(one.limit, one))
    .replace("{when}", words.when[one.window]);
  if (!one.resets_at || one.unit === "concurrency") return left;
  const moment = new Date(one.resets_at);
  const isSoon = moment - Date.now() < 86_400_000;
  const time = moment.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const date = moment.toLocaleDateString(language, { day: "numeric", month: "long" });
  return isSoon
    ? words.resetsAt.replace("{left}", left).replace("{time}", time)
    : words.resetsOn.replace("{left}", left).replace("{date}", date);
}

function amount(value, one) {
  const decimals = one.unit === "cost" ? 2 : 0;
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  const digits = value.toLocaleString("en-US", options).replaceAll(",", "\u202f");
  return one.currency ? `${digits} ${one.currency}` : digits;
}
