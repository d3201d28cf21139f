/** What every page does: local times, the account menu, and sign-out that forgets private keys. */

import { showLocalTimes } from "./times.js";
import { clearKeys } from "./keys.js";

/** A sign-out waits at most this long (milliseconds) for the browser's storage. */
const PATIENCE = 1500;

showLocalTimes(document);

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
    const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE));
    // Whatever the storage says, the person wants to be signed out.
    await Promise.race([clearKeys().catch(() => undefined), patience]);
    /** @type {HTMLFormElement} */ (form).submit();
  });
}
