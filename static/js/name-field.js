/** The token's name: counts its characters, suggests a free one, and asks whether it is taken. */

import { ask } from "./server.js";

const LONGEST_NAME = 128;
const PAUSE = 300; // milliseconds without a keystroke before the portal is asked

/**
 * @param {HTMLFormElement} form
 * @returns {() => void} to be called when another workspace is chosen: a name is taken in one only
 */
export function wireName(form) {
  const name = /** @type {HTMLInputElement} */ (form.elements.namedItem("name"));
  const workspace = /** @type {HTMLSelectElement} */ (form.elements.namedItem("workspace"));
  const count = /** @type {HTMLElement} */ (form.querySelector("[data-name-count]"));
  const taken = /** @type {HTMLElement} */ (form.querySelector("[data-name-taken]"));
  const suggest = /** @type {HTMLButtonElement} */ (form.querySelector("[data-suggest]"));
  const place = /** @type {HTMLElement} */ (name.closest(".field"));
  let timer = 0;
  let latest = 0;

  function check() {
    const wanted = name.value.trim();
    const length = [...wanted].length;
    const isTooLong = length > LONGEST_NAME;
    count.textContent = isTooLong ? `${length - LONGEST_NAME} too many: at most 128 characters.` : `${length} of 128 characters.`;
    count.classList.toggle("wrong", isTooLong);
    taken.replaceChildren();
    if (isTooLong) name.setAttribute("aria-invalid", "true");
    else if (!place.querySelector(".errorlist")) name.removeAttribute("aria-invalid");
    clearTimeout(timer);
    latest += 1;
    const isGranted = !workspace.selectedOptions[0]?.hasAttribute("data-not-granted");
    if (wanted && !isTooLong && workspace.value && isGranted) timer = setTimeout(askWhetherTaken, PAUSE, wanted, latest);
  }

  /**
   * Only advice: the portal decides when the form is sent, so a question without an answer is no harm.
   * @param {string} wanted
   * @param {number} question
   */
  async function askWhetherTaken(wanted, question) {
    const query = new URLSearchParams({ workspace: workspace.value, name: wanted });
    const answer = await ask(`${form.dataset.nameUrl}?${query}`).catch(() => undefined);
    // What the portal has said already stands there once.
    if (question !== latest || answer?.status !== 200 || place.querySelector(".errorlist")) return;
    const { message, free } = answer.body;
    if (!message) return;
    name.setAttribute("aria-invalid", "true");
    taken.replaceChildren(message);
    if (free) taken.append(" ", wayOut(free));
  }

  /** @param {string} free  a name that nobody has */
  function wayOut(free) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "button button-secondary", textContent: `Use ${free}` });
    button.addEventListener("click", () => {
      name.value = free;
      name.dispatchEvent(new Event("input", { bubbles: true }));
      name.focus();
    });
    return button;
  }

  suggest.hidden = false;
  suggest.addEventListener("click", () => {
    const base = (name.dataset.suggested ?? "token-").replace(/[0-9a-f]{6}$/, "");
    const random = crypto.getRandomValues(new Uint8Array(3));
    name.value = base + Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
    name.dispatchEvent(new Event("input", { bubbles: true }));
  });
  name.addEventListener("input", check);
  check();
  return check;
}
