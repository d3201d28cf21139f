/**
 * What a person has typed into forms, kept in this browser alone until the portal has taken it, the person signs
 * out, or a week has passed. A draft belongs to one person and to the address that its form is sent to.
 *
 * It never holds a password, a key (private, public or Grafana's), a fingerprint or a form token.
 *
 * @typedef {object} Draft
 * @property {Record<string, string[]>} values  by the fields' names
 * @property {number} at  milliseconds since 1970, by the portal's clock
 * @property {string} search  the query of the page that it was typed on
 * @property {string} [number]  of the form that was sent, so that the portal can say which it has taken
 */

import { now } from "./clock.js";

const PREFIX = "draft:";
/** What a person chose last for a request (last-request.js). */
export const LAST_REQUEST = "last-request:";
const OLDEST = 7 * 24 * 3600 * 1000; // milliseconds
const LONGEST = 200_000; // characters of one draft
/** In the tab's own storage: the drafts that were sent from it, with their numbers. */
const SENT = "drafts-sent";

const NEVER_BY_NAME = /csrf|password|public_key|private|fingerprint|secret|^draft$/i;
/** A Grafana key, a PEM block, a SHA-256, a key pair's half in base64. */
const NEVER_BY_LOOK = /glsa_|-----BEGIN|\b[0-9a-f]{64}\b|[A-Za-z0-9+/_-]{300}/i;
const NEVER_BY_TYPE = new Set(["password", "file", "submit", "button", "reset", "image"]);

const person = /** @type {HTMLElement | null} */ (document.querySelector("[data-person]"))?.dataset.person ?? "";

/** Whether the person is signing out: nothing is kept any more. */
let isCleared = false;

/** @param {HTMLFormElement} form */
export function isKept(form) {
  return Boolean(person) && form.method === "post" && !form.matches("[data-no-draft], [data-clears-keys]")
    && !form.querySelector("[type=password]");
}

/**
 * Fields of a form that a draft holds, by the names that it holds them under.
 * @param {HTMLFormElement} form
 * @returns {[string, HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement][]}
 */
export function fieldsOf(form) {
  /** @type {[string, any][]} */
  const found = [];
  for (const field of form.elements) {
    if (!(field instanceof HTMLInputElement || field instanceof HTMLSelectElement || field instanceof HTMLTextAreaElement)) continue;
    // Without a name a field is kept only where the page says so.
    const name = field.name || (field.hasAttribute("data-kept") ? `#${field.id}` : "");
    if (!name || NEVER_BY_NAME.test(name) || NEVER_BY_TYPE.has(field.type)) continue;
    found.push([name, field]);
  }
  return found;
}

/** @param {HTMLFormElement} form */
function valuesOf(form) {
  /** @type {Record<string, string[]>} */
  const values = {};
  for (const [name, field] of fieldsOf(form)) {
    if (field.disabled || !holdsNoSecret(field.value)) continue;
    const isChoice = field.type === "checkbox" || field.type === "radio";
    if (isChoice && !(/** @type {HTMLInputElement} */ (field).checked)) continue;
    (values[name] ??= []).push(field.value);
  }
  return values;
}

/** @param {string} text */
export const holdsNoSecret = (text) => !NEVER_BY_LOOK.test(text);

/** @param {HTMLFormElement} form */
function keyOf(form) {
  const action = new URL(form.getAttribute("action") || location.pathname, location.href);
  return `${PREFIX}${person}:${action.pathname}`;
}

/**
 * Keep what stands in the form now.
 * @param {HTMLFormElement} form
 * @param {string} [number]  when it is being sent
 */
export function keep(form, number) {
  if (isCleared || !isKept(form)) return;
  const key = keyOf(form);
  /** @type {Draft} */
  const draft = { values: valuesOf(form), at: now(), search: location.search, number };
  const text = JSON.stringify(draft);
  if (text.length > LONGEST) return;
  quietly(() => {
    localStorage.setItem(key, text);
    noteSent(key, number);
  });
}

/**
 * @param {HTMLFormElement} form
 * @returns {{draft: Draft, isUnsent: boolean, isTurnedAway: boolean} | undefined} whether it was sent from this tab
 *   and not taken, and whether that is because the session had ended
 */
export function draftOf(form) {
  if (!isKept(form)) return undefined;
  return quietly(() => {
    const key = keyOf(form);
    const draft = JSON.parse(localStorage.getItem(key) ?? "null");
    if (!draft) return undefined;
    const isUnsent = Boolean(draft.number) && sentFromHere()[key] === draft.number;
    return { draft, isUnsent, isTurnedAway: isUnsent && numbers("data-turned-away").has(draft.number) };
  });
}

/** @param {HTMLFormElement} form */
export function forget(form) {
  quietly(() => drop(keyOf(form)));
}

/** Forget all that anybody has typed here, on signing out. */
export function clearDrafts() {
  isCleared = true;
  quietly(() => {
    for (const key of keys()) localStorage.removeItem(key);
    sessionStorage.removeItem(SENT);
    for (const key of Object.keys(localStorage).filter((one) => one.startsWith(LAST_REQUEST))) {
      const choices = JSON.parse(localStorage.getItem(key) ?? "{}");
      localStorage.setItem(key, JSON.stringify({ ...choices, reason: "" })); // that was typed
    }
  });
}

/**
 * Forms that the page says this of.
 * @param {string} attribute
 */
const numbers = (attribute) => new Set([...document.querySelectorAll(`[${attribute}]`)].flatMap((element) =>
  (element.getAttribute(attribute) ?? "").split(" ")));

/** Let go of what the portal has taken, and of what is too old. */
function tidy() {
  const taken = numbers("data-taken");
  for (const key of keys()) {
    const { number, at } = JSON.parse(localStorage.getItem(key) ?? "{}");
    if (taken.has(number) || !(now() - at < OLDEST)) drop(key);
  }
}

/** @returns {Record<string, string>} */
const sentFromHere = () => JSON.parse(sessionStorage.getItem(SENT) ?? "{}");

const keys = () => Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));

/**
 * @param {string} key
 * @param {string} [number]  none: it is not under way
 */
function noteSent(key, number) {
  const sent = sentFromHere();
  if (sent[key] === number) return;
  if (number) sent[key] = number;
  else delete sent[key];
  if (Object.keys(sent).length) sessionStorage.setItem(SENT, JSON.stringify(sent));
  else sessionStorage.removeItem(SENT);
}

/** @param {string} key */
function drop(key) {
  localStorage.removeItem(key);
  noteSent(key);
}

/**
 * Storage may be blocked or full: then nothing is kept, and nothing else breaks.
 * @template T
 * @param {() => T} work
 * @returns {T | undefined}
 */
function quietly(work) {
  try {
    return work();
  } catch {
    return undefined;
  }
}

quietly(tidy);
