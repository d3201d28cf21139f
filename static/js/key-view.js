/** Shows a key: masked at first, to copy, with ways to use it, and gone when the page is left or the token ends. */

import { rememberSnippet, snippetsByUse } from "./snippets.js";

const MASK = "•".repeat(24);
/** A page that nobody has looked at for so long (milliseconds) shows its key no more; one that was copied is gone. */
const UNSEEN = 10 * 60_000;
const NO_ADDRESS = "https://your-workspace.example.com";

/**
 * Put the key on the page. It stands in no element before it is shown.
 * @param {HTMLElement} page
 * @param {string} secret
 * @param {{propose: (place: string) => void}} places  where it is written down
 * @returns {{end: (why: string) => void}} takes the key away, since its token has ended
 */
export function showKey(page, secret, places) {
  let key = secret;
  let isShown = false;
  let isTaken = false;
  const template = /** @type {HTMLTemplateElement} */ (page.querySelector("[data-key-template]"));
  const view = /** @type {HTMLElement} */ (/** @type {HTMLElement} */ (template.content.cloneNode(true)).firstElementChild);
  const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (view.querySelector(selector));
  const text = find("[data-testid=token-key]");
  const toggle = find("[data-testid=show-key]");
  const said = find("[data-copied]");
  const token = { address: page.dataset.workspaceAddress || NO_ADDRESS, name: page.dataset.name ?? "" };

  wireSnippets(find("[data-snippets]"), token, copySnippet);
  show(false);
  toggle.addEventListener("click", () => show(!isShown));
  find("[data-testid=copy-key]").addEventListener("click", copyKey);
  // Words around the key and snippets may be copied, too: only with the key itself it is taken.
  document.addEventListener("copy", () => { if (key && (getSelection()?.toString() ?? "").includes(key)) isTaken = true; });
  page.querySelector("[data-key-place]")?.replaceChildren(view);
  if (document.activeElement === document.body) find("h2").focus({ preventScroll: true });

  /** @param {boolean} wanted */
  function show(wanted) {
    isShown = wanted;
    text.textContent = isShown ? key : MASK;
    text.classList.toggle("masked", !isShown);
    text.toggleAttribute("data-shown", isShown);
    if (isShown) text.removeAttribute("aria-hidden");
    else text.setAttribute("aria-hidden", "true");
    find("[data-masked-label]").hidden = isShown;
    toggle.setAttribute("aria-pressed", String(isShown));
    toggle.textContent = isShown ? "Hide" : "Show";
  }

  async function copyKey() {
    said.textContent = ""; // so that the same words are read out a second time
    try {
      await navigator.clipboard.writeText(key);
      isTaken = true;
      say("Copied. Put it where it belongs, and write down below where that is.");
    } catch {
      show(true);
      getSelection()?.selectAllChildren(text);
      say("Your browser refused the clipboard. The key is selected: copy it with Ctrl+C or ⌘C.", true);
    }
  }

  /**
   * @param {import("./snippets.js").Snippet} snippet
   * @param {HTMLElement} code
   */
  async function copySnippet(snippet, code) {
    said.textContent = "";
    rememberSnippet(snippet.id);
    places.propose(snippet.place(token));
    const without = "The key is not in it";
    try {
      await navigator.clipboard.writeText(snippet.text(token));
      say(`${snippet.title} snippet copied. ${without}: run it, then copy the token and paste it where you are asked.`);
    } catch {
      getSelection()?.selectAllChildren(code);
      say(`Your browser refused the clipboard. The snippet is selected: copy it with Ctrl+C or ⌘C. ${without}.`, true);
    }
  }

  /**
   * @param {string} words
   * @param {boolean} [isRefused]
   */
  function say(words, isRefused = false) {
    said.classList.toggle("refused", isRefused);
    said.textContent = words;
  }

  let unseen = 0;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(unseen);
    if (document.hidden) unseen = setTimeout(veil, UNSEEN);
  });

  /** Somebody who is off asking for rights must not come back to nothing: only what was copied goes. */
  function veil() {
    if (!key) return;
    show(false);
    if (isTaken) over("This key was cleared", "It had been copied, and nobody has looked at this page for ten minutes. The token works on.");
    else say("Masked again, since nobody has looked at this page for ten minutes. The key has not been copied yet.", true);
  }

  function wipe() {
    key = secret = "";
    text.textContent = "";
  }

  window.addEventListener("beforeunload", (event) => { if (!isTaken && key) event.preventDefault(); });
  // The back-forward cache keeps whole pages: this one must not hold a key.
  window.addEventListener("pagehide", () => {
    wipe();
    view.remove();
  });

  /**
   * @param {string} heading
   * @param {string} why
   */
  function over(heading, why) {
    wipe();
    const said = document.createElement("p");
    said.className = "key-over";
    said.textContent = why;
    const title = find("h2");
    title.textContent = heading;
    view.replaceChildren(title, said);
    view.setAttribute("role", "alert");
  }

  return {
    end(why) {
      over("This key no longer works", why);
    },
  };
}

/**
 * Tabs, worked by arrow keys as the ARIA Authoring Practices have it.
 * @param {HTMLElement} place
 * @param {import("./snippets.js").Token} token
 * @param {(snippet: import("./snippets.js").Snippet, code: HTMLElement) => void} onCopy
 */
function wireSnippets(place, token, onCopy) {
  const snippets = snippetsByUse();
  const list = /** @type {HTMLElement} */ (place.querySelector("[role=tablist]"));
  const tabs = snippets.map(({ id, title }) =>
    make("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}` }, title));
  const panels = snippets.map((snippet) => {
    const { id, title, note } = snippet;
    const panel = make("div", { role: "tabpanel", id: `panel-${id}`, "aria-labelledby": `tab-${id}`, "data-testid": `snippet-${id}` });
    const button = make("button", { type: "button", class: "button button-secondary" }, `Copy ${title}`);
    const block = make("pre", { tabindex: "0", "aria-label": `${title} snippet`, role: "region" });
    const code = make("code", {}, snippet.text(token));
    button.addEventListener("click", () => onCopy(snippet, code));
    block.append(code);
    panel.append(block, ...(note ? [make("p", { class: "help" }, note)] : []), button);
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
