/**
 * Passkeys: has the browser make one, or prove one, and posts its answer with the form (WebAuthn).
 *
 * A form with `data-passkey` is hidden until it is known that this browser can do it here.
 */

const forms = /** @type {NodeListOf<HTMLFormElement>} */ (
  document.querySelectorAll("form[data-passkey]"));
for (const form of forms) {
  const elsewhere = /** @type {HTMLElement | null} */ (
    document.querySelector("[data-passkey-elsewhere]"));
  const reason = whyNot(form.dataset.host ?? "");
  if (reason) {
    if (!elsewhere) continue;
    elsewhere.textContent = reason;
    elsewhere.hidden = false;
    continue;
  }
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void prove(form);
  });
  form.querySelector("button[type=button]")?.addEventListener("click", () => void prove(form));
}

/**
 * Why this browser can't do it on this page, for people; empty if it can.
 * @param {string} host  the name that passkeys of this portal are bound to
 */
function whyNot(host) {
  const here = location.hostname;
  if (here !== host && !here.endsWith(`.${host}`)) {
    return `Passkeys of this portal work at ${host}: open it there.`;
  }
  if (!window.PublicKeyCredential) return "This browser has no passkeys.";
  return "";
}

/** @param {HTMLFormElement} form */
async function prove(form) {
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
  const trouble = /** @type {HTMLElement} */ (form.querySelector("[data-passkey-trouble]"));
  button.disabled = true;
  trouble.hidden = true;
  try {
    const { publicKey } = await optionsOf(form);
    const credential = form.dataset.passkey === "create"
      ? await navigator.credentials.create({ publicKey: forCreation(publicKey) })
      : await navigator.credentials.get({ publicKey: forRequest(publicKey) });
    const answer = asJson(/** @type {PublicKeyCredential} */ (credential));
    /** @type {HTMLInputElement} */ (form.elements.namedItem("credential")).value = answer;
    form.submit();
  } catch (error) {
    trouble.textContent = inWords(/** @type {Error} */ (error));
    trouble.hidden = false;
    button.disabled = false;
  }
}

/**
 * What the portal asks the browser for: on the page, or from the form's own address.
 * @param {HTMLFormElement} form
 */
async function optionsOf(form) {
  const onPage = form.dataset.options && document.getElementById(form.dataset.options);
  if (onPage) return JSON.parse(onPage.textContent ?? "");
  const answer = await fetch(form.action, { headers: { Accept: "application/json" }, cache: "no-store" });
  if (!answer.ok) throw new Error("no answer");
  return (await answer.json()).request_options;
}

/** @param {Error} error */
function inWords(error) {
  if (error.name === "InvalidStateError") return "This device has a passkey of yours already.";
  if (error.name === "NotAllowedError") return "Nothing was chosen in time. Try again.";
  if (error.name === "SecurityError") return "This browser takes no passkey at this address.";
  return "That did not work. Check your connection, then try again.";
}

/** @param {any} options */
function forCreation(options) {
  return {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: (options.excludeCredentials ?? []).map(known),
  };
}

/** @param {any} options */
function forRequest(options) {
  return {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: (options.allowCredentials ?? []).map(known),
  };
}

/** @param {any} credential */
function known(credential) {
  return { ...credential, id: bytes(credential.id) };
}

/** @param {PublicKeyCredential} credential */
function asJson(credential) {
  /** @type {Record<string, unknown>} */
  const response = {};
  const names = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const answered = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (credential.response));
  for (const name of names) {
    const value = answered[name];
    if (value instanceof ArrayBuffer) response[name] = letters(value);
  }
  return JSON.stringify({
    id: credential.id,
    rawId: letters(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  });
}

/**
 * base64url (RFC 4648, section 5), without padding.
 * @param {ArrayBuffer} buffer
 */
function letters(buffer) {
  const text = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @param {string} text */
function bytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}
