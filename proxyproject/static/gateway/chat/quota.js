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
    .replace("{left}", amount(remaining, one.unit))
    .replace("{limit}", withUnit(one.limit, one.unit, words))
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

// Of a refusal: what the call may take, where there is something left but less than that.
export function needed(details, words) {
  const left = details.limit - details.used - details.reserved;
  if (left <= 0 || details.needed <= left) return "";
  return words.needed.replace("{amount}", withUnit(details.needed, details.unit, words));
}

// Whether it is for want of room that a call was refused, and not because its price is unknown.
export function isShort(details) {
  return details.unit !== "concurrency" && details.needed > details.limit - details.used - details.reserved;
}

function withUnit(value, unit, words) {
  const digits = amount(value, unit);
  return unit === "cost" ? `${digits}\u00a0${words.currency}` : digits;
}

// As the usage page has it: of money two decimals, or four where there is less than one unit of the currency.
function amount(value, unit) {
  const decimals = unit !== "cost" ? 0 : value > 0 && value < 1 ? 4 : 2;
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return value.toLocaleString("en-US", options).replaceAll(",", "\u202f");
}
