/** A team's desk: choosing all of a page, and saying how many are chosen. */

import "./page.js";
import { enhanceAll } from "./combobox.js";

enhanceAll();

const form = /** @type {HTMLFormElement | null} */ (document.querySelector("[data-pick-form]"));
const all = /** @type {HTMLInputElement | null} */ (form?.querySelector("[data-pick-all]") ?? null);
if (form && all) wire(form, all);

/**
 * @param {HTMLFormElement} form
 * @param {HTMLInputElement} all
 */
function wire(form, all) {
  const boxes = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("[name=token]")]);
  const count = /** @type {HTMLElement} */ (form.querySelector("[data-pick-count]"));
  const hint = count.textContent ?? "";

  function show() {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    count.textContent = chosen ? `${chosen} chosen. ${hint}` : hint;
  }

  all.hidden = boxes.length === 0;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    show();
  });
  form.addEventListener("change", ({ target }) => { if (target !== all) show(); });
  // The back button restores what was chosen.
  window.addEventListener("pageshow", show);
}
