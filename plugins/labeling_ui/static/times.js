// Writes every <time datetime> in the viewer's zone, with its name; the server wrote it in UTC.
"use strict";
(() => {
  const format = new Intl.DateTimeFormat(undefined, {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
  });
  const write = (within) => {
    for (const element of within.querySelectorAll("time[datetime]")) {
      const when = new Date(element.dateTime);
      if (Number.isNaN(when.getTime())) continue;
      element.title = element.textContent;
      element.textContent = format.format(when);
    }
  };
  write(document);
  document.addEventListener("content", (event) => write(event.detail)); // what live.js brought
})();
