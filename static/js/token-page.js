/**
 * A token's page. For its recipient in the browser that asked: fetch the sealed key, open it, confirm
 * it, forget the private key, and only then show it. For everybody else: live progress.
 *
 * A crash at any step is safe. Until the confirmation the ciphertext can be fetched again; from before
 * the confirmation until the deletion it lies beside the private key; after the deletion no tab, reload
 * or back button has anything to show.
 */

import "./page.js";
import "./lifetime-field.js";
import { now } from "./clock.js";
import { askForSealed, bytes, confirmDelivery, openSeal, waitForSealed } from "./delivery.js";
import { showKey } from "./key-view.js";
import { deleteKey, keepCiphertext, obstacle, readKey } from "./keys.js";
import { refreshParts, wireLongLists } from "./parts.js";
import { wirePlaces } from "./places.js";
import { MOVING, PENDING, wireProgress } from "./progress.js";
import { ask, longQuestion, pause, persist } from "./server.js";
import { lookedAt as pageIsSeen, tellTab, wireNotification } from "./tab.js";

const FOR_PEOPLE = 10_000; // milliseconds between questions while a person has to act
const FIRST_WAIT = 2_000; // milliseconds between questions whether somebody has signed in again
const LONGEST_WAIT = 30_000;
const BESIDE_A_KEY = 10_000; // milliseconds between questions whether the token of a shown key still lives
const WHILE_IT_LIVES = 20_000; // the same of any other
const UNSEEN = 6; // times that nobody looks, of which one asks all the same
const UNTIL_IT_LANDED = 60_000; // milliseconds between looks whether the key is in use by now

const page = /** @type {HTMLElement} */ (document.querySelector("[data-token-page]"));
const { tokenId = "", publicKeySha256 = "", statusUrl = "", sealedUrl = "", deliveredUrl = "", firstUseUrl = "", loginUrl = "" } = page.dataset;
const notice = /** @type {HTMLElement} */ (page.querySelector("[data-notice]"));
const progress = wireProgress(page);
const isRecipient = "isRecipient" in page.dataset;
const early = new AbortController();
let isWatching = false;
let lookedAt = Date.now() - UNTIL_IT_LANDED;
let hasLooked = false;
/** @type {ReturnType<typeof showKey> | undefined} */
let shownKey;

const places = wirePlaces(page);
wireLongLists(page);
wireNotification(page);

window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

const reason = obstacle();
if (isForPeople(progress.state)) waitForPeople();
else if (isRecipient && !reason) {
  // Asked before anything else, so that the key does not wait for this browser's storage.
  const first = PENDING.has(progress.state) ? askForSealed(sealedUrl, progress.state, early.signal) : undefined;
  first?.catch(() => undefined);
  receiveUnderLock(first).catch(() =>
    tell("Something in this browser failed while opening the key. Nothing is lost: reload this page to go on."));
} else {
  if (isRecipient && PENDING.has(progress.state)) tell(reason);
  watch();
}

/** @param {Promise<import("./server.js").Answer>} [first] */
async function receiveUnderLock(first) {
  const lock = `grafana-token:${tokenId}`;
  const isMine = await navigator.locks.request(lock, { ifAvailable: true }, async (held) => {
    if (held) await receive(first);
    return Boolean(held);
  });
  if (isMine) return;
  early.abort();
  tell("Another tab of this browser is opening the key. It is shown there.");
  watch();
  // The other tab may be closed before it is done: then it is this one's turn.
  await navigator.locks.request(lock, () => receive());
}

