// One image: boxes on and off by worker and class, zoom, keys. Everything that is shown stands in the page
// already; without this script all boxes are shown and the image fits its place.

const image = document.querySelector("#image");
const panel = document.querySelector(".panel");
const KEPT = "roundtruth.hidden"; // what is off stays off from image to image

// --- what is off

const hidden = new Set(read());

function read() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
    return Array.isArray(found) ? found.filter((one) => typeof one === "string") : [];
  } catch {
    return []; // no storage in this browser, or not ours
  }
}

function keep() {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify([...hidden]));
  } catch {
    // It is forgotten with this page.
  }
}

// Workers and classes may be called alike: each kind has names of its own. Ground Truth's boxes are off at first.
const nameOf = (box) =>
  box.id === "names" ? "names" : box.dataset.toggles !== undefined ? `who ${box.dataset.toggles}` : `class ${box.dataset.shows}`;
const startsOff = (name) => name === "names" || name === "who ground-truth";
const isOn = (name) => hidden.has(name) === startsOff(name);

function set(name, on) {
  if (on === startsOff(name)) hidden.add(name);
  else hidden.delete(name);
}

function show() {
  for (const box of toggles) box.checked = isOn(nameOf(box));
  if (!image) return;
  for (const layer of image.querySelectorAll(".layer")) layer.toggleAttribute("hidden", !isOn(`who ${layer.dataset.layer}`));
  for (const box of image.querySelectorAll(".box")) box.toggleAttribute("hidden", !isOn(`class ${box.dataset.category}`));
  image.classList.toggle("named", isOn("names"));
}

const toggles = [...panel.querySelectorAll('.toggles input[type="checkbox"]')];
for (const box of toggles) {
  box.addEventListener("change", () => {
    set(nameOf(box), box.checked);
    keep();
    show();
  });
}
show();

function flip(box) {
  if (!box) return;
  box.checked = !box.checked;
  box.dispatchEvent(new Event("change"));
}

function flipEverybody() {
  const people = toggles.filter((box) => box.dataset.toggles !== undefined && box.dataset.toggles !== "ground-truth");
  const on = people.some((box) => !box.checked);
  for (const box of people) set(nameOf(box), on);
  keep();
  show();
}

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

// Keys without Ctrl or Alt get in the way of who speaks to the machine (WCAG 2.1.4): they can be switched off.
const KEYS_OFF = "roundtruth.shortcuts-off";
const shortcuts = document.querySelector("#shortcuts");

function areOff() {
  try {
    return localStorage.getItem(KEYS_OFF) !== null;
  } catch {
    return false; // no storage in this browser: on, until it is switched off on this page
  }
}

if (shortcuts) {
  shortcuts.checked = !areOff();
  shortcuts.closest("[hidden]").hidden = false;
  shortcuts.addEventListener("change", () => {
    try {
      if (shortcuts.checked) localStorage.removeItem(KEYS_OFF);
      else localStorage.setItem(KEYS_OFF, "1");
    } catch {
      // It is forgotten with this page.
    }
  });
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
  else if (/^[1-9]$/.test(key)) flip(workers()[Number(key) - 1]);
  else if (key.toLowerCase() === "f") flip(toggleOf("fused"));
  else if (key.toLowerCase() === "g") flip(toggleOf("ground-truth"));
  else if (key.toLowerCase() === "n") flip(document.querySelector("#names"));
  else if (key.toLowerCase() === "a") flipEverybody();
  else return false;
  return true;
}

const workers = () => toggles.filter((box) => box.dataset.toggles !== undefined && !["fused", "ground-truth"].includes(box.dataset.toggles));
const toggleOf = (who) => toggles.find((box) => box.dataset.toggles === who);

document.addEventListener("keydown", (event) => {
  if (press(event)) event.preventDefault();
});
