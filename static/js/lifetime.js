/** The lifetime that is asked for: chips, one field, the cap of the policy, and when exactly it ends. */

import { now } from "./clock.js";
import { read, written } from "./lifetime-field.js";
import { inBothZones, inWords } from "./times.js";

/** How often the end is computed anew, in milliseconds. */
const TICK = 10_000;

/**
 * Wire the lifetime's field of the form.
 * @param {HTMLFormElement} form
 */
export function wireLifetime(form) {
  const field = /** @type {HTMLInputElement} */ (form.elements.namedItem("seconds_to_live"));
  const ends = /** @type {HTMLElement} */ (form.querySelector("[data-ends]"));
  const words = /** @type {HTMLElement} */ (form.querySelector("[data-lifetime-words]"));
  const presetNote = /** @type {HTMLElement} */ (form.querySelector("[data-preset-note]"));
  const presets = /** @type {NodeListOf<HTMLButtonElement>} */ (form.querySelectorAll("[data-seconds]"));
  let longest = Number(form.dataset.longestLifetime);
  let whose = "AWS allows";
  let isOwnChoice = field.value !== "";

  /** Time passing is no news: only what the person does is read out. */
  function tick() {
    ends.setAttribute("aria-live", "off");
    show();
    setTimeout(() => ends.setAttribute("aria-live", "polite"));
  }

  function wrong() {
    if (field.value.trim() === "") return "";
    const value = read(field.value, now());
    if (Number.isNaN(value)) return "This is not a time.";
    if (value < 1) return "That is in the past.";
    return value > longest ? `Too long: ${whose} at most ${inWords(longest)}.` : "";
  }

  function show() {
    const value = read(field.value, now());
    const trouble = wrong();
    setText(words, trouble || (value >= 1 ? `= ${inWords(value)}` : ""));
    words.classList.toggle("wrong", trouble !== "");
    if (trouble) field.setAttribute("aria-invalid", "true");
    else if (!field.closest(".field")?.querySelector(".errorlist")) field.removeAttribute("aria-invalid");
    for (const preset of presets) {
      preset.setAttribute("aria-pressed", String(Number(preset.dataset.seconds) === value));
    }
    if (value >= 1 && !trouble) setText(ends, `Ends ${inBothZones(new Date(now() + value * 1000))} — if issued now`);
    else setText(ends, "Choose a lifetime to see when the token ends.");
  }

  for (const preset of presets) {
    preset.addEventListener("click", () => {
      field.value = written(Number(preset.dataset.seconds));
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }
  field.addEventListener("input", () => {
    isOwnChoice = true;
    show();
  });

  setInterval(tick, TICK);
  show();

  return {
    /** @param {import("./choices.js").Team | undefined} team */
    limitTo(team) {
      longest = team?.max_ttl ?? Number(form.dataset.longestLifetime);
      whose = team ? `${team.name} may ask here for` : "AWS allows";
      if (team && !isOwnChoice) field.value = written(team.default_ttl);
      let isCapped = false;
      for (const preset of presets) {
        preset.disabled = Number(preset.dataset.seconds) > longest;
        isCapped ||= preset.disabled;
      }
      presetNote.hidden = !isCapped;
      setText(presetNote, isCapped ? `${whose} at most ${inWords(longest)}.` : "");
      show();
    },
  };
}

/**
 * Writing the same text again would make a screen reader say it again.
 * @param {HTMLElement} element
 * @param {string} text
 */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
