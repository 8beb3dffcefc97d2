// Sends the form as a stream. What moves by itself is htmx's; without scripts the form works as it is.
"use strict";

const form = document.querySelector("form.say");
const box = form.elements.message;
const button = form.querySelector("button");
const DRAFT = `draft:${location.pathname}`;
const title = document.title;
let isBusy = false;
let last = "";

const talk = () => document.getElementById("talk");
const toEnd = () => { talk().scrollTop = talk().scrollHeight; };
const isAtEnd = () => talk().scrollHeight - talk().scrollTop - talk().clientHeight < 120;

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

// What is shown until the server's own rendering of it is there.
function add(role, text) {
  document.querySelector("#talk .empty")?.remove();
  const article = element("article", `said ${role} provisional`);
  const words = element("div", "words", text);
  article.append(words);
  talk().insertBefore(article, document.getElementById("news"));
  toEnd();
  return words;
}

// Fetches what was said since the newest message of the page.
function news() {
  const threadId = form.elements.thread_id.value;
  if (!threadId) return Promise.resolve();
  const here = document.getElementById("news").getAttribute("hx-get");
  return htmx.ajax("GET", here || `/threads/${threadId}/news/?after=0`, {target: "#news", swap: "outerHTML"});
}

function taken(threadId) {
  if (form.elements.thread_id.value) return;
  form.elements.thread_id.value = threadId;
  history.replaceState(null, "", `/threads/${threadId}/`);
  sessionStorage.removeItem(DRAFT);
}

async function* eventsOf(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s)));
      if (fields.event) yield [fields.event, JSON.parse(fields.data)];
    }
  }
}

function step(steps, text) {
  steps.querySelector(".now")?.classList.replace("now", "done");
  steps.append(element("li", "now", text));
  toEnd();
}

async function follow(reply, words) {
  const steps = element("ul", "steps");
  steps.setAttribute("role", "status");
  words.before(steps);
  words.textContent = "";
  let spoken = "";
  for await (const [kind, data] of eventsOf(reply)) {
    if (data.thread_id) taken(data.thread_id);
    if (data.step === "again") words.textContent = spoken = "";
    if ((kind === "status" || kind === "tool") && data.text) step(steps, data.text);
    if (kind === "token") words.textContent = spoken += data.text;
    if (kind === "error") return data.message;
    if (kind === "done") return "";
    if (isAtEnd()) toEnd();
  }
  return "The connection was lost. The answer will appear here when it is there.";
}

async function send(message) {
  add("user", message);
  const words = add("assistant pending", "One moment…");
  words.parentNode.setAttribute("aria-busy", "true");
  const reply = await fetch(form.dataset.stream, {
    method: "POST",
    headers: {"Content-Type": "application/json", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value},
    body: JSON.stringify({message, thread_id: form.elements.thread_id.value || null}),
  });
  const isStream = reply.headers.get("Content-Type")?.startsWith("text/event-stream");
  const problem = isStream ? await follow(reply, words) : (await reply.json()).message;
  words.parentNode.removeAttribute("aria-busy");
  if (problem) fail(words, problem, isStream ? "" : message);
  else await news();
  htmx.trigger(document.body, "talked");
}

function fail(words, problem, message) {
  words.textContent = problem;
  words.parentNode.className = "said assistant failed";
  words.setAttribute("role", "alert");
  if (message) box.value = message;
}

async function say(message) {
  if (isBusy || !message.trim()) return;
  isBusy = button.disabled = true;
  last = message;
  try {
    await send(message);
  } catch {
    fail(add("assistant", ""), "The desk does not answer. Your message may have arrived: reload the page before you send it again.", "");
  } finally {
    isBusy = button.disabled = false;
    box.focus();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const message = box.value;
  if (isBusy) return;
  box.value = "";
  sessionStorage.removeItem(DRAFT);
  say(message);
});

box.addEventListener("input", () => sessionStorage.setItem(DRAFT, box.value));

box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  } else if (event.key === "ArrowUp" && !box.value && last) {
    event.preventDefault();
    box.value = last;
  }
});

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input, textarea, select");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    box.focus();
  }
});

document.addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-words], [data-say]");
  if (pressed?.dataset.say) say(pressed.dataset.say);
  if (pressed?.dataset.words) {
    box.value = pressed.dataset.words;
    box.focus();
  }
});

// A hidden page asks for nothing; a message on its way is shown once.
document.addEventListener("htmx:beforeRequest", (event) => {
  const isPoll = event.detail.requestConfig.headers["X-Poll"];
  if (isPoll && (document.hidden || isBusy) && event.detail.requestConfig.triggeringEvent === undefined) event.preventDefault();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "news" || !event.detail.shouldSwap) return;
  document.getElementById("answering")?.remove();
  document.querySelectorAll("#talk .provisional").forEach((one) => one.remove());
});

document.addEventListener("htmx:afterSettle", (event) => {
  if (document.getElementById("talk").contains(event.target)) toEnd();
});

document.body.addEventListener("moved", () => {
  if (document.hidden) document.title = `• ${title}`;
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  document.title = title;
  news();
});

if (!box.value) box.value = sessionStorage.getItem(DRAFT) || "";
toEnd();
