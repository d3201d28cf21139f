/** Shows where a token is: the badge, the steps and the sentence below them. */

const ORDER = ["queued", "issuing", "sealed", "ready"];

/** States in which the key is still to come to its recipient's browser. */
export const PENDING = new Set(["queued", "issuing", "sealed"]);

/** States that the portal moves by itself, so that the page may expect news. */
export const MOVING = new Set([...PENDING, "revoking"]);

/** @param {HTMLElement} page */
export function wireProgress(page) {
  /** @type {Record<string, string>} */
  const labels = JSON.parse(document.getElementById("state-labels")?.textContent ?? "{}");
  const badge = /** @type {HTMLElement} */ (page.querySelector("[data-testid=token-state]"));
  const steps = /** @type {HTMLElement} */ (page.querySelector("[data-steps]"));
  const message = /** @type {HTMLElement} */ (page.querySelector("[data-message]"));
  const trouble = /** @type {HTMLElement} */ (page.querySelector("[data-link-trouble]"));
  let state = page.dataset.state ?? "";

  /** @param {string} step */
  function showStep(step) {
    const reached = ORDER.indexOf(step);
    steps.hidden = reached < 0;
    for (const item of /** @type {NodeListOf<HTMLElement>} */ (steps.querySelectorAll("[data-step]"))) {
      const place = ORDER.indexOf(item.dataset.step ?? "");
      item.dataset.progress = place < reached || step === "ready" ? "done" : place === reached ? "now" : "later";
      if (place === reached) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    }
  }

  /** @param {string} text */
  function say(text) {
    if (message.textContent !== text) message.textContent = text;
  }

  showStep(state);
  return {
    get state() { return state; },
    say,
    showStep,

    /** @param {Record<string, any>} status  as the status URL answers */
    show(status) {
      if (!(status.state in labels)) return;
      state = status.state;
      badge.dataset.state = state;
      badge.textContent = labels[state];
      showStep(state);
      if (status.message) say(status.message);
    },

    /** @param {boolean} isBroken */
    connection(isBroken) {
      trouble.hidden = !isBroken;
      trouble.textContent = isBroken ? "No answer from the portal. Reconnecting… nothing is lost." : "";
    },
  };
}
