"""The form by which a token is requested."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from portal import policy, sealing
from portal.amg import LONGEST_LIFETIME, LONGEST_TOKEN_NAME, is_workspace_id
from portal.forms.fields import FormWithLifetimes, LifetimeField, legible
from portal.models import ServiceAccount, Team, User
from portal.policy import Entitlement


class TokenRequestForm(FormWithLifetimes):
    """The request form, for one person: it admits only what policy grants them."""

    workspace = forms.CharField(max_length=40, error_messages={"required": "Choose a workspace."})
    service_account = forms.CharField(
        max_length=40, error_messages={"required": "Choose a service account."}
    )
    team = forms.CharField(required=False, max_length=64)
    name = forms.CharField(
        max_length=LONGEST_TOKEN_NAME,
        error_messages={
            "required": "Give the token a name.",
            "max_length": (
                "A name has at most %(limit_value)d characters; this one has %(show_value)d."
            ),
        },
    )
    seconds_to_live = LifetimeField(
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
        self.user = user
        self.entitlement: Entitlement | None = None

    def clean_workspace(self) -> str:
        workspace: str = self.cleaned_data["workspace"]
        if not is_workspace_id(workspace):
            raise ValidationError("A workspace's id is “g-” and ten characters of 0-9 and a-f.")
        return workspace

    def clean_name(self) -> str:
        return legible(self.cleaned_data["name"])

    def clean_reason(self) -> str:
        return legible(self.cleaned_data["reason"])

    def clean_public_key(self) -> bytes:
        try:
            return sealing.decode_public_key(self.cleaned_data["public_key"])
        except sealing.InvalidPublicKeyError as error:
            raise ValidationError(f"{error} Reload the page and try again.") from None

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        workspace, account = cleaned.get("workspace"), cleaned.get("service_account")
        if not workspace:
            return cleaned
        matching = policy.entitlements_for(self.user, workspace, account) if account else []
        if not matching and policy.workspace_for(self.user, workspace) is None:
            self.add_error("workspace", "None of your teams has a grant for this workspace.")
        elif not account:
            return cleaned
        elif not matching:
            self.add_error(
                "service_account",
                policy.suspension(self.user, workspace, account)
                or "None of your teams has a grant for this service account.",
            )
        elif team := cleaned.get("team"):
            self.entitlement = next((c for c in matching if c.team.slug == team), None)
            if self.entitlement is None:
                self.add_error("team", "This team of yours has no grant for this service account.")
        elif len(matching) > 1:
            names = ", ".join(c.team.slug for c in matching)
            self.add_error("team", f"Several of your teams have this account ({names}): choose.")
        else:
            self.entitlement = matching[0]
        return cleaned

    @property
    def chosen(self) -> tuple[Team, ServiceAccount]:
        """Team and account of a valid form."""
        if self.entitlement is None:
            raise ValueError("the form is not valid")
        return self.entitlement.team, self.entitlement.service_account
