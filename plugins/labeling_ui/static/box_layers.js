// Boxes on and off by who drew them and by class, with the mouse and by keys: one choice for the gallery and for
// single images, which stays from page to page. Everything is drawn already; without scripts all of it is shown.
"use strict";
const boxLayers = (() => {
  const KEPT = "roundtruth.hidden";
  const KEYS_OFF = "roundtruth.shortcuts-off";
  const toggles = [...document.querySelectorAll('.toggles input[type="checkbox"]')];
  const hidden = new Set(read());
  let redraw = () => {};

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
    redraw(isOn);
  }

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

  const workers = () => toggles.filter((box) => box.dataset.toggles !== undefined && !["fused", "ground-truth"].includes(box.dataset.toggles));
  const toggleOf = (who) => toggles.find((box) => box.dataset.toggles === who);
  const keys = {
    f: () => flip(toggleOf("fused")),
    g: () => flip(toggleOf("ground-truth")),
    n: () => flip(document.querySelector("#names")),
    a: flipEverybody,
  };

  return {
    // `draw(isOn)` shows and hides what is drawn; names are "who …", "class …" and "names".
    start(draw) {
      redraw = draw;
      for (const box of toggles) {
        box.addEventListener("change", () => {
          set(nameOf(box), box.checked);
          keep();
          show();
        });
      }
      for (const button of document.querySelectorAll("[data-everybody]")) {
        button.hidden = false;
        button.addEventListener("click", flipEverybody);
      }
      show();
    },
    // Whether this key was one of ours.
    press(key) {
      const own = /^[1-9]$/.test(key) ? () => flip(workers()[Number(key) - 1]) : keys[key.toLowerCase()];
      own?.();
      return own !== undefined;
    },
    // Keys without Ctrl or Alt get in the way of who speaks to the machine (WCAG 2.1.4): they can be switched off.
    keysAreOff() {
      try {
        return localStorage.getItem(KEYS_OFF) !== null;
      } catch {
        return false; // no storage in this browser: on, until it is switched off on this page
      }
    },
    switchKeys(on) {
      try {
        if (on) localStorage.removeItem(KEYS_OFF);
        else localStorage.setItem(KEYS_OFF, "1");
      } catch {
        // It is forgotten with this page.
      }
    },
  };
})();
