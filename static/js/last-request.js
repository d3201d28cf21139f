/**
 * What a person asked for last in this browser, kept here alone: the next request begins with it. Choices outlive a
 * sign-out, what uses the token does not; it holds no name (each is used once) and nothing that looks like a secret.
 *
 * @typedef {{workspace: string, service_account: string, team: string, seconds_to_live: string, reason: string}} Last
 */

import { draftOf, holdsNoSecret, LAST_REQUEST } from "./draft-store.js";

const NAMES = /** @type {const} */ (["workspace", "service_account", "team", "seconds_to_live", "reason"]);
const person = /** @type {HTMLElement | null} */ (document.querySelector("[data-person]"))?.dataset.person ?? "";
const KEY = `${LAST_REQUEST}${person}`;

/**
 * @param {HTMLFormElement} form
 * @param {string} name
 */
const field = (form, name) => /** @type {HTMLInputElement | HTMLSelectElement} */ (form.elements.namedItem(name));

/**
 * @param {HTMLFormElement} form
 * @param {(wish: import("./choices.js").Wish) => Promise<void>} choose
 */
export function wireLastRequest(form, choose) {
  form.addEventListener("submit", () => remember(form));
  const last = recalled();
  const isFresh = !field(form, "workspace").value && !document.getElementById("error-summary") && !draftOf(form);
  if (!last || !isFresh || !isOffered(field(form, "workspace"), last.workspace)) return;
  chooseAccount(form, choose, last);
  const again = /** @type {HTMLElement} */ (document.querySelector("[data-same-again]"));
  again.hidden = false;
  again.addEventListener("click", async () => {
    await chooseAccount(form, choose, last);
    for (const name of /** @type {const} */ (["seconds_to_live", "reason"])) {
      if (!last[name]) continue;
      field(form, name).value = last[name];
      field(form, name).dispatchEvent(new Event("input", { bubbles: true }));
    }
    form.querySelector("[data-submit]")?.scrollIntoView({ block: "nearest" });
    /** @type {HTMLElement} */ (form.querySelector("[data-submit]")).focus({ preventScroll: true });
  });
}

/**
 * @param {HTMLFormElement} form
 * @param {(wish: import("./choices.js").Wish) => Promise<void>} choose
 * @param {Last} last
 */
async function chooseAccount(form, choose, last) {
  await choose({ workspace: last.workspace, service_account: last.service_account, team: last.team });
  const accounts = /** @type {HTMLSelectElement} */ (field(form, "service_account"));
  if (!accounts.selectedOptions[0]?.matches("[data-not-granted], :disabled")) return;
  accounts.value = ""; // it was granted then
  accounts.dispatchEvent(new Event("change", { bubbles: true }));
}

/**
 * @param {HTMLInputElement | HTMLSelectElement} select
 * @param {string} id
 */
function isOffered(select, id) {
  // A long list is cut: only the portal knows what else is in it.
  return "optionsUrl" in select.dataset || [.../** @type {HTMLSelectElement} */ (select).options].some((one) => one.value === id);
}

/** @param {HTMLFormElement} form */
function remember(form) {
  if (!person) return;
  /** @type {Record<string, string>} */
  const last = {};
  for (const name of NAMES) {
    const { value, disabled } = field(form, name);
    last[name] = !disabled && holdsNoSecret(value) ? value : "";
  }
  try {
    localStorage.setItem(KEY, JSON.stringify(last));
  } catch {
    // This browser keeps nothing: the next form is an empty one.
  }
}

/** @returns {Last | undefined} */
function recalled() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}
