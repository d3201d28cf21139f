/**
 * Times that somebody types are in the zone of their browser, as the times on the page are. A link
 * that has times in it keeps the zone in which they were meant.
 */

import { zone } from "./times.js";

const TIMES = ["since", "until", "as_of"];
const HOW_LONG_AGO = /^\d+[hd]$/;
/** A browser that can't tell says so by this name. */
const own = zone === "Etc/Unknown" ? "" : zone ?? "";

/**
 * Fill in the zone of a form, and say it beside its times.
 * @param {HTMLFormElement} form
 * @returns {() => void} takes the zone out where it would say nothing; called before it is sent
 */
export function wireTimeZone(form) {
  const sent = /** @type {HTMLInputElement} */ (form.querySelector("[data-time-zone]"));
  const times = TIMES.map((name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name)));
  const says = () => times.some(({ value }) => value.trim() && !HOW_LONG_AGO.test(value.trim()));

  function take() {
    if (!says()) sent.value = own;
    for (const place of form.querySelectorAll("[data-zone]")) place.textContent = sent.value || "UTC";
  }

  for (const time of times) time.addEventListener("input", take);
  window.addEventListener("pageshow", take); // a page that comes back, too
  take();
  return () => { if (!says()) sent.value = ""; };
}

/**
 * The address of a chart, with its days in the reader's zone unless it has times that name theirs.
 * @param {string} address
 */
export function inOwnDays(address) {
  const url = new URL(address, location.href);
  const { searchParams } = url;
  if (own && !TIMES.some((name) => searchParams.has(name))) searchParams.set("time_zone", own);
  return url.href;
}
