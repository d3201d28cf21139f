/** Times in the reader's own zone, with UTC beside them or on hover. */

import { now } from "./clock.js";
import { inZone, shownAt, zone } from "./zone.js";

export { zone };

const LOCALE = "en-GB"; // the pages are in English; 24-hour clocks leave no doubt
const DATE = /** @type {const} */ ({ day: "numeric", month: "short", year: "numeric" });
const CLOCK = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit" });
const shortDay = new Intl.DateTimeFormat(LOCALE, { ...DATE, ...inZone });
const day = new Intl.DateTimeFormat(LOCALE, { ...DATE, ...inZone, weekday: "short" });
const dayUtc = new Intl.DateTimeFormat(LOCALE, { ...DATE, weekday: "short", timeZone: "UTC" });
/**
 * `Mon 30 Nov 2026`: without the comma that the locale puts after the weekday.
 * @param {Date} at
 */
const dayOf = (at) => day.format(at).replace(",", "");
/** @param {Date} at */
const dayOfUtc = (at) => dayUtc.format(at).replace(",", "");
const clock = new Intl.DateTimeFormat(LOCALE, { ...CLOCK, ...inZone });
const clockUtc = new Intl.DateTimeFormat(LOCALE, { ...CLOCK, timeZone: "UTC" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** A distance below this is about to be told in seconds; so often are distances told anew (all in milliseconds). */
const IN_SECONDS = 70_000;
const EVERY_SECOND = 1_000;
const NOW_AND_THEN = 5_000;

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

/**
 * The moment in UTC; the day only where it differs from the local one.
 * @param {Date} at
 */
export function inUtc(at) {
  return `${dayOfUtc(at) === dayOf(at) ? "" : `${dayOfUtc(at)}, `}${clockUtc.format(at)} UTC`;
}

/**
 * `Mon 30 Nov 2026, 19:14 Europe/Berlin · 18:14 UTC`, or UTC alone where that is the reader's time.
 * @param {Date} at
 */
export function inBothZones(at) {
  return isUtc(at) ? `${localTime(at)} UTC` : `${localTime(at)} ${zone} · ${inUtc(at)}`;
}

/** @param {Date} at */
const localTime = (at) => `${dayOf(at)}, ${clock.format(at)}`;

/** @param {Date} at */
const isUtc = (at) => Math.abs(shownAt(at) - at.getTime()) < 1000; // milliseconds, which clocks do not show

/**
 * `in 6 days`, `3 minutes ago`; days are those of the calendar: `tomorrow` is the day after today.
 * @param {Date} at
 */
export function fromNow(at) {
  const seconds = (at.getTime() - now()) / 1000;
  if (Math.abs(seconds) >= 0.99 * 86_400) return relative.format(dayNumber(at) - dayNumber(new Date(now())), "day");
  const [unit, size] = UNITS.find(([, one]) => Math.abs(seconds) >= one * 0.99) ?? ["second", 1];
  return relative.format(Math.round(seconds / size), unit);
}

/** @param {Date} at */
const dayNumber = (at) => Math.floor(shownAt(at) / 86_400_000);

/**
 * Seconds as a person says them, at most two units: `7 days`, `1 day 2 hours`.
 * @param {number} seconds
 */
export function inWords(seconds) {
  const parts = [];
  let rest = seconds;
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(`${count.toLocaleString("en")} ${unit}${count === 1 ? "" : "s"}`);
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

/**
 * Show every `<time data-local>` under `root` in the reader's zone: with UTC on hover, or beside it
 * under an element with `data-both-zones`. A table says the zone once, in the head of the column.
 * @param {ParentNode} root
 */
export function showLocalTimes(root) {
  for (const time of /** @type {NodeListOf<HTMLTimeElement>} */ (root.querySelectorAll("time[data-local]"))) {
    const at = new Date(time.dateTime);
    const more = document.createElement("small");
    const distance = document.createElement("span");
    distance.setAttribute("data-from-now", "");
    distance.textContent = fromNow(at);
    if (time.closest("[data-both-zones]")) {
      time.textContent = localTime(at);
      more.append(`${isUtc(at) ? "UTC" : `${zone} · ${inUtc(at)}`} · `);
    } else {
      time.textContent = `${shortDay.format(at)}, ${clock.format(at)}${sayZoneOfColumn(time) ? "" : ` ${isUtc(at) ? "UTC" : zone}`}`;
      time.title = inBothZones(at);
    }
    more.append(distance);
    time.append(" ", more);
    time.removeAttribute("data-local");
  }
}

/**
 * @param {HTMLElement} time
 * @returns {boolean} whether it stands in a column, whose head says the zone
 */
function sayZoneOfColumn(time) {
  if (time.closest("[data-zone-said]")) return true;
  const cell = time.closest("td");
  const table = cell?.closest("table");
  const head = table?.tHead?.rows[0]?.cells[cell?.cellIndex ?? -1];
  if (!table || !head) return false;
  if (!head.querySelector(".zone")) head.append(" ", words("small", "zone", zone));
  table.dataset.zone = `Times are of ${zone}.`; // where rows are cards, nobody sees the head of a table
  return true;
}

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} text
 */
function words(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/** Let every distance on the page (`in 59 seconds`) go with the time, as long as the page is looked at. */
export function letTimesPass() {
  let timer = 0;

  function tick() {
    clearTimeout(timer);
    if (document.hidden) return;
    let nearest = Infinity;
    for (const distance of document.querySelectorAll("[data-from-now]")) {
      const at = new Date(/** @type {HTMLTimeElement} */ (distance.closest("time")).dateTime);
      const words = fromNow(at);
      if (distance.textContent !== words) distance.textContent = words;
      nearest = Math.min(nearest, Math.abs(at.getTime() - now()));
    }
    timer = setTimeout(tick, nearest < IN_SECONDS ? EVERY_SECOND : NOW_AND_THEN);
  }

  document.addEventListener("visibilitychange", tick);
  tick();
}
