"""The forms of a team's desk."""

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.db.models import Q

from portal.logs import mask
from portal.models import State
from portal.models.flags import Flag
from portal.models.queries import TokenQuerySet
from portal.text import isolated, without_unseen


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
            by_workspace.setdefault(isolated(workspace), []).append((str(pk), isolated(account)))
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
        """What can't be kept is masked or left out, not refused: nothing may delay the end of a
        leaked token."""
        return mask(without_unseen(self.cleaned_data["reason"]).strip())
