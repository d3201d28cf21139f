/**
 * Says that a script or style of the page did not come: while two versions serve side by side, one
 * may be asked for a file of the other. Runs before all others. Where this file is missing too, the
 * stylesheet shows the notice after a while.
 */

const notice = document.getElementById("missing");

function say() {
  if (!notice) return;
  notice.hidden = false;
  notice.classList.remove("late");
}

let isWhole = true;

addEventListener("error", ({ target }) => {
  if (!(target instanceof HTMLScriptElement) && !isStylesheet(target)) return;
  isWhole = false;
  say();
}, true);

// Scripts like this one wait for stylesheets: one that failed before is there, and empty.
for (const link of document.querySelectorAll("link")) {
  if (!isStylesheet(link) || link.sheet?.cssRules.length) continue;
  isWhole = false;
  say();
}

if (document.readyState === "complete") leave();
else addEventListener("load", leave);

function leave() {
  if (isWhole) notice?.remove();
}

/** @param {EventTarget | null} element */
function isStylesheet(element) {
  return element instanceof HTMLLinkElement && element.rel === "stylesheet";
}
