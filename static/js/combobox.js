/**
 * Type to find in a long list: a combobox as the ARIA Authoring Practices have it ("editable, with list autocomplete").
 *
 * The select stays the field: it keeps its name and its value, says "change", and shows as itself while it is short
 * enough to be looked through. What it leaves out, because the page would be too long, is asked for at `data-options-url`.
 *
 * @typedef {{value: string, label: string, isDisabled: boolean}} Entry
 */

import { ask } from "./server.js";

const FEW = 12; // choices that can be looked through
const MOST_DRAWN = 50;
const PAGE = 10;
const PAUSE = 200; // milliseconds without a keystroke before the portal is asked
let count = 0;

/**
 * Enhance every select that says so.
 * @param {ParentNode} [within]
 */
export function enhanceAll(within = document) {
  for (const select of within.querySelectorAll("select[data-combobox]")) enhance(/** @type {HTMLSelectElement} */ (select));
}

/**
 * @param {HTMLSelectElement} select
 * @returns {() => void} to be called when the select has other options, or another value that it did not tell of
 */
export function enhance(select) {
  const id = select.id;
  const list = element("ul", { id: `combobox-${(count += 1)}`, role: "listbox", className: "combobox-list" });
  const input = element("input", { type: "text", role: "combobox", autocomplete: "off", spellcheck: false });
  const status = element("p", { role: "status", className: "visually-hidden" });
  const popup = element("div", { className: "combobox-popup", hidden: true });
  const more = element("p", { className: "combobox-more" });
  const box = element("div", { className: "combobox" });
  for (const [name, value] of Object.entries({ "autocomplete": "list", "expanded": "false", "controls": list.id })) {
    input.setAttribute(`aria-${name}`, value);
  }
  list.setAttribute("aria-label", "Matches");
  input.setAttribute("autocapitalize", "none");
  popup.append(list, more);
  box.append(input, popup, status);

  /** What fits what was typed, and where in it the drawn part and the active one are. */
  let matches = /** @type {Entry[]} */ ([]);
  let first = 0;
  let active = -1;
  let isTyping = false;
  let timer = 0;
  let question = 0;

  const isOpen = () => !popup.hidden;
  const isLong = () => Boolean(select.dataset.optionsUrl) || select.options.length > FEW + 1;
  const chosenLabel = () => (select.value ? (select.selectedOptions[0]?.label ?? "") : "");

  /** @returns {Entry[]} */
  const entries = () => [...select.options].filter((one) => one.value)
    .map((one) => ({ value: one.value, label: one.label, isDisabled: one.disabled }));

  /** Which of the two is seen, and what it says; the visible one has the id that label and errors lead to. */
  function refresh() {
    const hadFocus = document.activeElement === select || document.activeElement === input;
    const long = isLong();
    if (!long) box.remove();
    else if (!box.isConnected) select.after(box);
    select.classList.toggle("combobox-value", long);
    select.toggleAttribute("aria-hidden", false);
    if (long) select.setAttribute("aria-hidden", "true");
    select.tabIndex = long ? -1 : 0;
    select.id = long ? `${id}-value` : id;
    if (long) input.id = id;
    else input.removeAttribute("id");
    input.required = select.required;
    for (const name of ["aria-describedby", "aria-invalid"]) {
      const value = select.getAttribute(name);
      if (value === null) input.removeAttribute(name);
      else input.setAttribute(name, value);
    }
    if (!isTyping) input.value = chosenLabel();
    if (isOpen()) find();
    if (hadFocus) (long ? input : select).focus();
  }

  function open() {
    if (isOpen()) return;
    popup.hidden = false;
    input.setAttribute("aria-expanded", "true");
    find();
    const chosen = matches.findIndex((one) => one.value === select.value);
    if (select.value && chosen >= 0) activate(chosen);
  }

  function close() {
    popup.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    active = -1;
  }

  /** What was typed and not chosen is forgotten, unless it can mean one thing only. */
  function leave() {
    const usable = matches.filter((one) => !one.isDisabled);
    if (isOpen() && isTyping && input.value.trim() && usable.length === 1) choose(usable[0]);
    isTyping = false;
    close();
    status.textContent = "";
    input.value = chosenLabel();
  }

  function find() {
    const words = isTyping ? input.value.toLowerCase().split(/\s+/).filter(Boolean) : [];
    matches = entries().filter(({ label }) => words.every((word) => label.toLowerCase().includes(word)));
    first = 0;
    active = -1;
    input.removeAttribute("aria-activedescendant");
    draw();
    if (words.length && matches.length) activate(Math.max(0, matches.findIndex((one) => !one.isDisabled)));
    tell();
  }

  function tell() {
    const drawn = Math.min(MOST_DRAWN, matches.length);
    const isCut = Boolean(select.dataset.optionsUrl);
    if (!matches.length) more.textContent = "Nothing matches.";
    else if (isCut) more.textContent = "Type for others.";
    else more.textContent = drawn < matches.length ? `${matches.length} match: type to narrow.` : "";
    more.hidden = !more.textContent;
    status.textContent = isOpen() ? `${matches.length} ${matches.length === 1 ? "match" : "matches"}${isCut ? " so far" : ""}.` : "";
  }

  function draw() {
    list.replaceChildren(...matches.slice(first, first + MOST_DRAWN).map((one, at) => {
      const option = element("li", { id: `${list.id}-${first + at}`, role: "option", textContent: one.label });
      option.dataset.at = String(first + at);
      option.setAttribute("aria-selected", "false");
      option.setAttribute("aria-setsize", String(matches.length));
      option.setAttribute("aria-posinset", String(first + at + 1));
      if (one.isDisabled) option.setAttribute("aria-disabled", "true");
      if (one.value === select.value) option.classList.add("is-chosen");
      return option;
    }));
  }

  /** @param {number} at */
  function activate(at) {
    if (!matches.length) return;
    const last = matches.length - 1;
    const next = Math.min(Math.max(at, 0), last);
    if (next < first || next >= first + MOST_DRAWN) {
      first = Math.max(0, Math.min(next - PAGE, last - MOST_DRAWN + 1));
      draw();
    }
    list.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
    active = next;
    const option = list.children[active - first];
    option.setAttribute("aria-selected", "true");
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  /** @param {Entry} one */
  function choose(one) {
    if (one.isDisabled) return;
    isTyping = false;
    select.value = one.value;
    close();
    input.value = one.label;
    for (const type of ["input", "change"]) select.dispatchEvent(new Event(type, { bubbles: true }));
  }

  /** Only a help: what is on the page can be chosen without an answer. */
  async function askForMore() {
    const url = new URL(select.dataset.optionsUrl ?? "", location.href);
    url.searchParams.set("q", input.value.trim());
    const asked = (question += 1);
    const answer = await ask(url.href).catch(() => undefined);
    if (asked !== question || answer?.status !== 200) return;
    const known = new Set([...select.options].map((one) => one.value));
    for (const { value, label, reason } of answer.body.options) {
      if (known.has(value)) continue;
      const option = new Option(reason ? `${label} — ${reason}` : label, value);
      option.disabled = Boolean(reason);
      select.add(option);
    }
    if (isOpen()) find();
  }

  input.addEventListener("input", () => {
    isTyping = true;
    open();
    find();
    clearTimeout(timer);
    if (select.dataset.optionsUrl && input.value.trim()) timer = setTimeout(askForMore, PAUSE);
  });
  input.addEventListener("click", open);
  input.addEventListener("focus", () => input.select());
  input.addEventListener("blur", leave);
  input.addEventListener("keydown", (event) => {
    const moves = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE });
    if (event.key in moves) {
      event.preventDefault();
      if (isOpen()) activate(active < 0 && moves[event.key] < 0 ? matches.length - 1 : active + moves[event.key]);
      else {
        open();
        if (active < 0 && !event.altKey) activate(event.key === "ArrowUp" ? matches.length - 1 : 0);
      }
    } else if (event.key === "Enter") {
      event.preventDefault(); // it chooses, and never sends the form
      if (!isOpen()) open();
      else if (active >= 0) choose(matches[active]);
    } else if (event.key === "Escape" && isOpen()) {
      event.preventDefault();
      isTyping = false;
      close();
      input.value = chosenLabel();
      input.select();
    }
  });
  // The focus stays in the input.
  popup.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", ({ target }) => {
    const option = target instanceof Element ? target.closest("li") : null;
    if (option) choose(matches[Number(option.dataset.at)]);
  });
  select.addEventListener("change", refresh);
  window.addEventListener("pageshow", refresh); // the browser may have put an earlier value back
  refresh();
  return refresh;
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} name
 * @param {Partial<HTMLElementTagNameMap[T]> & {role?: string}} properties
 */
function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
