/** A team's desk: choosing all of a page, saying how many are chosen, and what was not ended yet. */

import "./page.js";
import "./lifetime-field.js";
import { enhanceAll } from "./combobox.js";
import { draftOf, forget } from "./draft-store.js";
import { hidden } from "./drafts.js";
import { wirePickAll } from "./pick-all.js";

enhanceAll();

const again = /** @type {HTMLFormElement | null} */ (document.querySelector("[data-end-again]"));
if (again) offerAgain(again);

const form = /** @type {HTMLFormElement | null} */ (document.querySelector("[data-pick-form]"));
const all = /** @type {HTMLInputElement | null} */ (form?.querySelector("[data-pick-all]") ?? null);
if (form && all) {
  const boxes = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("[name=token]")]);
  wirePickAll(all, boxes, /** @type {HTMLElement} */ (form.querySelector("[data-pick-count]")));
}

/**
 * What was chosen to be ended when the session ended: one press leads to the look at exactly that, with the reason.
 * @param {HTMLFormElement} place
 */
function offerAgain(place) {
  const found = draftOf(place);
  if (!found?.isUnsent) return;
  const { token = [], person = [], reason = [], notice = [] } = found.draft.values;
  const what = token.length ? `${token.length} token${token.length === 1 ? "" : "s"}` : `everything of ${person[0]}`;
  const why = reason[0] ? `, because: “${reason[0]}”` : "";
  const said = /** @type {HTMLElement} */ (place.querySelector("[data-end-said]"));
  const begin = found.isTurnedAway ? "Nothing has ended yet." : "You sent this, and no answer came.";
  said.textContent = `${begin} You had chosen ${what}${why}.`;
  for (const [name, values] of Object.entries({ token, person: token.length ? [] : person, reason, notice })) {
    place.append(...values.map((value) => hidden(name, value)));
  }
  place.append(hidden("draft", found.draft.number ?? ""));
  place.querySelector("[data-end-forget]")?.addEventListener("click", () => {
    forget(place);
    place.hidden = true;
  });
  place.hidden = false;
  place.focus();
}
