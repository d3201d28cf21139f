/** The page that renews or replaces a token: how the old one ends, who gets the new key, and how long it lives. */

import "./page.js";
import { wireKeyPair } from "./key-pair.js";
import { read, show as showLifetime } from "./lifetime-field.js";
import { wireLifetime } from "./lifetime.js";
import { now } from "./clock.js";
import { inWords } from "./times.js";

const form = /** @type {HTMLFormElement | null} */ (document.querySelector("form[data-reissue]"));
document.getElementById("error-summary")?.focus();
if (form) wire(form);

/** @param {HTMLFormElement} form */
function wire(form) {
  const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (form.querySelector(`[data-${name}]`));
  const overlap = /** @type {HTMLInputElement} */ (form.elements.namedItem("overlap_seconds"));
  const quiet = /** @type {HTMLInputElement | null} */ (form.elements.namedItem("quiet_seconds"));
  const submit = /** @type {HTMLButtonElement} */ (part("submit"));
  const lifetime = wireLifetime(form);
  const chosen = (/** @type {string} */ name) => String(new FormData(form).get(name) ?? "");
  const isForMe = () => chosen("recipient") === "me" || "isOwn" in form.dataset;
  const showKeyStatus = wireKeyPair(form, {
    busy: "Sending…",
    impossible: "The new key can’t be opened here.",
    isNeeded: isForMe,
  });

  function oldEnd() {
    const seconds = read(overlap.value, now());
    const held = quiet?.value ? ", and then until Grafana has seen no use of it for a while" : "";
    switch (chosen("mode")) {
      case "overlap":
        return `The old token works on until ${seconds >= 1 ? inWords(seconds) : "the overlap"} after the new key was taken${held}.`;
      case "lost":
        return "The old token works until the new key has been taken.";
      case "replace":
        return "The old token ends at once.";
      default:
        return "Say what happened to the old key.";
    }
  }

  function show() {
    const mode = chosen("mode");
    const who = isForMe() ? "mine" : "owners";
    const limits = form.dataset[who];
    lifetime.limitTo(limits ? JSON.parse(limits) : undefined);
    part("overlap-field").hidden = mode !== "overlap";
    if (quiet) part("quiet-field").hidden = mode !== "overlap";
    part("old-end").textContent = oldEnd();
    submit.classList.toggle("button-danger", mode === "replace");
    submit.classList.toggle("button-primary", mode !== "replace");
    if (mode) submit.textContent = submit.dataset[mode] ?? "";
    for (const note of /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll("[data-approval], [data-shortened]"))) {
      note.hidden = (note.dataset.approval ?? note.dataset.shortened) !== who;
    }
    for (const words of /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll("[data-until-then]"))) words.hidden = mode === "replace";
    for (const words of /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll("[data-without]"))) words.hidden = mode !== "replace";
    showKeyStatus();
  }

  form.addEventListener("input", (event) => {
    if (event.target === form.elements.namedItem("seconds_to_live")) return;
    show();
  });
  show();
  showLifetime(overlap);
  if (quiet) showLifetime(quiet);
}
