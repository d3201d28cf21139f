/** An access file that is dropped or chosen stands in the field then, as if it had been pasted. */

import "./page.js";

/** Bytes: a whole form may have as many. */
const LARGEST = 2_000_000;

const form = /** @type {HTMLFormElement | null} */ (document.querySelector("[data-access-file]"));
if (form) wire(form);

/** @param {HTMLFormElement} form */
function wire(form) {
  const field = /** @type {HTMLTextAreaElement} */ (form.querySelector("textarea"));
  const chooser = /** @type {HTMLElement} */ (form.querySelector("[data-choose]"));
  const input = /** @type {HTMLInputElement} */ (chooser.querySelector("input"));
  const said = /** @type {HTMLElement} */ (chooser.querySelector("[data-chosen]"));

  /** @param {File | undefined} file */
  async function take(file) {
    if (!file) return;
    if (file.size > LARGEST) {
      said.textContent = `${file.name} is too large for a page: apply it by manage.py apply_access.`;
      return;
    }
    field.value = await file.text();
    said.textContent = `${file.name} is in the field above now.`;
    field.focus();
  }

  chooser.hidden = false;
  input.addEventListener("change", () => void take(input.files?.[0]));
  form.addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  });
  form.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    void take(event.dataTransfer.files[0]);
  });
}
