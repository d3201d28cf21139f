/** The recipient's page of a token that waits for them: this browser makes the key pair. */

import { wireKeyPair } from "./key-pair.js";

const form = /** @type {HTMLFormElement | null} */ (document.querySelector("form[data-collect]"));
if (form) wireKeyPair(form, { busy: "Making it…", impossible: "The key can’t be opened here." });
