// The chart, and switches that keep the page. Times: times.js.
// Without this file the same numbers stand in the tables, and each switch is a link.

const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
const THIN_SPACE = "\u202f";
let chart = null;
let waiting = null;

function coloured(name) {
  const probe = document.createElement("span");
  if (name.startsWith("--")) probe.style.color = `var(${name})`;
  else probe.className = name;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

function grouped(amount, currency) {
  if (currency && amount > 0 && amount < 0.0001) return `< 0.0001 ${currency}`;
  const decimals = !currency ? 0 : amount > 0 && amount < 1 ? 4 : 2;
  const digits = amount.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return digits.replaceAll(",", THIN_SPACE) + (currency ? ` ${currency}` : "");
}

function dayName(day, form) {
  return new Intl.DateTimeFormat(language, { ...form, timeZone: "UTC" }).format(new Date(`${day}T00:00Z`));
}

function options(data) {
  const compact = new Intl.NumberFormat(language, { notation: "compact", maximumSignificantDigits: 3 });
  const text = coloured("--neutral-7");
  return {
    maintainAspectRatio: false,
    animation: false,
    interaction: { mode: "index", intersect: false },
    scales: {
      x: {
        stacked: true,
        grid: { display: false },
        border: { color: coloured("--neutral-4") },
        ticks: {
          color: text,
          maxRotation: 0,
          autoSkipPadding: 16,
          callback: (position) => dayName(data.days[position], { day: "numeric", month: "short" }),
        },
      },
      y: {
        stacked: true,
        beginAtZero: true,
        border: { display: false },
        grid: { color: coloured("--neutral-3") },
        ticks: {
          color: text,
          precision: data.currency ? undefined : 0,
          maxTicksLimit: 6,
          callback: (amount) => compact.format(amount) + (data.currency ? ` ${data.currency}` : ""),
        },
      },
    },
    plugins: {
      legend: { display: false },
      tooltip: {
        backgroundColor: coloured("--neutral-9"),
        titleColor: coloured("--neutral-1"),
        bodyColor: coloured("--neutral-1"),
        footerColor: coloured("--neutral-1"),
        padding: 12,
        boxPadding: 4,
        filter: (item) => item.raw > 0,
        callbacks: {
          title: ([item]) => item && dayName(data.days[item.dataIndex], { dateStyle: "long" }),
          labelColor: ({ dataset }) => ({ backgroundColor: dataset.backgroundColor, borderColor: dataset.backgroundColor }),
          label: (item) => `${item.dataset.label}  ${grouped(item.raw, data.currency)}`,
          footer: (items) =>
            items.length > 1 ? grouped(items.reduce((sum, item) => sum + item.raw, 0), data.currency) : "",
        },
      },
    },
  };
}

function draw() {
  const source = document.getElementById("chart-data");
  const figure = document.getElementById("chart");
  chart?.destroy();
  chart = null;
  if (!source || !figure || !window.Chart) return;
  const data = JSON.parse(source.textContent);
  figure.hidden = false;
  window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  chart = new window.Chart(figure.querySelector("canvas"), {
    type: "bar",
    data: {
      labels: data.days,
      datasets: data.series.map((one) => ({
        label: one.name,
        data: one.amounts,
        backgroundColor: coloured(`series-${one.number}`),
        hoverBackgroundColor: coloured(`series-${one.number}`),
        borderColor: coloured("--neutral-1"),
        borderWidth: { top: 1 },
        borderSkipped: false,
        maxBarThickness: 32,
      })),
    },
    options: options(data),
  });
}

async function show(address) {
  const numbers = document.getElementById("numbers");
  const focused = numbers.contains(document.activeElement) ? document.activeElement.textContent : null;
  waiting?.abort();
  waiting = new AbortController();
  numbers.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { signal: waiting.signal, headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.getElementById("numbers");
    if (!answer.ok || !found) throw new Error("This is another page, such as the one for signing in.");
    const opened = numbers.querySelector("details")?.open ?? false;
    numbers.replaceWith(found);
    if (opened) found.querySelector("details")?.setAttribute("open", "");
    [...found.querySelectorAll(".switch a")].find((link) => link.textContent === focused)?.focus({ preventScroll: true });
    draw();
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address);
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest(".switch a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const address = link.href.split("#")[0];
  history.pushState(null, "", address);
  show(address);
});
addEventListener("popstate", () => show(location.href));
document.documentElement.addEventListener("themechange", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

draw();
