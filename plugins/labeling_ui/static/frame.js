// Links out of the frame. Airflow shows the pages in a frame that may neither open windows nor leave itself
// (sandbox="allow-scripts allow-same-origin allow-forms allow-downloads"), so a link marked
// data-opens="airflow" (in the whole window) or data-opens="window" (in a new one) is followed by the page
// around us, which is of our own origin. Outside of a frame they are plain links.
"use strict";
(() => {
  const outside = () => {
    try {
      return window.top === window ? null : window.top.document;
    } catch {
      return null; // the page around us is of another origin
    }
  };
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[data-opens]") : null;
    const around = outside();
    if (!link || !around || event.defaultPrevented) return;
    event.preventDefault();
    const copy = around.createElement("a");
    copy.href = link.href;
    copy.rel = "noopener noreferrer";
    if (link.dataset.opens === "window" || event.ctrlKey || event.metaKey) copy.target = "_blank";
    copy.click();
  });
})();
