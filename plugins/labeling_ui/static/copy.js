// Buttons with data-copy="id" copy the text of that element. Where the browser has no clipboard for the page (plain
// HTTP, another frame's rules) the text is selected, for Ctrl-C.
"use strict";
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy);
    const said = button.parentElement.querySelector("[data-copied]");
    try {
      await navigator.clipboard.writeText(text.textContent);
      said.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(text);
      said.textContent = "selected: copy it with Ctrl-C";
    }
  });
}
