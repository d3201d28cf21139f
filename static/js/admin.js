/** Django's own pages: forms lose nothing there either, as far as their rows stand on the page. */

import "./drafts.js";
import "./form-token.js";

// Rows that are chosen to do something with are no text that somebody has typed; nor is a sign-out.
for (const form of document.querySelectorAll("#changelist-form, #logout-form")) form.setAttribute("data-no-draft", "");
