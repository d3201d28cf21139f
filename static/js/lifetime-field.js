/**
 * Fields for how long: chips beside them fill them in, and they say what they have understood. They are found when
 * they are used, so that they may be on a page or come later.
 */

import { now } from "./clock.js";
import { HOW, read, written } from "./lifetime-text.js";
import { inBothZones, inWords, zone } from "./times.js";

const FIELD = "input[data-lifetime]";

/**
 * What a field says: how long that is, and until when.
 * @param {HTMLInputElement} field
 */
export function understood(field) {
  const seconds = read(field.value, now());
  if (!field.value.trim()) return "";
  if (Number.isNaN(seconds)) return HOW;
  if (seconds < 1) return "That is in the past.";
  const most = Number(field.dataset.lifetime);
  if (most && seconds > most) return `At most ${inWords(most)}.`;
  const until = "until" in field.dataset ? ` until ${inBothZones(new Date(now() + seconds * 1000))}` : "";
  return `= ${inWords(seconds)}${until}`;
}

/**
 * Say what a field means, and which chip says the same.
 * @param {HTMLInputElement} field
 */
export function show(field) {
  const place = field.closest(".field");
  const said = place?.querySelector("[data-understood]");
  const seconds = read(field.value, now());
  if (said) {
    const words = understood(field);
    said.textContent = words;
    const isWrong = words !== "" && !words.startsWith("=");
    said.classList.toggle("wrong", isWrong);
    if (isWrong) field.setAttribute("aria-invalid", "true");
    else if (!place?.querySelector(".errorlist")) field.removeAttribute("aria-invalid");
  }
  for (const chip of place?.querySelectorAll("[data-fill]") ?? []) {
    chip.setAttribute("aria-pressed", String(read(/** @type {HTMLElement} */ (chip).dataset.fill ?? "", now()) === seconds));
  }
}

document.addEventListener("input", ({ target }) => {
  if (target instanceof HTMLInputElement && target.matches(FIELD)) show(target);
});

document.addEventListener("click", ({ target }) => {
  const chip = target instanceof Element ? /** @type {HTMLElement | null} */ (target.closest("[data-fill]")) : null;
  const field = /** @type {HTMLInputElement | null} */ (chip?.closest(".field")?.querySelector(FIELD) ?? null);
  if (!chip || !field) return;
  field.value = chip.dataset.fill ?? "";
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

// Days and times are of the reader's zone; said at the last moment, whichever form it is.
document.addEventListener("submit", ({ target }) => {
  const sent = target instanceof HTMLFormElement ? target.elements.namedItem("time_zone") : null;
  if (sent instanceof HTMLInputElement && "ownZone" in sent.dataset) sent.value = zone ?? "";
}, true);

export { read, written };
