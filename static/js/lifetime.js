/** The lifetime: presets, seconds or a date, the cap of the policy, and when exactly it ends. */

import { now } from "./clock.js";
import { inBothZones, inWords, zone } from "./times.js";

/** How often the end is computed anew, in milliseconds. */
const TICK = 10_000;

/**
 * Wire the lifetime's inputs of the form.
 * @param {HTMLFormElement} form
 */
export function wireLifetime(form) {
  const seconds = /** @type {HTMLInputElement} */ (form.elements.namedItem("seconds_to_live"));
  const until = /** @type {HTMLInputElement} */ (form.querySelector("#until"));
  const ends = /** @type {HTMLElement} */ (form.querySelector("[data-ends]"));
  const words = /** @type {HTMLElement} */ (form.querySelector("[data-lifetime-words]"));
  const presetNote = /** @type {HTMLElement} */ (form.querySelector("[data-preset-note]"));
  const presets = /** @type {NodeListOf<HTMLButtonElement>} */ (form.querySelectorAll("[data-seconds]"));
  let longest = Number(form.dataset.longestLifetime);
  let whose = "AWS allows";
  let isOwnChoice = seconds.value !== "";
  let followsUntil = false;

  /** Seconds from now, or NaN. */
  const lifetime = () => (/^\s*\d{1,15}\s*$/.test(seconds.value) ? Number(seconds.value) : NaN);

  /** Time passing is no news: only what the person does is read out. */
  function tick() {
    ends.setAttribute("aria-live", "off");
    show();
    setTimeout(() => ends.setAttribute("aria-live", "polite"));
  }

  function show() {
    if (followsUntil) seconds.value = String(secondsUntil(until.value));
    const value = lifetime();
    const isFine = value >= 1 && value <= longest;
    setText(words, value >= 1 ? `= ${inWords(value)}` : "");
    for (const preset of presets) {
      preset.setAttribute("aria-pressed", String(Number(preset.dataset.seconds) === value));
    }
    ends.classList.toggle("ends-wrong", seconds.value !== "" && !isFine);
    if (seconds.value === "") setText(ends, "Choose a lifetime to see when the token ends.");
    else if (Number.isNaN(value)) setText(ends, "Give the lifetime as a whole number of seconds.");
    else if (value < 1) setText(ends, "That is not in the future.");
    else if (value > longest) setText(ends, `Too long: ${whose} at most ${inWords(longest)}.`);
    else setText(ends, `Ends ${inBothZones(new Date(now() + value * 1000))} — if issued now`);
  }

  for (const preset of presets) {
    preset.addEventListener("click", () => {
      seconds.value = preset.dataset.seconds ?? "";
      seconds.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }
  seconds.addEventListener("input", () => {
    isOwnChoice = true;
    followsUntil = false;
    until.value = "";
    show();
  });
  until.addEventListener("input", () => {
    if (!until.value) return;
    isOwnChoice = true;
    followsUntil = true;
    show();
  });

  const zoneNote = form.querySelector("[data-zone]");
  if (zoneNote) zoneNote.textContent = zone;
  /** @type {HTMLElement} */ (form.querySelector("[data-until-field]")).hidden = false;
  setInterval(tick, TICK);
  show();

  return {
    /** The date that was picked is kept to the second, however long the form was open. */
    refresh: show,

    /** @param {import("./choices.js").Team | undefined} team */
    limitTo(team) {
      longest = team?.max_ttl ?? Number(form.dataset.longestLifetime);
      whose = team ? `${team.name} may ask here for` : "AWS allows";
      if (team && !isOwnChoice) seconds.value = String(team.default_ttl);
      let isCapped = false;
      for (const preset of presets) {
        preset.disabled = Number(preset.dataset.seconds) > longest;
        isCapped ||= preset.disabled;
      }
      presetNote.hidden = !isCapped;
      setText(presetNote, isCapped ? `${whose} at most ${inWords(longest)}.` : "");
      const latest = new Date(now() + longest * 1000);
      until.max = forInput(latest);
      show();
    },
  };
}

/**
 * @param {string} local  the value of a datetime-local input
 * @returns {number} whole seconds from now, by the portal's clock; 0 when it is past
 */
function secondsUntil(local) {
  return Math.max(0, Math.ceil((new Date(local).getTime() - now()) / 1000));
}

/** @param {Date} at */
function forInput(at) {
  const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

/**
 * Writing the same text again would make a screen reader say it again.
 * @param {HTMLElement} element
 * @param {string} text
 */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
