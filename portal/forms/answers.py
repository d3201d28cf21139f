"""What is sent about a token that exists: answers to its request, its collection, its successor."""

from typing import Any, cast

from django import forms

from portal import policy
from portal.amg import LONGEST_LIFETIME
from portal.flows.give_notice import LONGEST, SHORTEST
from portal.flows.reissue import SHORTEST_OVERLAP, overlap_limit
from portal.forms.fields import (
    FormWithLifetimes,
    LifetimeField,
    PlaceField,
    PublicKeyField,
    ReasonField,
)
from portal.lifetimes import in_words
from portal.models import State, Token, User

NO_KEY_PAIR = (
    "Your browser sent no public key, so there is nobody to seal the token's key to. Allow "
    "JavaScript, open this page over https, and try again."
)


class ApproveForm(FormWithLifetimes):
    """A lead agrees; the lifetime may only become shorter."""

    seconds_to_live = LifetimeField(least=1, most=LONGEST_LIFETIME, required=False)
    reason = ReasonField()

    def __init__(self, data: Any, *, token: Token) -> None:
        super().__init__(data)
        field = cast(LifetimeField, self.fields["seconds_to_live"])
        field.most = token.seconds_to_live
        field.wanted = (
            f"You may shorten what was asked for, which is {in_words(field.most)}, and not "
            "lengthen it."
        )


class DenyForm(forms.Form):
    """A lead refuses, and says why."""

    reason = ReasonField(required_message="Say why: the person who asked is told.")


class CollectForm(forms.Form):
    """The recipient's browser has made a key pair."""

    public_key = PublicKeyField(error_messages={"required": NO_KEY_PAIR})


class UsesForm(forms.Form):
    """What uses a token."""

    uses = ReasonField()


class PlaceForm(forms.Form):
    """Where the key of a token lies."""

    place = PlaceField()


NOTICE_WANTED = (
    f"Notice is {in_words(SHORTEST)} to {in_words(LONGEST)}. "
    "What has leaked is revoked at once instead."
)


class NoticeForm(FormWithLifetimes):
    """In how long a token is to end, and why."""

    notice = LifetimeField(
        least=SHORTEST,
        most=LONGEST,
        wanted=NOTICE_WANTED,
        error_messages={"required": "Choose how long the token works on."},
    )
    reason = ReasonField()


class HandOverForm(forms.Form):
    """Who is to own a token from now on, by their address."""

    person = forms.CharField(
        max_length=254, error_messages={"required": "Choose who is to own the token."}
    )
    keys = forms.ChoiceField(choices=[("renew", "Renew"), ("keep", "Keep")], required=False)
    reason = ReasonField()


class DeclineForm(forms.Form):
    """Somebody does not want to own a token, and may say why."""

    reason = ReasonField()


class ReissueForm(FormWithLifetimes):
    """How a token is to be replaced. ``longest_overlap``, in seconds, is its team's policy."""

    mode = forms.ChoiceField(
        choices=[("overlap", "Renew"), ("lost", "Lost"), ("replace", "Leaked")],
        error_messages={"required": "Say what happened to the old key."},
    )
    overlap_seconds = LifetimeField(
        least=SHORTEST_OVERLAP,
        most=LONGEST_LIFETIME,
        required=False,
    )
    quiet_seconds = LifetimeField(
        least=policy.SHORTEST_QUIET,
        most=LONGEST_LIFETIME,
        required=False,
    )
    recipient = forms.ChoiceField(
        choices=[("owner", "The owner"), ("me", "Me")],
        error_messages={"required": "Choose who gets the new key."},
    )
    seconds_to_live = LifetimeField(least=1, most=LONGEST_LIFETIME, required=False)
    reason = ReasonField()
    public_key = PublicKeyField(required=False)

    def __init__(self, data: Any = None, *, token: Token, user: User, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.token = token
        self.user = user
        self.longest_overlap = policy.longest_overlap(token, user)
        overlap = cast(LifetimeField, self.fields["overlap_seconds"])
        overlap.most, overlap.wanted = self.longest_overlap, overlap_limit(self.longest_overlap)
        quiet = cast(LifetimeField, self.fields["quiet_seconds"])
        quiet.most = max(self.longest_overlap, policy.SHORTEST_QUIET)
        quiet.wanted = (
            f"Write {in_words(policy.SHORTEST_QUIET)} to {in_words(quiet.most)}: the old token "
            "ends by then in any case."
        )

    @property
    def may_overlap(self) -> bool:
        """Whether there is something to rotate, and policy allows any overlap."""
        return self.token.state == State.ACTIVE and self.longest_overlap >= SHORTEST_OVERLAP

    @property
    def may_hold(self) -> bool:
        """Whether it may be held until it is quiet: for longer than it takes to tell."""
        return self.may_overlap and self.longest_overlap > policy.SHORTEST_QUIET

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        mode = cleaned.get("mode")
        if mode in ("replace", "lost"):
            # Nobody asks for a length of the overlap, whatever the field was left with.
            self.errors.pop("overlap_seconds", None)
            self.errors.pop("quiet_seconds", None)
        if mode in ("overlap", "lost") and self.token.state != State.ACTIVE:
            self.add_error("mode", "Nobody has taken its key yet: replace it now.")
        elif (
            mode == "overlap"
            and cleaned.get("overlap_seconds") is None
            and "overlap_seconds" not in self.errors
        ):
            self.add_error("overlap_seconds", "Choose how long the old token works on.")
        if cleaned.get("recipient") == "me" and cleaned.get("public_key") == b"":
            self.add_error("public_key", NO_KEY_PAIR)
        return cleaned

    @property
    def overlap(self) -> int | None:
        """Seconds for which the old token works on, or None to end it at once."""
        if self.cleaned_data["mode"] == "lost":
            return min(SHORTEST_OVERLAP, self.longest_overlap)
        wanted: int | None = self.cleaned_data.get("overlap_seconds")
        return wanted if self.cleaned_data["mode"] == "overlap" else None

    @property
    def quiet(self) -> int | None:
        """Seconds without a use for which the old token is held after that; None: not at all."""
        wanted: int | None = self.cleaned_data.get("quiet_seconds")
        return wanted if self.cleaned_data["mode"] == "overlap" else None

    @property
    def for_me(self) -> bool:
        """Whether who asks gets the key; an owner who asks for the owner, asks for themselves."""
        return self.cleaned_data["recipient"] == "me" or self.token.owner == self.user
