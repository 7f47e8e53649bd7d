// The gallery: which boxes are shown stays from page to page, and arrow keys turn the pages.
"use strict";
(() => {
  const KEY = "roundtruth.layers";
  const boxes = [...document.querySelectorAll("fieldset.layers input")];
  const kept = (() => {
    try {
      return JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
    } catch {
      return {}; // no storage in this browser, or not ours
    }
  })();
  for (const box of boxes) {
    if (typeof kept[box.id] === "boolean") box.checked = kept[box.id];
    box.addEventListener("change", () => {
      kept[box.id] = box.checked;
      try {
        sessionStorage.setItem(KEY, JSON.stringify(kept));
      } catch {
        // It is forgotten with this page.
      }
    });
  }
  // Switched off on the page of an image, see image_viewer.js.
  const areKeysOff = () => {
    try {
      return localStorage.getItem("roundtruth.shortcuts-off") !== null;
    } catch {
      return false;
    }
  };
  document.addEventListener("keydown", (event) => {
    if (areKeysOff()) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.target instanceof Element && event.target.closest("input, select, textarea, .scroll")) return;
    const way = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
    const link = way && document.querySelector(`.pagination a[rel="${way}"]`);
    if (link) link.click();
  });
})();
