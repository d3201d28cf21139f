/** What every page does: local times, forms that lose nothing, the account menu, shortcuts, a sign-out that forgets. */

import "./drafts.js";
import "./form-token.js";
import { deviation } from "./clock.js";
import { clearDrafts } from "./draft-store.js";
import { clearKeys } from "./keys.js";
import { wireShortcuts } from "./shortcuts.js";
import { inWords, letTimesPass, showLocalTimes } from "./times.js";

/** A sign-out waits at most this long (milliseconds) for the browser's storage. */
const PATIENCE = 1500;

/** A clock is said to be wrong from here on (milliseconds). */
const A_MINUTE = 60_000;

showLocalTimes(document);
letTimesPass();
wireShortcuts();
if (Math.abs(deviation()) >= A_MINUTE) sayClockIsWrong();

for (const menu of document.querySelectorAll("[data-menu]")) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(/** @type {Node} */ (event.target))) menu.removeAttribute("open");
  });
  menu.addEventListener("keydown", (event) => {
    if (/** @type {KeyboardEvent} */ (event).key !== "Escape") return;
    menu.removeAttribute("open");
    menu.querySelector("summary")?.focus();
  });
}

for (const form of document.querySelectorAll("form[data-clears-keys]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    window.addEventListener("pageshow", ({ persisted }) => { if (persisted) location.reload(); });
    clearDrafts();
    const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE));
    // Whatever the storage says, the person wants to be signed out.
    await Promise.race([clearKeys().catch(() => undefined), patience]);
    /** @type {HTMLFormElement} */ (form).submit();
  });
}

function sayClockIsWrong() {
  const note = document.createElement("p");
  note.className = "note note-warning clock-note";
  note.setAttribute("role", "status");
  const size = inWords(Math.round(Math.abs(deviation()) / A_MINUTE) * 60);
  note.textContent = `The clock of this computer is ${size} ${deviation() > 0 ? "fast" : "slow"}. `
    + "The times on this page, and what you choose here, go by the portal’s clock.";
  document.querySelector("main > .frame")?.before(note);
}
