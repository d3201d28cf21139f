/** The request form: makes the key pair while the person fills it in, and sends nothing without. */

import "./page.js";
import { roleBadge, wireChoices } from "./choices.js";
import { wireKeyPair } from "./key-pair.js";
import { wireLastRequest } from "./last-request.js";
import { wireLifetime } from "./lifetime.js";
import { wireName } from "./name-field.js";
import { wireRequestLink } from "./request-link.js";

const form = /** @type {HTMLFormElement | null} */ (document.querySelector("form.request"));
document.getElementById("error-summary")?.focus();
if (form) wire(form);

/** @param {HTMLFormElement} form */
function wire(form) {
  const checkName = wireName(form);
  // What was wrong is being mended: the next answer says whether it is.
  form.addEventListener("input", ({ target }) => {
    const said = target instanceof Element ? target.closest(".field")?.querySelector(".errorlist") : undefined;
    if (!(target instanceof Element) || !said) return;
    target.removeAttribute("aria-invalid");
    said.remove();
  }, true);
  const lifetime = wireLifetime(form);
  const choose = wireChoices(form, ({ workspace, account, team }) => {
    lifetime.limitTo(team);
    checkName();
    showTicket(form, workspace, account);
    /** @type {HTMLElement} */ (form.querySelector("[data-approval]")).hidden = !team?.needs_approval;
    if (team?.who_agrees) /** @type {HTMLElement} */ (form.querySelector("[data-who-agrees]")).textContent = team.who_agrees;
    const optional = /** @type {HTMLElement} */ (form.querySelector("[data-reason-optional]"));
    optional.textContent = team?.reason_required ? "required" : "optional";
  });
  wireLastRequest(form, choose);
  wireRequestLink(form);

  wireKeyPair(form, { busy: "Requesting…", impossible: "No token can be requested here." });
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
