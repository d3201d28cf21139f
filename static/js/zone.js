/** The zone of the reader: the one that they have chosen, or else their browser's. */

/** Browsers call some zones by what their cities were called once. */
const OF_TODAY = /** @type {Record<string, string>} */ ({
  "Africa/Asmera": "Africa/Asmara",
  "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
  "America/Catamarca": "America/Argentina/Catamarca",
  "America/Cordoba": "America/Argentina/Cordoba",
  "America/Godthab": "America/Nuuk",
  "America/Indianapolis": "America/Indiana/Indianapolis",
  "America/Jujuy": "America/Argentina/Jujuy",
  "America/Louisville": "America/Kentucky/Louisville",
  "America/Mendoza": "America/Argentina/Mendoza",
  "Asia/Calcutta": "Asia/Kolkata",
  "Asia/Katmandu": "Asia/Kathmandu",
  "Asia/Rangoon": "Asia/Yangon",
  "Asia/Saigon": "Asia/Ho_Chi_Minh",
  "Atlantic/Faeroe": "Atlantic/Faroe",
  "Europe/Kiev": "Europe/Kyiv",
  "Pacific/Ponape": "Pacific/Pohnpei",
  "Pacific/Truk": "Pacific/Chuuk",
});

const named = Intl.DateTimeFormat().resolvedOptions().timeZone;
export const ofBrowser = OF_TODAY[named] ?? named;

const chosen = known(document.documentElement.dataset.timeZone);
export const zone = chosen ?? ofBrowser;

/** For `Intl`; of a browser's own zone it needs no name, and some have one that they do not know themselves. */
export const inZone = chosen ? { timeZone: chosen } : {};

const parts = new Intl.DateTimeFormat("en-US", {
  ...inZone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
});

/** @param {string | undefined} name */
function known(name) {
  if (!name) return undefined;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return name;
  } catch {
    return undefined; // an old browser, which does not have it yet
  }
}

/**
 * What the reader's clocks and calendars show at a moment, as if it were UTC (milliseconds).
 * @param {Date} at
 */
export function shownAt(at) {
  const found = /** @type {Record<string, number>} */ ({});
  for (const { type, value } of parts.formatToParts(at)) found[type] = Number(value);
  return Date.UTC(found.year, found.month - 1, found.day, found.hour, found.minute, found.second);
}

/**
 * The moment at which the reader's clocks show this; a day too many is one of the next month.
 * @param {number} year
 * @param {number} month  from 0, as Date has it
 * @param {number} day
 * @param {number} hour
 * @param {number} minute
 */
export function moment(year, month, day, hour, minute) {
  const wanted = Date.UTC(year, month, day, hour, minute);
  const ahead = (/** @type {number} */ at) => shownAt(new Date(at)) - at;
  const first = wanted - ahead(wanted);
  return new Date(wanted - ahead(first)); // the offset of that day, not of the day in UTC
}
