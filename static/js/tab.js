/** What a tab says while nobody looks at it: by its title and icon, and by a notification where that was allowed. */

const icon = /** @type {HTMLLinkElement | null} */ (document.querySelector("link[rel=icon]"));
const { title } = document;
const plain = icon?.href ?? "";

/**
 * @param {string} words  what has happened
 */
export function tellTab(words) {
  if (!document.hidden) return;
  document.title = `${words} · ${title}`;
  if (icon?.dataset.news) icon.href = icon.dataset.news;
  if (!mayNotify()) return;
  const shown = new Notification(words, { body: title, tag: location.pathname });
  shown.addEventListener("click", () => { window.focus(); shown.close(); });
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden || document.title === title) return;
  document.title = title;
  if (icon) icon.href = plain;
});

/** Resolves once somebody looks at the page. */
export async function lookedAt() {
  if (!document.hidden) return;
  await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

const mayNotify = () => "Notification" in window && Notification.permission === "granted";

/**
 * Offers a notification where people are waited for.
 * @param {HTMLElement} page
 */
export function wireNotification(page) {
  const offer = /** @type {HTMLElement | null} */ (page.querySelector("[data-notification]"));
  if (!offer || !("Notification" in window) || Notification.permission === "denied") return;
  const said = /** @type {HTMLElement} */ (offer.querySelector("[role=status]"));
  const button = /** @type {HTMLButtonElement} */ (offer.querySelector("button"));
  const show = () => {
    button.hidden = Notification.permission !== "default";
    if (mayNotify()) said.textContent = "This browser notifies you of the answer while this page is open.";
    else if (Notification.permission === "denied") said.textContent = "Your browser shows no notifications of this portal.";
  };
  offer.hidden = false;
  show();
  button.addEventListener("click", () => Notification.requestPermission().then(show, show));
}
