// The console's pages keep themselves up to date and go by the keyboard. Without it they work by reloading.
"use strict";

(() => {
  const live = document.querySelector("[data-live]");
  const help = document.querySelector("[data-keys]");
  const reason = () => document.getElementById("reason");
  const rows = () => [...document.querySelectorAll("#result_list tr.data-row")];
  const key = (row) => row.querySelector("input.action-select")?.value;
  const bare = document.title.replace(/^\s*\(\d+\)\s*/, "");
  let timer = null, at = -1;

  // --- what has changed meanwhile
  function titled(waiting) {
    if (waiting !== undefined) document.title = waiting ? `(${waiting}) ${bare}` : bare;
  }

  function say(text) {
    const box = document.getElementById("nx-news");
    if (!box || box.dataset.text === text) return;
    box.dataset.text = text;
    box.hidden = false;
    box.querySelector("span").textContent = text;
  }

  async function fresh() {
    const reply = await fetch(location.href, {headers: {"X-Poll": "1"}});
    if (!reply.ok || reply.redirected) return null;
    return new DOMParser().parseFromString(await reply.text(), "text/html");
  }

  function isAtWork() {
    const typed = reason() && reason().value !== reason().defaultValue;
    return typed || document.querySelector("input.action-select:checked") || document.querySelector("dialog[open]");
  }

  async function changed(state) {
    if (isAtWork()) return say(live.dataset.changed);
    if (!live.dataset.swap) return location.reload();
    const page = await fresh();
    if (!page) return;
    const before = new Set(rows().map(key)), focus = rows()[at] && key(rows()[at]);
    for (const selector of live.dataset.swap.split(",")) {
      const [now, then] = [document.querySelector(selector), page.querySelector(selector)];
      if (now && then) now.replaceChildren(...then.childNodes);
    }
    if (document.getElementById("changelist-form")) {
      for (const row of rows()) row.classList.toggle("nx-new", !before.has(key(row)));
      const boxes = document.querySelectorAll("tr input.action-select");
      if (boxes.length && window.Actions) Actions(boxes, {parent: document.querySelector(".result-list-wrapper")});
      at = rows().findIndex((row) => key(row) === focus);
      mark();
    }
    live.dataset.mark = state.mark;
  }

  async function ask() {
    if (document.hidden) return;
    const reply = await fetch(live.dataset.live, {headers: {"Accept": "application/json", "X-Poll": "1"}}).catch(() => null);
    if (!reply) return say("The connection is lost: what is shown may be old.");
    if (reply.redirected || reply.status === 403) {
      clearInterval(timer);
      return say("You are no longer signed in: reload the page.");
    }
    if (!reply.ok) return;
    const state = await reply.json();
    titled(state.waiting);
    if (state.mark !== live.dataset.mark) await changed(state);
  }

  if (live) {
    titled(live.dataset.waiting === undefined ? undefined : Number(live.dataset.waiting));
    timer = setInterval(ask, 1000 * Number(live.dataset.every || 5));
    document.addEventListener("visibilitychange", () => document.hidden || ask());
  }

  // --- the keyboard: nothing is decided by one key
  function mark() {
    rows().forEach((row, number) => row.classList.toggle("nx-at", number === at));
    rows()[at]?.scrollIntoView({block: "nearest"});
  }

  function step(by) {
    const all = rows();
    if (!all.length) return;
    at = Math.max(0, Math.min(all.length - 1, at + by));
    mark();
  }

  function open(hash = "") {
    const link = rows()[at]?.querySelector("th a, td a");
    if (link) location.href = link.getAttribute("href") + hash;
  }

  const inList = {
    j: () => step(1),
    k: () => step(-1),
    Enter: () => open(),
    a: () => open("#approve"),
    d: () => open("#decline"),
    x: () => rows()[at]?.querySelector("input.action-select")?.click(),
  };
  const inReview = {
    a: () => document.getElementById("approve")?.focus(),
    d: () => reason()?.focus(),
    j: () => document.querySelector("[data-next]")?.click(),
    k: () => document.querySelector("[data-back]")?.click(),
  };

  document.addEventListener("keydown", (event) => {
    if (!help || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (event.key === "Enter" && target !== document.body) return;
    const keys = help.dataset.keys === "review" ? inReview : inList;
    if (!(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });

  if (help?.dataset.keys === "review") {
    if (location.hash === "#approve") inReview.a();
    if (location.hash === "#decline") inReview.d();
  }

  // --- the pictures of prices: the days before the proposal, and since
  const canvas = document.querySelector("canvas[data-prices]"), close = document.querySelector("canvas[data-since]");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const COLOURS = {proposed: "--color-orange-500", approved: "--color-blue-500", filled: "--color-green-600", now: "--color-red-500"};
  const points = (list) => list.map(([x, y]) => ({x, y}));

  function level(label, usd, line) {
    if (usd === null || !line.length) return [];
    const data = [line[0].x, line.at(-1).x].map((x) => ({x, y: usd}));
    return [{label, data, borderColor: colour("--color-base-400"), borderDash: [5, 4], borderWidth: 1, pointRadius: 0}];
  }

  function datasets(found, line) {
    const kinds = [...new Set(found.marks.map(([, , what]) => what))];
    return [
      ...kinds.map((what) => ({
        label: what, type: "scatter", data: points(found.marks.filter((mark) => mark[2] === what)),
        backgroundColor: colour(COLOURS[what]), borderColor: colour(COLOURS[what]), pointRadius: 5, pointStyle: "circle", clip: false,
      })),
      {label: "price", data: line, borderColor: colour("--color-primary-600"), borderWidth: 2, pointRadius: 0, tension: 0.2},
      ...level("limit", found.limit, line),
      ...level("stop", found.stop, line),
    ];
  }

  const dated = (value) => new Date(value).toLocaleDateString("en-GB", {day: "numeric", month: "short", timeZone: "UTC"});
  const clock = (value) => new Date(value).toISOString().slice(11, 16);
  const whole = (value) => `${new Date(value).toISOString().slice(0, 16).replace("T", " ")} UTC`;

  function drawn(place, found, line, told) {
    const quiet = {color: colour("--color-base-500")}, isDark = document.documentElement.classList.contains("dark");
    return new Chart(place, {
      type: "line",
      data: {datasets: datasets(found, line)},
      options: {
        animation: false, responsive: true, maintainAspectRatio: false,
        interaction: {mode: "nearest", intersect: false},
        scales: {
          x: {type: "linear", min: line[0].x, max: line.at(-1).x, grid: {display: false}, ticks: {...quiet, maxTicksLimit: 5, maxRotation: 0, callback: told}},
          y: {grace: "10%", grid: {color: colour(isDark ? "--color-base-800" : "--color-base-200")}, ticks: {...quiet, maxTicksLimit: 5}},
        },
        plugins: {
          legend: {position: "bottom", labels: {...quiet, usePointStyle: true, boxHeight: 6, filter: (item) => item.text !== "price"}},
          tooltip: {callbacks: {title: (items) => whole(items[0].parsed.x), label: (item) => `${item.dataset.label}: ${item.parsed.y} USD`}},
        },
      },
    });
  }

  function show(found) {
    const before = [...points(found.closes), ...points(found.marks)];
    const since = [...points(found.since), ...points(found.marks)].sort((one, other) => one.x - other.x);
    const made = [];
    canvas.parentElement.hidden = before.length < 3;
    close.parentElement.hidden = found.since.length < 3;
    if (before.length > 2) made.push(drawn(canvas, found, before, dated));
    if (found.since.length > 2) made.push(drawn(close, found, since, clock));
    return made;
  }

  async function picture() {
    const reply = await fetch(canvas.dataset.prices).catch(() => null);
    const found = reply?.ok ? await reply.json() : {closes: [], since: [], marks: [], source: ""};
    let charts = show(found);
    document.getElementById("nx-prices-note").textContent = charts.length
      ? `Daily closes before it was proposed${charts.length > 1 ? ", and prices since" : ""}, with those on record; ${found.source}.`
      : "Nobody has earlier prices of it now.";
    const again = () => { charts.forEach((chart) => chart.destroy()); charts = show(found); };
    new MutationObserver(again).observe(document.documentElement, {attributeFilter: ["class"]});
  }

  if (canvas && window.Chart) picture();
})();
