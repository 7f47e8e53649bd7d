// The gallery: its legend switches workers and classes on and off on all images, and arrow keys turn the pages.
"use strict";
(() => {
  // Boxes name their class by its place in the legend: a page holds some hundred of them.
  const classes = [...document.querySelectorAll(".legend [data-shows]")].map((box) => `class ${box.dataset.shows}`);
  const layers = [...document.querySelectorAll(".boxes [data-layer]")];
  const boxes = [...document.querySelectorAll(".boxes [data-class]")];
  boxLayers.start((isOn) => {
    for (const layer of layers) layer.toggleAttribute("hidden", !isOn(`who ${layer.dataset.layer}`));
    for (const box of boxes) box.toggleAttribute("hidden", !isOn(classes[box.dataset.class]));
  });
  document.addEventListener("keydown", (event) => {
    if (boxLayers.keysAreOff() || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.target instanceof Element && event.target.closest("input:not([type=checkbox]), select, textarea, .scroll")) return;
    const way = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
    const link = way && document.querySelector(`.pagination a[rel="${way}"]`);
    if (link) link.click();
    else if (boxLayers.press(event.key)) event.preventDefault();
  });
})();
