/** Shows a key: masked at first, to copy, with snippets, and gone when the page is left. */

import { SNIPPETS } from "./snippets.js";

const MASK = "glsa_" + "•".repeat(12);
const NO_ADDRESS = "https://your-workspace.example.com";

/**
 * Put the key on the page.
 * @param {HTMLElement} page
 * @param {string} secret
 */
export function showKey(page, secret) {
  let key = secret;
  let isShown = false;
  let isTaken = false;
  const template = /** @type {HTMLTemplateElement} */ (page.querySelector("[data-key-template]"));
  const view = /** @type {HTMLElement} */ (template.content.cloneNode(true)).firstElementChild;
  if (!(view instanceof HTMLElement)) return;
  const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (view.querySelector(selector));
  const text = find("[data-testid=token-key]");
  const toggle = find("[data-testid=show-key]");
  const said = find("[data-copied]");
  const address = page.dataset.workspaceAddress || NO_ADDRESS;

  const snippets = wireSnippets(find("[data-snippets]"), (index) => copy(SNIPPETS[index].text(address, key), `${SNIPPETS[index].title} snippet copied, with the key in it.`));
  text.textContent = key;
  show(false);
  toggle.addEventListener("click", () => show(!isShown));
  find("[data-testid=copy-key]").addEventListener("click", () => copy(key, "Copied. Put it where it belongs, then leave this page."));
  view.addEventListener("copy", () => { isTaken = true; });
  page.querySelector("[data-key-place]")?.replaceChildren(view);
  if (document.activeElement === document.body) find("h2").focus({ preventScroll: true });

  /** @param {boolean} wanted */
  function show(wanted) {
    isShown = wanted;
    text.classList.toggle("masked", !isShown);
    text.toggleAttribute("data-shown", isShown);
    if (isShown) text.removeAttribute("aria-hidden");
    else text.setAttribute("aria-hidden", "true");
    find("[data-masked-label]").hidden = isShown;
    toggle.setAttribute("aria-pressed", String(isShown));
    toggle.textContent = isShown ? "Hide" : "Show";
    snippets.forEach((code, index) => { code.textContent = SNIPPETS[index].text(address, isShown ? key : MASK); });
  }

  /**
   * @param {string} what
   * @param {string} done
   */
  async function copy(what, done) {
    said.textContent = ""; // so that the same words are read out a second time
    try {
      await navigator.clipboard.writeText(what);
      isTaken = true;
      said.classList.remove("refused");
      said.textContent = done;
    } catch {
      show(true);
      getSelection()?.selectAllChildren(text);
      said.classList.add("refused");
      said.textContent = "Your browser refused the clipboard. The key is selected: copy it with Ctrl+C or ⌘C.";
    }
  }

  window.addEventListener("beforeunload", (event) => { if (!isTaken && key) event.preventDefault(); });
  // The back-forward cache keeps whole pages: this one must not hold a key.
  window.addEventListener("pagehide", () => {
    key = secret = "";
    text.textContent = "";
    view.remove();
  });
}

/**
 * Tabs, worked by arrow keys as the ARIA Authoring Practices have it.
 * @param {HTMLElement} place
 * @param {(index: number) => void} onCopy
 * @returns {HTMLElement[]} the elements that hold the snippets' text
 */
function wireSnippets(place, onCopy) {
  const list = /** @type {HTMLElement} */ (place.querySelector("[role=tablist]"));
  const tabs = SNIPPETS.map(({ id, title }) =>
    make("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}` }, title));
  const codes = SNIPPETS.map(() => make("code", {}));
  const panels = SNIPPETS.map(({ id, title }, index) => {
    const panel = make("div", { role: "tabpanel", id: `panel-${id}`, "aria-labelledby": `tab-${id}`, "data-testid": `snippet-${id}` });
    const button = make("button", { type: "button", class: "button button-secondary" }, `Copy ${title}`);
    button.addEventListener("click", () => onCopy(index));
    const block = make("pre", { tabindex: "0", "aria-label": `${title} snippet`, role: "region" });
    block.append(codes[index]);
    panel.append(block, button);
    return panel;
  });

  /** @param {number} chosen */
  function choose(chosen) {
    tabs.forEach((tab, index) => {
      tab.setAttribute("aria-selected", String(index === chosen));
      tab.tabIndex = index === chosen ? 0 : -1;
      panels[index].hidden = index !== chosen;
    });
  }

  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => choose(index));
    tab.addEventListener("keydown", (event) => {
      const last = tabs.length - 1;
      const goal = { ArrowRight: index === last ? 0 : index + 1, ArrowLeft: index === 0 ? last : index - 1, Home: 0, End: last }[event.key];
      if (goal === undefined) return;
      event.preventDefault();
      choose(goal);
      tabs[goal].focus();
    });
  });
  list.replaceChildren(...tabs);
  place.append(...panels);
  choose(0);
  return codes;
}

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {string} [text]
 */
function make(tag, attributes, text = "") {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}
