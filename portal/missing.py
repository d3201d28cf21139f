"""What a page says when one of its scripts or styles does not come: that it should be loaded again.

While two versions serve side by side, one may be asked for a file that only the other has. The
script stands in the page itself, for it may be any file that does not come, and the policy knows
it by its hash.
"""

from base64 import b64encode
from hashlib import sha256

SCRIPT = """\
addEventListener("error", ({ target }) => {
  const isMissing = target instanceof HTMLScriptElement
    || (target instanceof HTMLLinkElement && target.relList.contains("stylesheet"));
  const say = () => document.getElementById("missing")?.removeAttribute("hidden");
  if (!isMissing) return;
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", say);
  else say();
}, true);
"""
SOURCE = f"'sha256-{b64encode(sha256(SCRIPT.encode()).digest()).decode()}'"
"""Of the Content-Security-Policy."""
NOTICE = (
    '<p class="note note-warning" id="missing" role="alert" hidden>A part of this page did not '
    "arrive; the portal is probably being updated. Reload the page in a few seconds.</p>"
)
