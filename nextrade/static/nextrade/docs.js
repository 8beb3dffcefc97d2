// Each operation can be tried from its own form, with a token that is kept nowhere.
"use strict";

(() => {
  const token = document.getElementById("token");
  document.querySelector(".token").hidden = false;

  function opened() {
    const at = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (at?.matches("details")) { at.open = true; at.scrollIntoView(); }
  }

  function request(form) {
    let path = form.dataset.path;
    const query = new URLSearchParams(), headers = {Accept: "application/json, text/event-stream"};
    for (const {name, value, dataset} of form.querySelectorAll("[data-in]")) {
      if (dataset.in === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
      else if (value && dataset.in === "query") query.set(name, value);
      else if (value) headers[name] = value;
    }
    if (token.value) headers.Authorization = `Bearer ${token.value.trim()}`;
    const body = form.elements.body?.value;
    if (body) headers["Content-Type"] = "application/json";
    return [path + (query.size ? `?${query}` : ""), {method: form.dataset.method, headers, body, credentials: "omit"}];
  }

  function legible(text) {
    try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
  }

  async function send(form) {
    const output = form.querySelector("output"), shown = document.createElement("pre"), start = performance.now();
    shown.tabIndex = 0;
    output.replaceChildren("…");
    try {
      const reply = await fetch(...request(form)), text = await reply.text();
      shown.textContent = `${reply.status} ${reply.statusText}, ${Math.round(performance.now() - start)} ms\n\n${legible(text)}`;
    } catch (error) {
      shown.textContent = `No answer: ${error.message}`;
    }
    output.replaceChildren(shown);
  }

  for (const form of document.querySelectorAll("form.try")) {
    form.hidden = false;
    form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
  }
  addEventListener("hashchange", opened);
  opened();
})();
