/**
 * Where a key lies, written down by one tap beside it: without leaving the page, which would cost the key. Without
 * this script they are forms like others.
 */

import { refreshParts } from "./parts.js";
import { ask } from "./server.js";

/**
 * @param {HTMLElement} page
 * @returns {{propose: (place: string) => void}}  offers a place that may be the one
 */
export function wirePlaces(page) {
  let proposed = "";

  page.addEventListener("submit", async (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (!form.matches("[data-place]")) return;
    event.preventDefault();
    const body = new FormData(form);
    if (event.submitter instanceof HTMLButtonElement && event.submitter.name) body.set(event.submitter.name, event.submitter.value);
    const trouble = page.querySelector("[data-place-trouble]");
    const why = await send(form.action, body);
    if (why && trouble) trouble.textContent = why;
    if (why) return;
    proposed = "";
    // What was pressed goes with its part, which is not replaced around the focus.
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    await refreshParts(page).catch(() => undefined);
    const title = /** @type {HTMLElement | null} */ (page.querySelector("#places-title"));
    title?.focus({ preventScroll: true });
  });

  new MutationObserver(offer).observe(page, { childList: true });

  function offer() {
    const chips = page.querySelector("[data-place-chips]");
    const group = chips?.querySelector(".chips");
    if (!proposed || !chips || !group) return;
    const known = [...page.querySelectorAll(".place-list .place")].some((one) => one.textContent === proposed);
    if (known || [...group.querySelectorAll("button")].some((one) => one.value === proposed)) return;
    group.querySelector("[data-proposed]")?.remove();
    const chip = document.createElement("button");
    Object.assign(chip, { className: "chip", name: "place", value: proposed, textContent: proposed });
    chip.dataset.proposed = "";
    group.prepend(chip);
    chips.removeAttribute("hidden");
  }

  return {
    propose(place) {
      const text = /** @type {HTMLInputElement | null} */ (page.querySelector("#place-text"));
      if (place.endsWith(" ")) {
        // The snippet knows what kind of place it is, and the person which one.
        if (!text || text.value) return;
        text.value = place;
        text.setSelectionRange(place.length, place.length);
        return;
      }
      proposed = place.slice(0, 80);
      offer();
    },
  };
}

/**
 * @param {string} url
 * @param {FormData} body
 * @returns {Promise<string>} what stands against it; empty when it is done
 */
async function send(url, body) {
  const answer = await ask(url, { method: "POST", body: new URLSearchParams(/** @type {any} */ (body)) }).catch(() => undefined);
  if (!answer) return "No answer from the portal. Nothing is lost: try again.";
  if (answer.status === 401) return "You are signed out. Sign in in another tab, then try again.";
  return answer.status === 200 ? "" : answer.body.message || "The portal did not take it. Reload the page, and try again.";
}
