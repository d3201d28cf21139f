/** Find by key: the key that is pasted stays in this page, and only its SHA-256 is sent. */

import { sha256 } from "./fingerprint.js";
import "./page.js";
import { keysIn } from "./leaked-key.js";

const form = /** @type {HTMLFormElement} */ (document.querySelector("[data-find]"));
const pasted = /** @type {HTMLTextAreaElement} */ (form.querySelector("textarea"));
const fingerprint = /** @type {HTMLInputElement} */ (form.querySelector("[name=fingerprint]"));
const trouble = /** @type {HTMLElement} */ (form.querySelector("[data-trouble]"));
const submit = /** @type {HTMLButtonElement} */ (form.querySelector("[data-submit]"));

// Neither a reload nor the back button brings the key back; what was pasted before this ran stays.
window.addEventListener("pagehide", () => { pasted.value = ""; });

if (window.isSecureContext && crypto?.subtle) submit.disabled = false;
else tell("This page was not opened over https, so your browser can’t make the key’s SHA-256.");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const [key, ...others] = keysIn(pasted.value);
  if (!key) return tell(pasted.value.trim() ? "There is no key in this: one begins with “glsa_”." : "Paste a key first.");
  if (others.length) return tell(`There are ${others.length + 1} keys in this. Look them up one by one.`);
  fingerprint.value = await sha256(new TextEncoder().encode(key));
  pasted.value = "";
  form.submit();
});

/** @param {string} text */
function tell(text) {
  trouble.textContent = text;
  pasted.setAttribute("aria-invalid", "true");
  pasted.focus();
}
