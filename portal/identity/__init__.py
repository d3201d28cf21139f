"""Who somebody is, as an identity provider has proved it.

``Identity`` is what every way of single sign-on comes to; ``SignInError`` says why one came to
nothing. Nothing here knows HTTP requests, and nothing else speaks to a provider.
"""

from portal.identity.person import (
    Identity,
    SignInError,
    bind,
    bound,
    is_bound,
    release,
)

__all__ = ["Identity", "SignInError", "bind", "bound", "is_bound", "release"]
