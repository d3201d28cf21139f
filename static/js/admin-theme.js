/** Django's own pages take the theme from their root. This runs before anything is painted. */

document.documentElement.dataset.theme = document.currentScript?.dataset.theme ?? "auto";
