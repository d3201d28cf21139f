"""What people send, checked field by field."""

import re
from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q

from portal import policy, sealing
from portal.logs import KEY_SHAPE, mask
from portal.models import ServiceAccount, State, Team, User
from portal.models.catalog import LONGEST_LIFETIME
from portal.models.flags import Flag
from portal.models.queries import TokenQuerySet
from portal.policy import Choice

WORKSPACE_ID = re.compile(r"g-[0-9a-f]{10}")
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")


class WholeNumberField(forms.CharField):
    """A whole number written in ASCII digits alone: ``1e3``, ``+5`` and ``٣`` are none."""

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        self.least, self.most = least, most
        super().__init__(max_length=20, **kwargs)

    def clean(self, value: Any) -> int:
        text = super().clean(value)
        if not re.fullmatch(r"[0-9]{1,19}", text):
            raise ValidationError("Give the lifetime as a whole number of seconds.")
        number = int(text)
        if not self.least <= number <= self.most:
            raise ValidationError(
                f"A lifetime is {self.least} to {self.most:,} seconds (30 days at most)."
            )
        return number


class TokenRequestForm(forms.Form):
    """The request form, for one person: it admits only what policy grants them."""

    workspace = forms.CharField(max_length=40, error_messages={"required": "Choose a workspace."})
    service_account = forms.CharField(
        max_length=40, error_messages={"required": "Choose a service account."}
    )
    team = forms.CharField(required=False, max_length=64)
    name = forms.CharField(
        max_length=128,
        error_messages={
            "required": "Give the token a name.",
            "max_length": "A name has at most 128 characters; this one has %(show_value)d.",
        },
    )
    seconds_to_live = WholeNumberField(
        least=1, most=LONGEST_LIFETIME, error_messages={"required": "Choose a lifetime."}
    )
    reason = forms.CharField(
        required=False,
        max_length=500,
        error_messages={"max_length": "A reason has at most 500 characters."},
    )
    public_key = forms.CharField(
        error_messages={
            "required": "Your browser sent no public key, so there is nobody to seal the token's "
            "key to. Allow JavaScript, open this page over https, and try again."
        }
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, user: User, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.choices = policy.choices(user)
        self.choice: Choice | None = None

    def clean_workspace(self) -> str:
        workspace: str = self.cleaned_data["workspace"]
        if not WORKSPACE_ID.fullmatch(workspace):
            raise ValidationError("A workspace's id is “g-” and ten characters of 0-9 and a-f.")
        if not any(c.service_account.workspace.aws_id == workspace for c in self.choices):
            raise ValidationError("None of your teams has a grant for this workspace.")
        return workspace

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if CONTROL_CHARACTERS.search(name):
            raise ValidationError("A name can't hold line breaks or other control characters.")
        return _without_key(name)

    def clean_reason(self) -> str:
        return _without_key(self.cleaned_data["reason"])

    def clean_public_key(self) -> bytes:
        try:
            return sealing.decode_public_key(self.cleaned_data["public_key"])
        except sealing.InvalidPublicKeyError as error:
            raise ValidationError(f"{error} Reload the page and try again.") from None

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        workspace, account = cleaned.get("workspace"), cleaned.get("service_account")
        if not workspace or not account:
            return cleaned
        matching = [
            choice
            for choice in self.choices
            if choice.service_account.aws_id == account
            and choice.service_account.workspace.aws_id == workspace
        ]
        if not matching:
            self.add_error(
                "service_account", "None of your teams has a grant for this service account."
            )
        elif team := cleaned.get("team"):
            self.choice = next((c for c in matching if c.team.slug == team), None)
            if self.choice is None:
                self.add_error("team", "This team of yours has no grant for this service account.")
        elif len(matching) > 1:
            names = ", ".join(c.team.slug for c in matching)
            self.add_error("team", f"Several of your teams have this account ({names}): choose.")
        else:
            self.choice = matching[0]
        return cleaned

    @property
    def chosen(self) -> tuple[Team, ServiceAccount]:
        """Team and account of a valid form."""
        if self.choice is None:
            raise ValueError("the form is not valid")
        return self.choice.team, self.choice.service_account


class DeskForm(forms.Form):
    """Search and filters of a team's desk; what makes no sense there filters nothing."""

    q = forms.CharField(required=False, max_length=128, label="Search")
    person = forms.ChoiceField(required=False)
    account = forms.ChoiceField(required=False, label="Service account")
    state = forms.ChoiceField(required=False)
    flag = forms.ChoiceField(required=False, label="Stands out")

    def __init__(self, data: Mapping[str, Any], *, tokens: TokenQuerySet) -> None:
        """``tokens`` are the rows of the desk: people and accounts to choose from are theirs."""
        super().__init__(data)
        people = tokens.order_by("owner__email").values_list("owner__email", flat=True).distinct()
        accounts = (
            tokens.order_by("workspace__name", "service_account__name", "service_account")
            .values_list("service_account", "workspace__name", "service_account__name")
            .distinct()
        )
        by_workspace: dict[str, list[tuple[str, str]]] = {}
        for pk, workspace, account in accounts:
            by_workspace.setdefault(workspace, []).append((str(pk), account))
        choices: dict[str, list[Any]] = {
            "person": [("", "Everybody"), *((email, email) for email in people)],
            "account": [("", "Every account"), *by_workspace.items()],
            "state": [("", "Every state"), *State.choices],
            "flag": [("", "Anything"), *Flag.choices],
        }
        for name, offered in choices.items():
            cast(forms.ChoiceField, self.fields[name]).choices = offered
        self.is_valid()

    @property
    def narrows(self) -> bool:
        """Whether anything is searched or filtered."""
        return any(self.cleaned_data.values())

    def narrow(self, tokens: TokenQuerySet) -> TokenQuerySet:
        """The rows that the search and the filters leave."""
        wanted = self.cleaned_data
        if q := wanted.get("q"):
            tokens = tokens.filter(
                Q(name__icontains=q)
                | Q(owner__email__icontains=q)
                | Q(reason__icontains=q)
                | Q(aws_token_id=q)
            )
        if person := wanted.get("person"):
            tokens = tokens.filter(owner__email=person)
        if account := wanted.get("account"):
            tokens = tokens.filter(service_account=account)
        if state := wanted.get("state"):
            tokens = tokens.filter(state=state)
        if flag := wanted.get("flag"):
            tokens = tokens.filter(Flag(flag).condition)
        return tokens


class EndForm(forms.Form):
    """Why tokens are ended: asked of whoever ends other people's."""

    reason = forms.CharField(
        max_length=500,
        error_messages={
            "required": "Say why: the owners are told, and it stays in the record.",
            "max_length": "A reason has at most 500 characters; this one has %(show_value)d.",
        },
    )

    def clean_reason(self) -> str:
        """A pasted key is masked, not refused: nothing may delay the end of a leaked one."""
        return mask(self.cleaned_data["reason"])


def _without_key(text: str) -> str:
    """Names and reasons are kept for ever, for many to read."""
    if KEY_SHAPE.search(text):
        raise ValidationError("What begins with “glsa_” looks like a key: never put one here.")
    return text
