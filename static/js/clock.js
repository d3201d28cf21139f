/**
 * The portal's time. Lifetimes end by the portal's clock and AWS's, and the clock of a person's computer
 * may be hours or days off: every page carries the portal's time, and every answer does.
 */

/** Less than this (milliseconds) may be the way that a page took. */
const NOISE = 2_000;

/** How far the portal is ahead of this computer, in milliseconds. */
let ahead = 0;

/** Milliseconds since 1970 by the portal's clock. */
export const now = () => Date.now() + ahead;

/** How far this computer is ahead of the portal (less than nothing: behind it), in milliseconds. */
export const deviation = () => -ahead;

/**
 * @param {number} portal  the portal's time, in milliseconds since 1970
 * @param {number} here  this computer's at the same moment
 */
function compare(portal, here) {
  if (!Number.isFinite(portal) || Math.abs(portal - here - ahead) < NOISE) return;
  ahead = Math.abs(portal - here) < NOISE ? 0 : portal - here;
}

/**
 * Hear the portal's time in an answer: a page stays open for long, and its computer sleeps and sets its clock.
 * @param {Response} response
 */
export function hear(response) {
  const at = Date.parse(response.headers.get("Date") ?? "");
  compare(at + 500, Date.now()); // a header tells whole seconds
}

const stamped = /** @type {HTMLElement | null} */ (document.querySelector("[data-server-time]"));
if (stamped) {
  const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  const since = navigation ? performance.now() - navigation.responseStart : 0;
  compare(Number(stamped.dataset.serverTime), Date.now() - since);
}
