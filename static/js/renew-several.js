/** Several tokens to renew: choosing all of the page, and saying how many are chosen. */

import "./page.js";
import { wirePickAll } from "./pick-all.js";

const form = /** @type {HTMLFormElement | null} */ (document.querySelector("[data-pick-form]"));
const all = /** @type {HTMLInputElement | null} */ (form?.querySelector("[data-pick-all]") ?? null);
if (form && all) {
  const boxes = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("[name=token]")]);
  wirePickAll(all, boxes, /** @type {HTMLElement} */ (form.querySelector("[data-pick-count]")));
}
