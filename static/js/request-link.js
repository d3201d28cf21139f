/** A link that opens the form filled in as it is now, for a runbook. Whoever opens it chooses a name of their own. */

const NAMES = ["workspace", "service_account", "team", "lifetime", "reason"];

/** @param {HTMLFormElement} form */
export function wireRequestLink(form) {
  const place = /** @type {HTMLElement} */ (form.querySelector("[data-request-link]"));
  const button = /** @type {HTMLButtonElement} */ (place.querySelector("button"));
  const said = /** @type {HTMLElement} */ (place.querySelector("[role=status]"));
  const text = /** @type {HTMLInputElement} */ (place.querySelector("input"));
  place.hidden = false;
  button.addEventListener("click", async () => {
    said.textContent = ""; // so that the same words are read out a second time
    text.value = linkTo(form);
    try {
      await navigator.clipboard.writeText(text.value);
      text.hidden = true;
      said.textContent = "Link copied. It opens this form filled in, without the name.";
    } catch {
      text.hidden = false;
      text.select();
      said.textContent = "Your browser refused the clipboard. The link is selected: copy it with Ctrl+C or ⌘C.";
    }
  });
}

/** @param {HTMLFormElement} form */
function linkTo(form) {
  const link = new URL(form.action);
  for (const name of NAMES) {
    const field = form.elements.namedItem(name === "lifetime" ? "seconds_to_live" : name);
    if (!(field instanceof HTMLInputElement || field instanceof HTMLSelectElement) || field.disabled) continue;
    if (field.value) link.searchParams.set(name, field.value);
  }
  return link.href;
}
