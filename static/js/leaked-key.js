/** Recognises a Grafana key in a pasted text. */

const KEY = /glsa_\w+/g;

/**
 * Every key in a text, once each.
 * @param {string} text
 */
export const keysIn = (text) => [...new Set(text.match(KEY) ?? [])];