/** @param {Promise<import("./server.js").Answer>} [first] */
async function receive(first) {
  const record = await readKey(publicKeySha256);
  if (!record) {
    early.abort();
    followElsewhere();
    return;
  }
  let { ciphertext } = record;
  if (ciphertext) early.abort(); // it would come to know only that this page has confirmed the key
  else {
    const answer = await waitForSealed(sealedUrl, progress.state, { first, onStatus: showStatus, onTrouble: progress.connection });
    if (answer.status !== 200) return noKey(answer);
    ciphertext = bytes(answer.body.sealed_key);
  }
  notice.hidden = true;
  progress.show({ state: "sealed", message: "Opening the seal in this browser." });
  const opening = openSeal(record.privateKey, ciphertext, tokenId);
  // If it can't be stored (a full disk), go on all the same: only a crash in the next moment would cost
  // the key, while stopping here surely would.
  const [opened] = await Promise.allSettled([opening, record.ciphertext ? undefined : keepCiphertext(publicKeySha256, ciphertext)]);
  if (opened.status === "rejected") {
    tell("The seal does not open with this browser’s private key. Revoke the token and request a new one.");
    watch();
    return;
  }
  const { key, fingerprint } = opened.value;
  const answer = await confirmDelivery(deliveredUrl, fingerprint, { csrfToken, renewCsrfToken: () => refreshParts(page), onTrouble: progress.connection });
  if (answer.status !== 200) return noKey(answer);
  await deleteKey(publicKeySha256);
  progress.show({ state: answer.body.state });
  progress.showStep("ready");
  progress.say("Ready. The key below is in this page only, until you leave it.");
  shownKey = showKey(page, key, places);
  tellTab("Key ready");
  refreshParts(page).catch(() => undefined); // the record can wait for the next visit
  watch(); // not waited for: another tab may have the lock meanwhile
}

/** @param {string} state */
function isForPeople(state) {
  return state.startsWith("awaiting_");
}

/**
 * Policy may have come to ask people first: then this page is another one.
 * @param {Record<string, any>} status
 */
function showStatus(status) {
  if (isForPeople(status.state)) location.reload();
  else progress.show(status);
}

/** Nothing moves until a person acts: look now and then, and show what has become of it. */
async function waitForPeople() {
  const seen = progress.state;
  // What is made after people have agreed is sealed to a key pair of that time.
  if (publicKeySha256) deleteKey(publicKeySha256).catch(() => undefined);
  for (let round = 1; ; round += 1) {
    await pause(FOR_PEOPLE);
    if (document.hidden && round % UNSEEN) continue;
    const answer = await persist(() => ask(statusUrl), progress.connection);
    if (answer.status === 401) return tellSignedOut();
    if (answer.status !== 200) return;
    if (answer.body.state === seen) continue;
    tellTab(answer.body.state === "denied" ? "Denied" : "Answered");
    await pageIsSeen();
    if (!page.contains(document.activeElement)) return location.reload();
    progress.show(answer.body);
  }
}

/** The private key is in another browser, or was forgotten: say so until the token is settled. */
async function followElsewhere() {
  const isUnexplained = notice.hidden && PENDING.has(progress.state);
  if (isUnexplained) tellElsewhere();
  await watch();
  if (isUnexplained && !PENDING.has(progress.state)) notice.hidden = true;
}

/**
 * There is no key to show, and the answer says why.
 * @param {import("./server.js").Answer} answer
 */
async function noKey(answer) {
  if (answer.status === 401) {
    tellSignedOut(); // not waited for: another tab may have the lock meanwhile
    return;
  }
  // Only the portal's own word ends the hope: a proxy's error page must not cost the private key.
  if (![409, 410].includes(answer.status) || !answer.body.message) {
    return tell("The portal gave an answer that this page does not understand. Nothing is lost: reload it to go on.");
  }
  await deleteKey(publicKeySha256);
  if (!answer.body.state) tell(`${answer.body.message} Request a new token.`);
  const status = answer.body.state ? answer : await persist(() => ask(statusUrl), progress.connection);
  progress.show(status.body);
  await refreshParts(page).catch(() => undefined);
  watch();
}

