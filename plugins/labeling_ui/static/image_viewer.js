// One image: its boxes on and off, see box_layers.js; zoom, keys. Everything that is shown stands in the page
// already; without this script all boxes are shown and the image fits its place.

const image = document.querySelector("#image");
const panel = document.querySelector(".panel");

boxLayers.start((isOn) => {
  if (!image) return;
  for (const layer of image.querySelectorAll(".layer")) layer.toggleAttribute("hidden", !isOn(`who ${layer.dataset.layer}`));
  for (const box of image.querySelectorAll(".box")) box.toggleAttribute("hidden", !isOn(`class ${box.dataset.category}`));
  image.classList.toggle("named", isOn("names"));
});

// --- objects in doubt

for (const button of panel.querySelectorAll("[data-doubt]")) {
  button.addEventListener("click", () => {
    const pressed = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(pressed));
    document.getElementById(button.dataset.doubt)?.classList.toggle("shown", pressed);
  });
}

// --- zoom: the viewBox is a window on the image, in its pixels

const MOST = 32;
const whole = image ? { x: 0, y: 0, width: Number(image.dataset.width), height: Number(image.dataset.height) } : null;
const LETTERS = 13; // pixels of the screen, however far the image is zoomed
let view = whole && { ...whole };

const zoom = () => whole.width / view.width;

function look(next) {
  const width = Math.min(Math.max(next.width, whole.width / MOST), whole.width);
  const height = (width * whole.height) / whole.width;
  view = {
    x: Math.min(Math.max(next.x, 0), whole.width - width),
    y: Math.min(Math.max(next.y, 0), whole.height - height),
    width,
    height,
  };
  image.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
  write();
  image.classList.toggle("zoomed", zoom() > 1);
  document.querySelector("#zoom").textContent = `${Math.round(zoom() * 100)} %`;
}

function write() {
  const scale = image.getScreenCTM()?.a;
  if (scale) image.setAttribute("font-size", String(LETTERS / scale));
}

// By a factor, so that one point of the image stays where it is on the screen.
function zoomBy(factor, at = { x: view.x + view.width / 2, y: view.y + view.height / 2 }) {
  const width = Math.min(Math.max(view.width / factor, whole.width / MOST), whole.width);
  const share = width / view.width;
  look({ x: at.x - (at.x - view.x) * share, y: at.y - (at.y - view.y) * share, width });
}

function place(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(image.getScreenCTM().inverse());
  return { x: point.x, y: point.y };
}

if (image) {
  document.querySelector(".tools").hidden = false;
  write();
  addEventListener("resize", write);
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => zoomKeys[{ in: "+", out: "-", fit: "0" }[button.dataset.zoom]]());
  }
  image.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && zoom() === 1 && event.deltaY > 0) return; // the page scrolls on
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY / 400), place(event));
    },
    { passive: false },
  );
  image.addEventListener("dblclick", (event) => zoomBy(2, place(event)));
  let held = null;
  image.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || zoom() === 1) return;
    held = place(event);
    image.setPointerCapture(event.pointerId);
    image.classList.add("dragged");
  });
  image.addEventListener("pointermove", (event) => {
    if (!held) return;
    const now = place(event);
    look({ ...view, x: view.x + held.x - now.x, y: view.y + held.y - now.y });
  });
  for (const end of ["pointerup", "pointercancel"]) {
    image.addEventListener(end, () => {
      held = null;
      image.classList.remove("dragged");
    });
  }
  document.querySelector("#picture")?.addEventListener("error", () => {
    document.querySelector("#unloaded").hidden = false;
  });
}

// --- keys

const zoomKeys = {
  "+": () => zoomBy(1.4),
  "=": () => zoomBy(1.4), // the same key without Shift
  "-": () => zoomBy(1 / 1.4),
  0: () => look(whole),
};
const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const shortcuts = document.querySelector("#shortcuts");

if (shortcuts) {
  shortcuts.checked = !boxLayers.keysAreOff();
  shortcuts.closest("[hidden]").hidden = false;
  shortcuts.addEventListener("change", () => boxLayers.switchKeys(shortcuts.checked));
}

function follow(id) {
  document.getElementById(id)?.click();
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || shortcuts?.checked === false) return false;
  // In the table arrows scroll.
  if (event.target instanceof Element && event.target.closest("select, textarea, input:not([type=checkbox]), .scroll")) return false;
  const key = event.key;
  if (event.shiftKey && moves[key] && image) {
    const [x, y] = moves[key];
    look({ ...view, x: view.x + (x * view.width) / 8, y: view.y + (y * view.height) / 8 });
  } else if (key === "ArrowLeft") follow("before");
  else if (key === "ArrowRight") follow("after");
  else if (image && zoomKeys[key]) zoomKeys[key]();
  else return boxLayers.press(key);
  return true;
}

document.addEventListener("keydown", (event) => {
  if (press(event)) event.preventDefault();
});
