/**
 * The token that a form sends along belongs to the browser, and each sign-in changes it: whichever page was made
 * last tells the pages of the other tabs, so that none of their forms is too old.
 */

const NAME = "form-token";

/** @returns {NodeListOf<HTMLInputElement>} */
const fields = () => document.querySelectorAll("[name=csrfmiddlewaretoken]");

const page = /** @type {HTMLElement | null} */ (document.querySelector("[data-person]"));
const person = page?.dataset.person ?? "";
let madeAt = Number(page?.dataset.serverTime ?? 0);

window.addEventListener("storage", ({ key, newValue }) => {
  if (key !== NAME || !newValue) return;
  const news = JSON.parse(newValue);
  // What a person has filled in must not be sent in another's name, nor with a token of before.
  if (person && (news.person !== person || news.madeAt < madeAt)) return;
  madeAt = news.madeAt;
  for (const field of fields()) field.value = news.token;
});

const [first] = fields();
if (first) {
  try {
    localStorage.setItem(NAME, JSON.stringify({ token: first.value, person, madeAt }));
    localStorage.removeItem(NAME); // the others have been told
  } catch {
    // This browser keeps nothing: a form that is too old comes back with what was typed.
  }
}
