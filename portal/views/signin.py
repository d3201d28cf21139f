"""The backend that sessions name.

Its dotted path is stored in each session: moved, it would sign everybody out, and while two
versions serve, those whom the other one has signed in.
"""

from allauth.account.auth_backends import AuthenticationBackend

from portal.models import User
from portal.models.prepared import Prepared

_BY_ID = Prepared(lambda pk: User.objects.filter(pk=pk), like=[-1])


class Backend(AuthenticationBackend):
    """allauth's, which finds a session's person without building that question every time."""

    def get_user(self, user_id: int) -> User | None:
        user = _BY_ID.one(user_id)
        return user if user is not None and self.user_can_authenticate(user) else None
