/**
 * A list of which several rows can be chosen: all of a page at once, and how many are.
 * @param {HTMLInputElement} all
 * @param {HTMLInputElement[]} boxes
 * @param {HTMLElement} count  its text says what is to be chosen
 */
export function wirePickAll(all, boxes, count) {
  const hint = count.textContent ?? "";

  function show() {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    count.textContent = chosen ? `${chosen} chosen. ${hint}` : hint;
  }

  all.hidden = boxes.length === 0;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    show();
  });
  for (const box of boxes) box.addEventListener("change", show);
  // The back button restores what was chosen.
  window.addEventListener("pageshow", show);
}
