// The status page asks again by itself, without being loaded anew under whoever reads it.
"use strict";

(() => {
  const EVERY_S = 15, note = document.getElementById("asks");
  note.hidden = false;

  async function ask() {
    if (document.hidden) return;
    const reply = await fetch(location.href, {headers: {Accept: "text/html", "X-Poll": "1"}}).catch(() => null);
    const page = reply && new DOMParser().parseFromString(await reply.text(), "text/html");
    if (!page?.getElementById("report")) {
      note.textContent = "The last question was not answered: what is shown may be old.";
      return;
    }
    document.getElementById("report").replaceChildren(...page.getElementById("report").childNodes);
    document.title = page.title;
  }

  setInterval(ask, 1000 * EVERY_S);
  document.addEventListener("visibilitychange", ask);
})();
