/**
 * Single keys that lead somewhere; "?" lists them. They do nothing while something is typed, and one setting of this
 * browser switches them off (WCAG 2.1.4): speech input and slips of the hand press single keys, too.
 */

const OFF = "shortcuts-off";
const NEXT = "[name=q], [type=search]";

/** By the part of the navigation's addresses that they lead to. */
const PLACES = new Map([
  ["t", { words: "My tokens", path: "/tokens/" }],
  ["n", { words: "New token", path: "/tokens/new/" }],
  ["d", { words: "Team", path: "/team/" }],
  ["a", { words: "Audit", path: "/audit/" }],
  ["i", { words: "Inventory", path: "/inventory/" }],
]);

/** @type {HTMLDialogElement | undefined} */
let dialog;

/** @param {string} path */
const linkTo = (path) => /** @type {HTMLAnchorElement | null} */ (
  document.querySelector(`nav[aria-label=Main] a[href="${path}"]`));

export function wireShortcuts() {
  const body = document.querySelector("[data-menu] .menu-body");
  if (!body) return;
  const button = document.createElement("button");
  Object.assign(button, { type: "button", textContent: "Keyboard shortcuts" });
  button.addEventListener("click", list);
  body.querySelector("form")?.before(button);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing) return;
    const isTyping = event.target instanceof Element && event.target.closest("input, select, textarea, [contenteditable], [role=tab], dialog");
    if (isTyping || isOff()) return;
    if (act(event.key)) event.preventDefault();
  });
}

/**
 * @param {string} key
 * @returns {boolean} whether it means something here
 */
function act(key) {
  if (key === "?") {
    list();
    return true;
  }
  const search = /** @type {HTMLElement | null} */ (document.querySelector(`main :is(${NEXT})`));
  if (key === "/" && search) {
    search.focus();
    return true;
  }
  const link = linkTo(PLACES.get(key)?.path ?? "");
  link?.click();
  return Boolean(link);
}

function list() {
  dialog ??= made();
  dialog.showModal();
}

function made() {
  const box = document.createElement("dialog");
  box.className = "shortcuts";
  box.setAttribute("aria-labelledby", "shortcuts-title");
  const title = document.createElement("h2");
  Object.assign(title, { id: "shortcuts-title", textContent: "Keyboard shortcuts" });
  const keys = document.createElement("dl");
  const known = [...PLACES].filter(([, { path }]) => linkTo(path)).map(([key, { words }]) => [key, words]);
  for (const [key, words] of [...known, ["/", "Search on this page"], ["?", "This list"]]) {
    const term = document.createElement("dt");
    term.append(Object.assign(document.createElement("kbd"), { textContent: key }));
    keys.append(term, Object.assign(document.createElement("dd"), { textContent: words }));
  }
  const label = document.createElement("label");
  const setting = document.createElement("input");
  Object.assign(setting, { type: "checkbox", checked: !isOff() });
  setting.addEventListener("change", () => switchOff(!setting.checked));
  label.append(setting, " Use them in this browser");
  const close = document.createElement("button");
  Object.assign(close, { type: "button", className: "button button-primary", textContent: "Close" });
  close.addEventListener("click", () => box.close());
  box.append(title, keys, label, close);
  document.body.append(box);
  return box;
}

function isOff() {
  try {
    return localStorage.getItem(OFF) === "yes";
  } catch {
    return false;
  }
}

/** @param {boolean} wanted */
function switchOff(wanted) {
  try {
    if (wanted) localStorage.setItem(OFF, "yes");
    else localStorage.removeItem(OFF);
  } catch {
    // This browser keeps nothing: they stay on.
  }
}
