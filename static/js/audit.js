/** The audit log's page: what comes after the events (charts, suggestions); no key in an address. */

import "./page.js";
import { enhanceAll } from "./combobox.js";
import { keysIn } from "./leaked-key.js";
import { inOwnDays, wireTimeZone } from "./time-zone.js";
import { showLocalTimes } from "./times.js";

/** Screens on which charts are folded: whoever wants them opens them. */
const NARROW = "(max-width: 48rem)";

enhanceAll();

const filters = /** @type {HTMLFormElement} */ (document.querySelector("[data-filters]"));
const warning = /** @type {HTMLElement} */ (filters.querySelector("[data-key-warning]"));

const beforeSending = wireTimeZone(filters);

filters.addEventListener("submit", (event) => {
  const inputs = [...filters.querySelectorAll("input")];
  const withKey = inputs.find((input) => keysIn(input.value).length);
  if (withKey) {
    event.preventDefault();
    withKey.value = "";
    warning.textContent = "That was a key, and what you search for becomes part of the address. Nothing was sent: “Find by key” looks it up safely.";
    return;
  }
  beforeSending();
  // Fields that say nothing would only make the address long. A page that comes back has them again.
  const silent = [...filters.querySelectorAll("input, select")].filter((field) => !(/** @type {HTMLInputElement} */ (field).value));
  for (const field of silent) field.toggleAttribute("disabled", true);
  window.addEventListener("pageshow", () => { for (const field of silent) field.removeAttribute("disabled"); });
});

const more = /** @type {HTMLDetailsElement} */ (filters.querySelector("[data-suggestions-url]"));
const suggest = () => { if (more.open) fetchSuggestions().catch(() => undefined); }; // one can type without
more.addEventListener("toggle", suggest);
suggest();

async function fetchSuggestions() {
  more.removeEventListener("toggle", suggest);
  more.append(...(await fetched(more.dataset.suggestionsUrl)).querySelectorAll("datalist"));
}

const place = /** @type {HTMLElement | null} */ (document.querySelector("[data-charts-place]"));
const fold = /** @type {HTMLDetailsElement | null} */ (document.querySelector("[data-charts-fold]"));
if (place && fold) {
  if (matchMedia(NARROW).matches) fold.open = false;
  const draw = () => {
    if (!fold.open || !place.hasAttribute("data-pending")) return;
    fold.removeEventListener("toggle", draw);
    showCharts(place).catch(() => undefined); // its link stays
  };
  fold.addEventListener("toggle", draw);
  draw();
}

/** @param {HTMLElement} place */
async function showCharts(place) {
  const state = /** @type {HTMLElement} */ (place.querySelector("[data-charts-state]"));
  const link = state.cloneNode(true);
  state.textContent = "Drawing the charts…";
  try {
    const charts = (await chartsAt(inOwnDays(place.dataset.url ?? ""))) ?? (await chartsAt(place.dataset.url));
    if (!charts) throw new Error("no charts came");
    showLocalTimes(charts);
    place.replaceChildren(charts);
  } catch (error) {
    place.replaceChildren(link);
    throw error;
  } finally {
    place.removeAttribute("data-pending");
  }
}

/**
 * The charts of an address; none where the server does not know the reader's zone.
 * @param {string} [url]
 */
async function chartsAt(url) {
  return (await fetched(url)).querySelector("[data-charts]");
}

/**
 * What the server answers, as a document of its own: nothing in it runs.
 * @param {string} [url]
 */
async function fetched(url = "") {
  const response = await fetch(url, { headers: { Accept: "text/html" } });
  return new DOMParser().parseFromString(await response.text(), "text/html");
}
