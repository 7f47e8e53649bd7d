// Brings parts of a page up to date while a labeling job runs: every element with data-live="SECONDS" and an id
// is asked for anew and replaced. Once the answer carries the mark no more, all of the page has changed (what
// is counted, what is to be decided) and it is loaded anew. Without scripts people reload. Nobody is asked while
// the page is not looked at, nor after the login has ended.
"use strict";
(() => {
  const parts = () => [...document.querySelectorAll("[data-live][id]")];
  const wait = () => Math.min(...parts().map((part) => Number(part.dataset.live) || 10)) * 1000;

  // Where people are in a part: scrolled to, and with the keyboard at a link or at what scrolls.
  const scrollers = (part) => [...part.querySelectorAll(".scroll")];

  const replace = (part, fresh) => {
    const active = part.contains(document.activeElement) ? document.activeElement : null;
    const link = active?.getAttribute("href");
    const before = scrollers(part);
    const at = before.map((one) => [one.scrollLeft, one.scrollTop]);
    part.replaceWith(fresh);
    scrollers(fresh).forEach((one, place) => {
      if (at[place]) [one.scrollLeft, one.scrollTop] = at[place];
      if (active && before[place] === active) one.focus({ preventScroll: true });
    });
    if (link) fresh.querySelector(`a[href="${CSS.escape(link)}"]`)?.focus({ preventScroll: true });
    document.dispatchEvent(new CustomEvent("content", { detail: fresh }));
  };

  const sayLoginHasEnded = () => {
    const notice = document.createElement("div");
    notice.className = "notice error";
    notice.setAttribute("role", "alert");
    const told = document.createElement("p");
    told.textContent = "Your login has ended, so this page is not brought up to date any more. Reload Airflow and log in again.";
    notice.append(told);
    document.querySelector("main").prepend(notice);
  };

  // Whether to go on asking.
  const bring = (page) => {
    const pairs = parts().map((part) => [part, page.getElementById(part.id)]);
    if (!pairs.every(([, fresh]) => fresh?.dataset.live)) {
      // What somebody is filling in is not thrown away; the next turn looks again.
      if (document.activeElement?.closest("input, select, textarea")) return true;
      location.reload();
      return false;
    }
    for (const [part, fresh] of pairs) replace(part, document.adoptNode(fresh));
    return true;
  };

  const ask = async () => {
    const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
    if (answer.status === 401) {
      sayLoginHasEnded();
      return false;
    }
    return answer.ok ? bring(new DOMParser().parseFromString(await answer.text(), "text/html")) : true;
  };

  const refresh = async () => {
    let goOn = true;
    try {
      if (!document.hidden) goOn = await ask();
    } catch {
      // The server restarts, or the network is away: the next turn tries again.
    }
    if (goOn) setTimeout(refresh, wait());
  };
  if (parts().length) setTimeout(refresh, wait());
})();
