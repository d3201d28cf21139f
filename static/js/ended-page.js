/** How far the ends of many tokens have come: asks until all are done, or until nobody looks. */

import "./page.js";
import { ask, pause, persist } from "./server.js";

const FIRST_PAUSE = 700; // milliseconds
const LONGEST_PAUSE = 10_000; // what AWS refuses is tried again ever more slowly

const page = /** @type {HTMLElement} */ (document.querySelector("[data-ended-page]"));
const { statusUrl = "", loginUrl = "" } = page.dataset;
const message = /** @type {HTMLElement} */ (page.querySelector("[data-message]"));
const bar = /** @type {HTMLProgressElement} */ (page.querySelector("[data-bar]"));
const trouble = /** @type {HTMLElement} */ (page.querySelector("[data-link-trouble]"));

follow();

async function follow() {
  let delay = FIRST_PAUSE;
  while (bar.value < bar.max) {
    await pause(delay);
    if (document.hidden) continue;
    const before = bar.value;
    const answer = await persist(() => ask(statusUrl), connection);
    if (answer.status === 401) return tellSignedOut();
    if (answer.status !== 200) return;
    show(answer.body);
    delay = bar.value > before ? FIRST_PAUSE : Math.min(delay * 1.3, LONGEST_PAUSE);
  }
}

/** @param {Record<string, any>} progress  as the status URL answers */
function show({ done, of, tokens }) {
  const words = done === of ? `All ${of} ended.` : `${done} of ${of} ended; AWS is asked to delete the rest.`;
  if (message.textContent !== words) message.textContent = words;
  bar.value = done;
  document.title = document.title.replace(/^\d+ of \d+/, `${done} of ${of}`);
  for (const token of tokens) {
    const row = document.querySelector(`[data-token="${token.id}"]`);
    const badge = /** @type {HTMLElement | null} */ (row?.querySelector("[data-state]") ?? null);
    const said = row?.querySelector("[data-said]");
    if (!badge || !said) continue;
    badge.dataset.state = token.state;
    badge.textContent = token.label;
    said.textContent = token.message;
  }
}

/** @param {boolean} isBroken */
function connection(isBroken) {
  trouble.hidden = !isBroken;
  trouble.textContent = isBroken ? "No answer from the portal. Reconnecting… nothing is lost." : "";
}

function tellSignedOut() {
  const link = document.createElement("a");
  link.href = loginUrl;
  link.textContent = "Sign in again";
  trouble.replaceChildren("You are signed out. ", link, " to go on watching; the portal carries on.");
  trouble.hidden = false;
}
