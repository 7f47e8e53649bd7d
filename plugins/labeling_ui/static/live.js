// Brings parts of a page up to date while a labeling job runs: every element with data-live="SECONDS" and an id
// is asked for anew and replaced, for as long as the answer still carries the mark. Without scripts people
// reload. Nobody is asked while the page is not looked at.
"use strict";
(() => {
  const parts = () => [...document.querySelectorAll("[data-live][id]")];
  const wait = () => Math.min(...parts().map((part) => Number(part.dataset.live) || 10)) * 1000;

  const replace = (part, fresh) => {
    const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    part.replaceWith(fresh);
    if (focused) fresh.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    document.dispatchEvent(new CustomEvent("content", { detail: fresh }));
  };

  const refresh = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
        if (answer.ok) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          for (const part of parts()) {
            const fresh = page.getElementById(part.id);
            if (fresh) replace(part, document.adoptNode(fresh));
          }
        }
      } catch {
        // The server restarts, or the network is away: the next turn tries again.
      }
    }
    if (parts().length) setTimeout(refresh, wait());
  };
  if (parts().length) setTimeout(refresh, wait());
})();
