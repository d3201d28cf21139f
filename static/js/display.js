/** The page for theme and time zone: zones are found by typing, and this browser's stands beside them. */

import "./page.js";
import { enhanceAll } from "./combobox.js";
import { ofBrowser } from "./zone.js";

enhanceAll();

const place = document.querySelector("[data-own-zone-name]");
if (place instanceof HTMLElement && ofBrowser) {
  /** @type {HTMLElement} */ (place.querySelector("strong")).textContent = ofBrowser;
  place.hidden = false;
}
