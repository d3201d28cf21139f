/**
 * Speaks to the portal's JSON URLs, and keeps trying where trying again helps.
 *
 * @typedef {{status: number, body: Record<string, any>}} Answer
 */

import { hear } from "./clock.js";

const FIRST_PAUSE = 500; // milliseconds
const LONGEST_PAUSE = 8_000;

/** @param {number} milliseconds */
export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** States in which the reason for waiting may change, and the state does not. */
const MAY_HAVE_NEWS = new Set(["queued", "revoking"]);

/**
 * The URL of a question that is answered as soon as the state is no longer `state`. It stays open for
 * a short time only where there may be other news: that AWS throttles, or refuses to delete.
 * @param {string} url
 * @param {string} state
 */
export function longQuestion(url, state) {
  return `${url}?wait=${MAY_HAVE_NEWS.has(state) ? 3 : 15}&state=${encodeURIComponent(state)}`;
}

/**
 * One attempt. Rejects when no answer came.
 * @param {string} url
 * @param {RequestInit} [options]
 * @returns {Promise<Answer>}
 */
export async function ask(url, options = {}) {
  const response = await fetch(url, {
    ...options,
    headers: { Accept: "application/json", ...options.headers },
    redirect: "error",
    cache: "no-store",
    referrerPolicy: "same-origin",
  });
  hear(response);
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
  return { status: response.status, body: isJson ? await response.json() : {} };
}

/**
 * Ask until there is an answer that trying again won't change: not for lost connections, 429 and 5xx.
 * @param {() => Promise<Answer>} attempt
 * @param {(isBroken: boolean) => void} onTrouble  told when the connection breaks and is back again
 * @returns {Promise<Answer>}
 */
export async function persist(attempt, onTrouble) {
  for (let delay = FIRST_PAUSE; ; delay = Math.min(delay * 2, LONGEST_PAUSE)) {
    try {
      const answer = await attempt();
      if (answer.status < 500 && answer.status !== 429) {
        onTrouble(false);
        return answer;
      }
    } catch (error) {
      if (/** @type {Error} */ (error).name === "AbortError") throw error;
    }
    onTrouble(true);
    await pause(delay * (0.75 + Math.random() / 2));
  }
}
