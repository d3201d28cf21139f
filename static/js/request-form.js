/** The request form: makes the key pair while the person fills it in, and sends nothing without. */

import "./page.js";
import { roleBadge, wireChoices } from "./choices.js";
import { forgetOldKeys, makeKeyPair, obstacle } from "./keys.js";
import { wireLifetime } from "./lifetime.js";
import { wireName } from "./name-field.js";

/** A submit that has not led to another page by then (milliseconds) was stopped by the person. */
const STOPPED = 30_000;

const form = /** @type {HTMLFormElement | null} */ (document.querySelector("form.request"));
document.getElementById("error-summary")?.focus();
if (form) wire(form);

/** @param {HTMLFormElement} form */
function wire(form) {
  const submit = /** @type {HTMLButtonElement} */ (form.querySelector("[data-submit]"));
  const status = /** @type {HTMLElement} */ (form.querySelector("[data-key-status]"));
  const publicKey = /** @type {HTMLInputElement} */ (form.elements.namedItem("public_key"));
  const label = submit.textContent ?? "";
  let isSending = false;
  /** @type {Promise<boolean>} */
  let keyIsReady;

  function makeFreshKey() {
    isSending = false;
    publicKey.value = "";
    submit.textContent = label;
    submit.removeAttribute("aria-disabled");
    submit.disabled = false;
    status.textContent = "Making a key pair in this browser…";
    keyIsReady = makeKeyPair().then(
      (made) => {
        publicKey.value = made;
        if (!isSending) status.textContent = "Sealed to this browser: only here can the key be opened, once.";
        return true;
      },
      () => {
        refuse("Your browser can’t keep a key pair (a private window, or storage is blocked or full). Open this page in a normal window.");
        return false;
      },
    );
  }

  /** @param {string} reason */
  function refuse(reason) {
    const note = /** @type {HTMLElement} */ (document.querySelector("[data-impossible]"));
    const strong = document.createElement("strong");
    strong.textContent = "No token can be requested here. ";
    note.replaceChildren(strong, reason);
    note.hidden = false;
    submit.textContent = label;
    submit.disabled = true;
    status.textContent = reason;
  }

  const checkName = wireName(form);
  // What was wrong is being mended: the next answer says whether it is.
  form.addEventListener("input", ({ target }) => {
    if (!(target instanceof Element) || !target.hasAttribute("aria-invalid")) return;
    target.removeAttribute("aria-invalid");
    target.closest(".field")?.querySelector(".errorlist")?.remove();
  });
  const lifetime = wireLifetime(form);
  wireChoices(form, ({ workspace, account, team }) => {
    lifetime.limitTo(team);
    checkName();
    showTicket(form, workspace, account);
    /** @type {HTMLElement} */ (form.querySelector("[data-approval]")).hidden = !team?.needs_approval;
    const optional = /** @type {HTMLElement} */ (form.querySelector("[data-reason-optional]"));
    optional.textContent = team?.reason_required ? "required" : "optional";
  });

  const reason = obstacle();
  if (reason) {
    refuse(reason);
    return;
  }
  makeFreshKey();
  forgetOldKeys().catch(() => undefined); // only tidiness

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isSending) return;
    isSending = true;
    submit.setAttribute("aria-disabled", "true"); // not `disabled`, which would lose the focus
    submit.textContent = "Requesting…";
    status.textContent = publicKey.value ? "Sending the request…" : "Finishing the key pair, then sending…";
    if (!(await keyIsReady)) return;
    lifetime.refresh();
    form.submit();
    setTimeout(makeFreshKey, STOPPED);
  });
  // Back from the next page: that request may have been taken, so this is another one.
  window.addEventListener("pageshow", (event) => { if (event.persisted) makeFreshKey(); });
}

/**
 * @param {HTMLFormElement} form
 * @param {import("./choices.js").Workspace} [workspace]
 * @param {import("./choices.js").Account} [account]
 */
function showTicket(form, workspace, account) {
  const line = /** @type {HTMLElement} */ (form.querySelector("[data-ticket-account]"));
  if (!workspace || !account) {
    line.textContent = workspace ? `A token in ${workspace.name}` : "No service account chosen yet";
    return;
  }
  const name = document.createElement("strong");
  name.textContent = account.name;
  line.replaceChildren(name, " ", roleBadge(account.role), ` in ${workspace.name}`);
}
