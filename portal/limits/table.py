"""Every limit: how often, and what a person is told who meets it."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """``burst`` uses at once, and then one more every ``seconds``.

    With ``first_wait`` the pauses grow instead: that many seconds after the burst, then doubling up
    to ``seconds``. ``says`` tells a person what they have met; what follows is when to try again.
    """

    name: str
    burst: int
    seconds: float
    says: str
    first_wait: float | None = None

    def pause(self, level: float) -> float:
        """Seconds to wait after a use that has filled the bucket to ``level``."""
        over = math.ceil(level) - self.burst
        if over < 0:
            return 0.0
        if self.first_wait is None:
            return self.seconds
        return min(self.seconds, self.first_wait * 2.0 ** min(over, 32))


# -- The table ----------------------------------------------------------------------------------

REQUESTS = Limit(
    "token.request", 0, 0, "You have asked for as many tokens within an hour as one person may."
)
"""PORTAL_REQUESTS_PER_HOUR of them, in any hour."""

WRONG_PASSWORDS = Limit(
    "signin.person",
    5,
    300,
    "Too many wrong passwords were tried for this address.",
    first_wait=5,
)
"""Of one person, by browsers that have not signed them in before: 24 in an hour at most."""
WRONG_PASSWORDS_FROM = Limit(
    "signin.address",
    50,
    60,
    "Too many wrong passwords came from your network.",
    first_wait=1,
)
"""From one address, for whomever: 117 in an hour at most. Those who are right are not counted."""
WRONG_PASSWORDS_AT_HOME = Limit(
    "signin.browser", 100, 36, "Too many wrong passwords were typed in this browser."
)
"""Of one person, in a browser that has signed them in before, or in their session."""
WRONG_CODES = Limit(
    "signin.code",
    10,
    300,
    "Too many wrong codes were tried for this account.",
    first_wait=5,
)
"""Of one person's second factor, by whoever knows the password or has the session."""
RESETS = Limit(
    "password.reset",
    5,
    720,
    "A link was asked for too often for this address; those that were mailed still work.",
)
RESETS_FROM = Limit(
    "password.reset_address", 50, 60, "Too many links were asked for from your network."
)

SINGLE_SIGN_ONS_FROM = Limit(
    "signin.single",
    600,
    1,
    "Too many people began to sign in by single sign-on from your network.",
)
"""From one address: a whole office at nine o'clock. Each asks the provider, and keeps a session."""

# What ends tokens is generous: a script that ends a leaked team's tokens one by one must not stop.
# Many that are ended by one form are one use.
ENDS = Limit("token.end", 1000, 3.6, "You have ended more tokens within an hour than one may.")
REISSUES = Limit("token.reissue", 300, 12, "You have replaced too many tokens within an hour.")
HANDOVERS = Limit("token.hand_over", 300, 12, "You have handed over too many tokens in an hour.")
PLACES = Limit("token.place", 300, 12, "You have written down too many places within an hour.")
ANSWERS = Limit("token.answer", 600, 6, "You have answered too many requests within an hour.")
EXPORTS = Limit("audit.export", 60, 60, "You have exported the audit log too often.")
ADOPTIONS = Limit("token.adopt", 300, 12, "You have adopted too many tokens within an hour.")
READINGS = Limit("inventory.read", 30, 60, "You have had AMG's lists read too often.")
PLANS = Limit("access.plan", 120, 30, "You have had too many access files planned in an hour.")
FINDS = Limit("audit.find", 120, 30, "You have looked up too many keys within an hour.")
WEBHOOKS = Limit(
    "team.webhook", 120, 30, "You have changed or tried webhooks too often in an hour."
)
ACCOUNT = Limit("account", 0, 0, "This was sent more often than the portal allows.")
"""What django-allauth limits by itself (ACCOUNT_RATE_LIMITS)."""
