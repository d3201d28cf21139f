/**
 * How a key comes to the browser that asked for it: fetch the ciphertext, open it, prove it.
 * Fetching changes nothing at the server; only the proof does.
 *
 * @typedef {import("./server.js").Answer} Answer
 */

import { sha256 } from "./fingerprint.js";
import { ask, longQuestion, pause, persist } from "./server.js";

const TOO_FAST = 1_000; // milliseconds: an answer without news sooner than this came from a busy server
const FOR_PEOPLE = 10_000; // milliseconds between questions while a person has to act

/**
 * One long question for the ciphertext.
 * @param {string} url
 * @param {string} state  the state that the page shows: the answer comes when it is no longer so
 * @param {AbortSignal} [signal]
 */
export function askForSealed(url, state, signal) {
  return ask(longQuestion(url, state), { signal });
}

/**
 * Ask until the key is sealed, or never will be.
 * @param {string} url
 * @param {string} state
 * @param {{first?: Promise<Answer>, onStatus: (status: Record<string, any>) => void,
 *   onTrouble: (isBroken: boolean) => void}} page
 * @returns {Promise<Answer>} 200 with `sealed_key`, or why there is none: 401, 404, 410…
 */
export async function waitForSealed(url, state, { first, onStatus, onTrouble }) {
  let question = first;
  for (;;) {
    const asked = Date.now();
    const answer = await persist(() => {
      const attempt = question ?? askForSealed(url, state);
      question = undefined;
      return attempt;
    }, onTrouble);
    if (answer.status !== 202) return answer;
    const isNews = answer.body.state !== state;
    state = answer.body.state;
    onStatus(answer.body);
    if (state.startsWith("awaiting_")) await pause(FOR_PEOPLE);
    else if (!isNews && Date.now() - asked < TOO_FAST) await pause(TOO_FAST);
  }
}

/** @param {string} base64 */
export function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer;
}

/**
 * Open the seal. Rejects when it was not made for this key and this token.
 * @param {CryptoKey} privateKey
 * @param {ArrayBuffer} ciphertext
 * @param {string} tokenId
 */
export async function openSeal(privateKey, ciphertext, tokenId) {
  const label = new TextEncoder().encode(`grafana-token:${tokenId}`);
  const opened = await crypto.subtle.decrypt({ name: "RSA-OAEP", label }, privateKey, ciphertext);
  return { key: new TextDecoder().decode(opened), fingerprint: await sha256(opened) };
}

/**
 * Prove that the key is here. The server wipes the ciphertext; the same proof may be sent again.
 * @param {string} url
 * @param {string} fingerprint
 * @param {{csrfToken: () => string, renewCsrfToken: () => Promise<unknown>,
 *   onTrouble: (isBroken: boolean) => void}} page
 * @returns {Promise<Answer>}
 */
export async function confirmDelivery(url, fingerprint, { csrfToken, renewCsrfToken, onTrouble }) {
  const attempt = () =>
    ask(url, {
      method: "POST",
      headers: { "X-CSRFToken": csrfToken() },
      body: new URLSearchParams({ fingerprint }),
      keepalive: true,
    });
  const answer = await persist(attempt, onTrouble);
  if (answer.status !== 403) return answer;
  // Another tab has signed in anew since this page was made: its form token is old.
  await renewCsrfToken();
  return persist(attempt, onTrouble);
}