/** Follow the token: closely while the portal moves it, and now and then as long as it lives and is looked at. */
async function watch() {
  if (isWatching) return;
  isWatching = true;
  while (MOVING.has(progress.state) || progress.state === "active") {
    const seen = progress.state;
    const asked = Date.now();
    if (seen === "active") await pauseUntilLookedAt(shownKey ? BESIDE_A_KEY : WHILE_IT_LIVES);
    const url = seen === "active" ? statusUrl : longQuestion(statusUrl, seen);
    const answer = await persist(() => ask(url), progress.connection);
    if (answer.status === 401 && shownKey) {
      tellSignedOutBesideKey();
      continue;
    }
    if (answer.status === 401) return tellSignedOut();
    if (answer.status !== 200) break;
    if (shownKey) showLife(answer.body, shownKey);
    else progress.show(answer.body);
    const isNews = progress.state !== seen || (seen === "active" && endsOtherwise(answer.body));
    if (isNews || hasLooked) await refreshParts(page).catch(() => undefined);
    else if (Date.now() - asked < 1_000) await pause(1_000);
    hasLooked = isToBeLookedAt() && await lookForUse();
  }
  isWatching = false;
}

/** Whether its recipient may want to know by now that something uses the key. */
function isToBeLookedAt() {
  const waits = isRecipient && progress.state === "active" && page.querySelector("[data-part=landed][data-waits]");
  if (!waits || Date.now() - lookedAt < UNTIL_IT_LANDED) return false;
  lookedAt = Date.now();
  return true;
}

/** Have AWS asked: what it says stands on the page a little later. */
async function lookForUse() {
  const options = { method: "POST", headers: { "X-CSRFToken": csrfToken() } };
  await ask(firstUseUrl, options).catch(() => undefined);
  return true;
}

/**
 * Whether it ends at another time than the page says: somebody gave notice, kept it, or replaced it.
 * @param {Record<string, any>} status
 */
function endsOtherwise(status) {
  const shown = /** @type {HTMLElement | null} */ (page.querySelector("[data-ends]"));
  return (shown?.dataset.ends ?? "") !== (status.expires_at ?? "");
}

/**
 * A key whose token has ended is taken off the page: nobody is to put it to use any more.
 * @param {Record<string, any>} status
 * @param {{end: (why: string) => void}} view
 */
function showLife(status, view) {
  notice.hidden = true; // signed in again
  const isOver = status.expires_at && Date.parse(status.expires_at) <= now();
  if (status.state === "active" && !isOver) return;
  view.end(isOver ? "The token has expired." : status.message);
  shownKey = undefined;
  progress.show(status);
}

function csrfToken() {
  const input = page.querySelector("[name=csrfmiddlewaretoken]");
  return input instanceof HTMLInputElement ? input.value : "";
}

/** @param {string} text */
function tell(text) {
  notice.textContent = text;
  notice.hidden = false;
}

function tellElsewhere() {
  const template = /** @type {HTMLTemplateElement} */ (page.querySelector("[data-elsewhere-template]"));
  notice.replaceChildren(template.content.cloneNode(true));
  notice.hidden = false;
}

/** Leaving the page would cost the key, so nothing here leads away from it. */
function tellSignedOutBesideKey() {
  const link = signInLink();
  link.target = "_blank";
  notice.replaceChildren("You are signed out. The key stays here until you leave this page, but the page can’t tell any more whether its token ends: ", link, ".");
  notice.hidden = false;
}

/** Say so; and once the person has signed in again, be it in another tab, begin anew. */
async function tellSignedOut() {
  notice.replaceChildren("You are signed out. ", signInLink(), " to go on.");
  notice.hidden = false;
  for (let wait = FIRST_WAIT; ; wait = Math.min(wait * 1.5, LONGEST_WAIT)) {
    await pauseUntilLookedAt(wait);
    const answer = await persist(() => ask(statusUrl), progress.connection);
    if (answer.status !== 401 && !page.querySelector("input:focus, textarea:focus")) return location.reload();
  }
}

function signInLink() {
  const link = document.createElement("a");
  link.href = loginUrl;
  link.textContent = "Sign in again";
  return link;
}

/**
 * So long, and longer while nobody looks; or until the person comes back to this window.
 * @param {number} milliseconds
 */
async function pauseUntilLookedAt(milliseconds) {
  const over = new AbortController();
  const once = { signal: over.signal };
  await new Promise((resolve) => {
    setTimeout(() => {
      if (document.hidden) document.addEventListener("visibilitychange", resolve, once);
      else resolve(undefined);
    }, milliseconds);
    window.addEventListener("focus", resolve, once);
  });
  over.abort();
}
