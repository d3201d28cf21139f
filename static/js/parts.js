/** Brings the server-made parts of a token's page up to date, without leaving the page. */

import { restoreDrafts } from "./drafts.js";
import { showLocalTimes } from "./times.js";

/**
 * Fetch the page again and replace its parts and its form token. Keeps what the person is using.
 * Rejects when no answer came; does nothing when the answer is another page (such as the sign-in).
 * @param {HTMLElement} page
 */
export async function refreshParts(page) {
  const response = await fetch(location.pathname, { cache: "no-store" });
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  if (fresh.querySelector("[data-token-page]")?.getAttribute("data-token-id") !== page.dataset.tokenId) return;
  const token = /** @type {HTMLInputElement | null} */ (fresh.querySelector("[data-token-page] > [name=csrfmiddlewaretoken]"));
  for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("[name=csrfmiddlewaretoken]"))) {
    input.value = token?.value ?? input.value;
  }
  for (const part of page.querySelectorAll("[data-part]")) {
    const replacement = fresh.querySelector(`[data-part=${part.getAttribute("data-part")}]`);
    if (!replacement || part.contains(document.activeElement)) continue;
    showLocalTimes(replacement);
    part.replaceWith(replacement);
    restoreDrafts(replacement);
    wireLongLists(replacement);
  }
}

/**
 * Type to find in long lists. Only a page that has one waits for the script of it.
 * @param {ParentNode} within
 */
export function wireLongLists(within) {
  if (!within.querySelector("select[data-combobox]")) return;
  import("./combobox.js").then(({ enhanceAll }) => enhanceAll(within), () => undefined); // it stays a select
}
