/** The page that replaces a token: how the old one ends, who gets the new key, and how long it lives. */

import "./page.js";
import { wireKeyPair } from "./key-pair.js";
import { wireLifetime } from "./lifetime.js";
import { inWords } from "./times.js";

const form = /** @type {HTMLFormElement | null} */ (document.querySelector("form[data-reissue]"));
document.getElementById("error-summary")?.focus();
if (form) wire(form);

/** @param {HTMLFormElement} form */
function wire(form) {
  const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (form.querySelector(`[data-${name}]`));
  const overlap = /** @type {HTMLInputElement} */ (form.elements.namedItem("overlap_seconds"));
  const overlaps = /** @type {NodeListOf<HTMLButtonElement>} */ (form.querySelectorAll("[data-overlap]"));
  const lifetime = wireLifetime(form);
  const chosen = (/** @type {string} */ name) => new FormData(form).get(name);
  const isForMe = () => chosen("recipient") === "me" || "isOwn" in form.dataset;
  const showKeyStatus = wireKeyPair(form, {
    busy: "Reissuing…",
    impossible: "The new key can’t be opened here.",
    isNeeded: isForMe,
    beforeSend: lifetime.refresh,
  });

  function show() {
    const isOverlap = chosen("mode") === "overlap";
    const whose = isForMe() ? form.dataset.mine : form.dataset.owners;
    lifetime.limitTo(whose ? JSON.parse(whose) : undefined);
    const seconds = Number(overlap.value);
    part("overlap-field").hidden = !isOverlap;
    part("overlap-words").textContent = seconds >= 1 ? `= ${inWords(seconds)}` : "";
    for (const preset of overlaps) preset.setAttribute("aria-pressed", String(Number(preset.dataset.overlap) === seconds));
    part("old-end").textContent = isOverlap
      ? `The old token works on until ${seconds >= 1 ? inWords(seconds) : "the overlap"} after the new key was taken.`
      : "The old token is revoked at once.";
    showKeyStatus();
  }

  for (const preset of overlaps) {
    preset.addEventListener("click", () => {
      overlap.value = preset.dataset.overlap ?? "";
      overlap.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }
  form.addEventListener("input", (event) => {
    if (event.target === form.elements.namedItem("seconds_to_live") || event.target === form.querySelector("#until")) return;
    show();
  });
  show();
}
