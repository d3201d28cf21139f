/**
 * Forms that lose nothing: what is typed is kept (draft-store.js), and stands there again after a reload, and after
 * a sign-in in between, when the form also says that it has not been sent yet.
 *
 * Every form that is posted takes part. `data-no-draft` leaves one out; one with `data-draft="apart"` is kept when it
 * is sent, and its page brings it back by itself.
 */

import { draftOf, fieldsOf, forget, isKept, keep } from "./draft-store.js";

/** How long (milliseconds) a choice that comes from the server is waited for. */
const PATIENCE = 10_000;

let isRestoring = false;

/** @param {Event} event */
function formOf({ target }) {
  const form = /** @type {HTMLInputElement} */ (target)?.form ?? target;
  return form instanceof HTMLFormElement && isKept(form) ? form : undefined;
}

for (const type of ["input", "change"]) {
  document.addEventListener(type, (event) => {
    const form = formOf(event);
    if (form && !isRestoring && form.dataset.draft !== "apart") keep(form);
  });
}

// Before the form's own listeners, which may send it by themselves.
document.addEventListener("submit", (event) => {
  const form = formOf(event);
  if (form) keep(form, numbered(form));
}, { capture: true });

/**
 * The number of this form on this page, which it sends along.
 * @param {HTMLFormElement} form
 */
function numbered(form) {
  const field = form.querySelector("[name=draft]") ?? form.appendChild(hidden("draft", newNumber()));
  return /** @type {HTMLInputElement} */ (field).value;
}

const newNumber = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * @param {string} name
 * @param {string} value
 */
export function hidden(name, value) {
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name, value });
  return field;
}

/**
 * Bring back what was typed into the forms under `root`.
 * @param {ParentNode} root
 */
export function restoreDrafts(root) {
  // The portal answers with what was typed where it has something to say about it: that page stays as it came.
  const isAnswer = Boolean(document.querySelector("main [aria-invalid=true], #error-summary"));
  for (const form of root.querySelectorAll("form")) {
    if (form.dataset.draft === "apart") continue;
    const found = draftOf(form);
    if (!found) continue;
    if (!isAnswer) restore(form, found);
    else if (found.isUnsent) keep(form);
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {{draft: import("./draft-store.js").Draft, isUnsent: boolean, isTurnedAway: boolean}} found
 */
function restore(form, { draft, isUnsent, isTurnedAway }) {
  const linked = isUnsent ? new Set() : namesOfTheLink(form, draft.search);
  if (!linked) return;
  const isChanged = fill(form, draft.values, linked);
  if (isUnsent) sayUnsent(form, isTurnedAway);
  else if (isChanged && form.hasAttribute("data-draft-note")) sayRestored(form);
}

/**
 * What a link says beats a draft, unless the same link was opened again by a reload or a sign-in.
 * @param {HTMLFormElement} form
 * @param {string} search  the link that the draft was typed on
 * @returns {Set<string> | undefined} names that are not to be touched; nothing for a draft of another occasion
 */
function namesOfTheLink(form, search) {
  const names = new Set(fieldsOf(form).map(([name]) => name));
  const linked = new Set([...new URLSearchParams(location.search).keys()].filter((name) => names.has(name)));
  if (!linked.size) return linked;
  if (search !== location.search) return undefined;
  const [visit] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  return visit?.type === "reload" || document.referrer.startsWith(`${location.origin}/accounts/`) ? new Set() : linked;
}

/**
 * @param {HTMLFormElement} form
 * @param {Record<string, string[]>} values
 * @param {Set<unknown>} untouched
 * @returns {boolean} whether anything stands there now that did not
 */
function fill(form, values, untouched) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  let isChanged = false;
  for (const [name, field] of fieldsOf(form)) {
    const index = seen.get(name) ?? 0;
    seen.set(name, index + 1);
    if (untouched.has(name) || !(name in values) || field.type === "hidden") continue;
    if (field.type === "checkbox" || field.type === "radio") {
      const choice = /** @type {HTMLInputElement} */ (field);
      const isChosen = values[name].includes(choice.value);
      if (choice.checked === isChosen || choice.disabled) continue;
      choice.checked = isChosen;
    } else {
      const value = values[name][index];
      if (value === undefined || value === field.value) continue;
      if (field instanceof HTMLSelectElement && !hasOption(field, value)) {
        chooseOnceOffered(field, value);
        isChanged = true;
        continue;
      }
      field.value = value;
    }
    isChanged = true;
    tell(field);
  }
  return isChanged;
}

/**
 * @param {HTMLSelectElement} select
 * @param {string} value
 */
const hasOption = (select, value) => [...select.options].some((option) => option.value === value);

/**
 * @param {HTMLSelectElement} select
 * @param {string} value
 */
function chooseOnceOffered(select, value) {
  const observer = new MutationObserver(() => {
    if (!hasOption(select, value)) return;
    observer.disconnect();
    select.value = value;
    tell(select);
  });
  observer.observe(select, { childList: true, subtree: true });
  setTimeout(() => observer.disconnect(), PATIENCE);
}

/**
 * The page's own scripts hear of it as if the person had typed it.
 * @param {HTMLElement} field
 */
function tell(field) {
  isRestoring = true;
  for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
  isRestoring = false;
}

/**
 * @param {HTMLFormElement} form
 * @param {boolean} isTurnedAway
 */
function sayUnsent(form, isTurnedAway) {
  const words = isTurnedAway
    ? form.dataset.unsent ?? "This has not been sent yet: send it now?"
    : "This was sent, and no answer came. Look whether it has happened before you send it again.";
  const note = noteIn(form, words);
  for (let part = form.closest("details"); part; part = part.parentElement?.closest("details") ?? null) part.open = true;
  note.tabIndex = -1;
  note.focus();
}

/** @param {HTMLFormElement} form */
function sayRestored(form) {
  const afresh = document.createElement("button");
  Object.assign(afresh, { type: "button", className: "button button-secondary", textContent: "Start over" });
  afresh.addEventListener("click", () => {
    forget(form);
    location.replace(location.href);
  });
  noteIn(form, "What you typed earlier is back.").append(afresh);
}

/**
 * @param {HTMLFormElement} form
 * @param {string} words
 */
function noteIn(form, words) {
  const note = document.createElement("div");
  note.className = "note note-warning draft-note";
  note.setAttribute("role", "status");
  const text = document.createElement("p");
  text.textContent = words;
  note.append(text);
  if (form.classList.contains("request")) form.before(note);
  else form.prepend(note);
  return note;
}

// Once the page's own scripts have wired their forms: modules run before this.
document.addEventListener("DOMContentLoaded", () => restoreDrafts(document));
