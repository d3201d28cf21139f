/**
 * A form that asks for a key: makes the key pair while the person reads and fills it in, and sends
 * nothing without its public half.
 */

import { forgetOldKeys, makeKeyPair, obstacle } from "./keys.js";

/** A submit that has not led to another page by then (milliseconds) was stopped by the person. */
const STOPPED = 30_000;

/**
 * @param {HTMLFormElement} form  with `public_key`, `[data-submit]` and `[data-key-status]`
 * @param {{busy: string, impossible: string, isNeeded?: () => boolean}} words
 *   `isNeeded` says whether the key is for this browser at all
 * @returns {() => void} to be called when the answer to `isNeeded` may have changed
 */
export function wireKeyPair(form, { busy, impossible, isNeeded = () => true }) {
  const submit = /** @type {HTMLButtonElement} */ (form.querySelector("[data-submit]"));
  const status = /** @type {HTMLElement} */ (form.querySelector("[data-key-status]"));
  const note = /** @type {HTMLElement} */ (document.querySelector("[data-impossible]"));
  const publicKey = /** @type {HTMLInputElement} */ (form.elements.namedItem("public_key"));
  let label = submit.textContent ?? "";
  let isSending = false;
  let trouble = obstacle();
  /** @type {Promise<boolean>} */
  let keyIsReady = Promise.resolve(false);

  function makeFreshKey() {
    isSending = false;
    publicKey.value = "";
    submit.textContent = label;
    submit.removeAttribute("aria-disabled");
    keyIsReady = makeKeyPair().then(
      (made) => {
        publicKey.value = made;
        if (!isSending) show();
        return true;
      },
      () => {
        trouble = "Your browser can’t keep a key pair (a private window, or storage is blocked or full). Open this page in a normal window.";
        show();
        return false;
      },
    );
    show();
  }

  /** What stands below the button, and whether it may be pressed. */
  function show() {
    const isRefused = Boolean(trouble) && isNeeded();
    submit.disabled = isRefused;
    note.hidden = !isRefused;
    if (isRefused) {
      const strong = document.createElement("strong");
      strong.textContent = `${impossible} `;
      note.replaceChildren(strong, trouble);
      submit.textContent = label;
      status.textContent = trouble;
    } else if (!isNeeded()) status.textContent = "";
    else if (publicKey.value) status.textContent = "Sealed to this browser: only here can the key be opened, once.";
    else status.textContent = "Making a key pair in this browser…";
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isSending || submit.disabled) return;
    isSending = true;
    submit.setAttribute("aria-disabled", "true"); // not `disabled`, which would lose the focus
    label = submit.textContent ?? "";
    submit.textContent = busy;
    if (isNeeded()) {
      status.textContent = publicKey.value ? "Sending the request…" : "Finishing the key pair, then sending…";
      if (!(await keyIsReady)) {
        isSending = false;
        return;
      }
    } else publicKey.value = "";
    form.submit();
    if (!trouble) setTimeout(makeFreshKey, STOPPED);
  });
  if (trouble) show();
  else {
    makeFreshKey();
    forgetOldKeys().catch(() => undefined); // only tidiness
    // Back from the next page: that request may have been taken, so this is another one.
    window.addEventListener("pageshow", (event) => { if (event.persisted) makeFreshKey(); });
  }
  return show;
}
