// Sends the form as a stream and fetches the parts of the page that change. Without it the form works as it is.
"use strict";

const form = document.querySelector("form.say");
const box = form.elements.message;
const button = form.querySelector("button");
const QUICK_MS = 2000, SLOW_MS = 15000;
let isBusy = false;

function toEnd() {
  const talk = document.getElementById("talk");
  talk.scrollTop = talk.scrollHeight;
}

async function refresh() {
  const reply = await fetch(form.dataset.parts, {headers: {"X-Requested-With": "desk"}});
  if (!reply.ok || reply.redirected) return;
  const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
  for (const id of ["threads", "talk", "side"]) {
    const [now, then] = [document.getElementById(id), fresh.getElementById(id)];
    if (!then || now.innerHTML === then.innerHTML) continue;
    const wasAtEnd = now.scrollHeight - now.scrollTop - now.clientHeight < 80;
    now.replaceWith(then);
    if (id === "talk" && wasAtEnd) toEnd();
  }
}

function add(role, text) {
  document.querySelector("#talk .empty")?.remove();
  const article = document.createElement("article");
  article.className = `said ${role}`;
  const words = document.createElement("div");
  words.className = "words";
  words.textContent = text;
  article.append(words);
  document.getElementById("talk").append(article);
  toEnd();
  return words;
}

function taken(threadId) {
  if (form.elements.thread_id.value) return;
  form.elements.thread_id.value = threadId;
  form.dataset.parts = `/threads/${threadId}/parts/`;
  history.replaceState(null, "", `/threads/${threadId}/`);
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

async function follow(reply, words) {
  let spoken = "";
  for await (const [kind, data] of eventsOf(reply)) {
    if (data.thread_id) taken(data.thread_id);
    if (data.step === "again") spoken = "";
    if (kind === "status" || kind === "tool") words.textContent = spoken || `${data.text}…`;
    if (kind === "token") words.textContent = spoken += data.text;
    if (kind === "error") return data.message;
    if (kind === "done") return "";
    toEnd();
  }
  return "The connection was lost. The answer will appear here when it is there.";
}

async function send(message) {
  add("user", message);
  const words = add("assistant pending", "One moment…");
  const reply = await fetch(form.dataset.stream, {
    method: "POST",
    headers: {"Content-Type": "application/json", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value},
    body: JSON.stringify({message, thread_id: form.elements.thread_id.value || null}),
  });
  const isStream = reply.headers.get("Content-Type")?.startsWith("text/event-stream");
  const problem = isStream ? await follow(reply, words) : (await reply.json()).message;
  if (problem) {
    words.textContent = problem;
    words.setAttribute("role", "alert");
    if (!isStream) box.value = message;
  } else {
    await refresh();
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const message = box.value;
  if (isBusy || !message.trim()) return;
  isBusy = button.disabled = true;
  box.value = "";
  try {
    await send(message);
  } catch {
    add("assistant", "The desk does not answer. Your message may have arrived: reload the page before you send it again.");
  } finally {
    isBusy = button.disabled = false;
    box.focus();
  }
});

box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});

document.addEventListener("click", (event) => {
  const words = event.target.dataset?.words;
  if (words) {
    box.value = words;
    box.focus();
  }
});

(async function watch() {
  const isMoving = document.getElementById("talk").hasAttribute("data-moving");
  await new Promise((resolve) => setTimeout(resolve, isMoving ? QUICK_MS : SLOW_MS));
  if (!isBusy && !document.hidden && form.elements.thread_id.value) await refresh().catch(() => {});
  watch();
})();
toEnd();
