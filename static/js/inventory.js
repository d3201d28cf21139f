/** The inventory: choosing all of a page, and how far a reading of AMG's lists has come. */

import "./page.js";
import { enhanceAll } from "./combobox.js";
import { wirePickAll } from "./pick-all.js";

/** Milliseconds between two looks at how far it has come. */
const PAUSE = 2000;

enhanceAll();

const all = /** @type {HTMLInputElement | null} */ (document.querySelector("[data-pick-all]"));
if (all) {
  const boxes = /** @type {HTMLInputElement[]} */ ([...document.querySelectorAll("input[name=item]")]);
  wirePickAll(all, boxes, /** @type {HTMLElement} */ (document.querySelector("[data-pick-count]")));
}

const note = /** @type {HTMLElement | null} */ (document.querySelector("[data-reading]"));
if (note && !note.hidden) setTimeout(look, PAUSE, note);

/** @param {HTMLElement} note */
async function look(note) {
  const said = /** @type {HTMLElement} */ (note.querySelector("[data-said]"));
  const bar = /** @type {HTMLProgressElement} */ (note.querySelector("progress"));
  try {
    const answer = await fetch(note.dataset.url ?? "", { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const { of, done } = await answer.json();
      bar.max = Math.max(of, 1);
      bar.value = done;
      if (done >= of) {
        said.textContent = "All lists are read. ";
        const link = document.createElement("a");
        link.href = location.href;
        link.textContent = "Show what they say";
        said.append(link);
        return;
      }
      said.textContent = `${done} of ${of} lists read. You may leave this page: the portal goes on by itself.`;
    }
  } catch {
    // No answer now: there is a next look.
  }
  setTimeout(look, PAUSE, note);
}
