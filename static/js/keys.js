/**
 * The browser's own key pairs: made by WebCrypto, kept in IndexedDB until the key that is sealed to
 * them has been delivered. The private half can't be exported, and never leaves the browser.
 *
 * @typedef {object} KeyRecord
 * @property {CryptoKey} privateKey
 * @property {number} createdAt  milliseconds since 1970, by the portal's clock
 * @property {ArrayBuffer} [ciphertext]  the sealed key, once it was fetched
 */

import { now } from "./clock.js";
import { sha256 } from "./fingerprint.js";

const DATABASE = "portal";
const STORE = "keys";
const ALGORITHM = {
  name: "RSA-OAEP",
  modulusLength: 3072,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: "SHA-256",
};

/** A request ends within 7 days even if it waits for people all along: a day more, in milliseconds. */
const OLDEST = 8 * 24 * 3600 * 1000;

/** @type {Promise<IDBDatabase> | undefined} */
let database;

/** Whether the person is signing out: what this page is still making is not to be kept. */
let isCleared = false;

/** Why this browser can't keep a key pair, in words for people; empty when nothing is known. */
export function obstacle() {
  if (!window.isSecureContext) return "This page was not opened over https, so your browser refuses to make a key pair.";
  if (!crypto?.subtle) return "Your browser has no WebCrypto, so it can’t make a key pair.";
  if (!window.indexedDB) return "Your browser keeps no data for this page, so it would lose the key pair.";
  return "";
}

/**
 * Make a key pair and keep its private half. Rejects when the browser can't keep it.
 * @returns {Promise<string>} the public key: base64 of the DER SubjectPublicKeyInfo
 */
export async function makeKeyPair() {
  const pair = await crypto.subtle.generateKey(ALGORITHM, false, ["decrypt"]);
  const spki = await crypto.subtle.exportKey("spki", pair.publicKey);
  const id = await sha256(spki);
  if (isCleared) throw new Error("signed out");
  await transact("readwrite", (store) => store.put({ privateKey: pair.privateKey, createdAt: now() }, id));
  // Some private windows take the key and forget it: believe only what can be read back.
  const kept = await readKey(id);
  if (kept?.privateKey?.type !== "private") throw new Error("the key pair was not kept");
  return btoa(String.fromCharCode(...new Uint8Array(spki)));
}

/**
 * @param {string} id  lower-case hex SHA-256 of the public key
 * @returns {Promise<KeyRecord | undefined>}
 */
export function readKey(id) {
  return transact("readonly", (store) => store.get(id));
}

/**
 * Keep the ciphertext beside its private key, if that is still there: a sign-out in another tab may
 * have cleared it meanwhile. Returns once it is on disk.
 * @param {string} id
 * @param {ArrayBuffer} ciphertext
 */
export async function keepCiphertext(id, ciphertext) {
  await transact("readwrite", (store) => {
    const found = store.get(id);
    found.onsuccess = () => { if (found.result) store.put({ ...found.result, ciphertext }, id); };
    return found;
  });
}

/** @param {string} id */
export async function deleteKey(id) {
  await transact("readwrite", (store) => store.delete(id));
}

/** Forget every private key: nothing that waits for this browser can be opened any more. */
export async function clearKeys() {
  isCleared = true;
  await transact("readwrite", (store) => store.clear());
}

/** Forget private keys whose request must have ended. */
export async function forgetOldKeys() {
  await transact("readwrite", (store) => {
    const walk = store.openCursor();
    walk.onsuccess = () => {
      const cursor = walk.result;
      if (!cursor) return;
      if (!(cursor.value.createdAt > now() - OLDEST)) cursor.delete();
      cursor.continue();
    };
    return walk;
  });
}

/**
 * Run one transaction, and wait until it is complete.
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<T>} work
 * @returns {Promise<T>}
 */
async function transact(mode, work) {
  const opened = await (database ??= open());
  return new Promise((resolve, reject) => {
    const transaction = opened.transaction(STORE, mode, { durability: "strict" });
    const request = work(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error ?? new Error("storage refused"));
  });
}

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      request.result.onclose = () => { database = undefined; };
      resolve(request.result);
    };
  });
}
