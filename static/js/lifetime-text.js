/** How long, as people write it: `30m`, `1d 12h`, `Fri 18:00`. portal/lifetimes.py reads the same; it decides. */

import { moment as clocksShow, shownAt } from "./zone.js";

const SECONDS = /** @type {Record<string, number>} */ ({ w: 604_800, d: 86_400, h: 3_600, m: 60, s: 1 });
const PART = "(\\d{1,9}) ?(w|weeks?|d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)";
const SPAN = new RegExp(`^(?:${PART},? ?)+$`, "i");
const DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const CLOCK = "([01]?\\d|2[0-3])[:.]([0-5]\\d)";
const ON_DAY = new RegExp(`^(today|tomorrow|[a-z]{3,9}),? ${CLOCK}$`, "i");
const ON_DATE = new RegExp(`^(\\d{4})-(\\d{2})-(\\d{2})(?:T|,? )${CLOCK}$`, "i");

export const HOW = "Write how long (30m, 8h, 1d 12h) or until when (Fri 18:00, 2026-12-24 18:00).";

/**
 * Seconds from now, or NaN; below 1 for what is past. A number alone is seconds.
 * @param {string} typed
 * @param {number} now  milliseconds since 1970
 */
export function read(typed, now) {
  const text = typed.trim().replaceAll(/\s+/g, " ");
  if (/^\d{1,15}$/.test(text)) return Number(text);
  if (SPAN.test(text)) {
    let sum = 0;
    for (const [, number, unit] of text.matchAll(new RegExp(PART, "gi"))) sum += Number(number) * SECONDS[unit[0].toLowerCase()];
    return sum;
  }
  const until = moment(text, now);
  return until ? Math.ceil((until.getTime() - now) / 1000) : NaN;
}

/**
 * Seconds as one writes them: `7d`, `1h 30m`.
 * @param {number} seconds
 */
export function written(seconds) {
  const parts = [];
  let rest = seconds;
  for (const unit of ["d", "h", "m", "s"]) {
    const count = Math.floor(rest / SECONDS[unit]);
    rest -= count * SECONDS[unit];
    if (count) parts.push(`${count}${unit}`);
  }
  return parts.join(" ") || "0s";
}

/**
 * @param {string} text
 * @param {number} now
 */
function moment(text, now) {
  const onDate = ON_DATE.exec(text);
  if (onDate) {
    const [year, month, day, hour, minute] = onDate.slice(1).map(Number);
    const meant = new Date(Date.UTC(year, month - 1, day));
    const isDay = meant.getUTCMonth() === month - 1 && meant.getUTCDate() === day;
    return isDay ? clocksShow(year, month - 1, day, hour, minute) : undefined;
  }
  const onDay = ON_DAY.exec(text);
  if (!onDay) return undefined;
  const [word, hour, minute] = [onDay[1].toLowerCase(), Number(onDay[2]), Number(onDay[3])];
  const today = new Date(shownAt(new Date(now))); // its UTC is the reader's calendar
  const at = (/** @type {number} */ days) =>
    clocksShow(today.getUTCFullYear(), today.getUTCMonth(), today.getUTCDate() + days, hour, minute);
  if (word === "today") return at(0);
  if (word === "tomorrow") return at(1);
  const wanted = DAYS.findIndex((name) => name.startsWith(word));
  if (wanted < 0) return undefined;
  const days = (wanted - today.getUTCDay() + 7) % 7;
  return at(days).getTime() > now ? at(days) : at(days + 7);
}
