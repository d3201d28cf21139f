"""The forms of a team's desk."""

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet

from portal.flows.give_notice import LONGEST, SHORTEST
from portal.forms.answers import NOTICE_WANTED
from portal.forms.fields import FormWithLifetimes, LifetimeField, ReasonField
from portal.forms.selects import MOST_OFFERED, Choices, LongSelect, PlainSelect
from portal.logs import mask
from portal.models import Membership, ServiceAccount, State, Team, Token, User
from portal.models.desk import accounts_on_desk, people_on_desk
from portal.models.flags import Flag
from portal.models.queries import TokenQuerySet
from portal.text import without_unseen


def people_choices(people: QuerySet[User]) -> Choices:
    """So many that the last may say that there are more."""
    return [(one.email, one.email) for one in people[: MOST_OFFERED + 1]]


def account_choices(accounts: QuerySet[ServiceAccount]) -> Choices:
    """Likewise."""
    return [(str(one.pk), f"{one.workspace} / {one}") for one in accounts[: MOST_OFFERED + 1]]


class DeskForm(forms.Form):
    """Search and filters of a team's desk; what makes no sense there filters nothing."""

    q = forms.CharField(required=False, max_length=128, label="Search")
    person = forms.ChoiceField(required=False, widget=LongSelect)
    account = forms.ChoiceField(required=False, label="Service account", widget=LongSelect)
    state = forms.ChoiceField(required=False, widget=PlainSelect)
    flag = forms.ChoiceField(required=False, label="Needs attention", widget=PlainSelect)

    def __init__(
        self, data: Mapping[str, Any], *, team: Team, people_url: str, accounts_url: str
    ) -> None:
        """Of people and accounts the desk offers those of what is open, and some more by URL."""
        super().__init__(data)
        self.team = team
        people = people_choices(people_on_desk(team))
        accounts = account_choices(accounts_on_desk(team))
        self._offer("person", "Everybody", people, self._asked_person(people), people_url)
        asked = self._asked_account(accounts)
        self._offer("account", "Every account", accounts, asked, accounts_url)
        for name, choices in (
            ("state", [("", "Every state"), *State.choices]),
            ("flag", [("", "Anything"), *Flag.choices]),
        ):
            cast(forms.ChoiceField, self.fields[name]).choices = choices
        self.is_valid()

    def _offer(self, name: str, all_of: str, offered: Choices, asked: Choices, url: str) -> None:
        field = cast(forms.ChoiceField, self.fields[name])
        widget = cast(LongSelect, field.widget)
        widget.options_url = url
        widget.may_be_cut(offered)
        field.choices = [("", all_of), *offered[:MOST_OFFERED], *asked]

    def _asked_person(self, offered: Choices) -> Choices:
        """Who is asked for and not offered, if they are in the team or have had tokens there."""
        asked = self._asked("person", offered)
        if not asked:
            return []
        in_team = Exists(Membership.objects.filter(user=OuterRef("pk"), team=self.team))
        has_some = Exists(Token.objects.filter(owner=OuterRef("pk"), team=self.team))
        return people_choices(User.objects.filter(in_team | has_some, email=asked))

    def _asked_account(self, offered: Choices) -> Choices:
        """Likewise the account."""
        asked = self._asked("account", offered)
        if not (asked.isascii() and asked.isdigit() and len(asked) < 19):
            return []
        has_some = Exists(Token.objects.filter(service_account=OuterRef("pk"), team=self.team))
        accounts = ServiceAccount.objects.filter(has_some, pk=asked)
        return account_choices(accounts.select_related("workspace"))

    def _asked(self, name: str, offered: Choices) -> str:
        asked = str(self.data.get(name, "")).replace("\0", "").strip()
        is_there = any(value == asked for value, _ in offered[:MOST_OFFERED])
        return "" if is_there else asked

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
            tokens = tokens.filter(owner=User.objects.get(email=person))
        if account := wanted.get("account"):
            tokens = tokens.filter(service_account=account)
        if state := wanted.get("state"):
            tokens = tokens.filter(state=state)
        if flag := wanted.get("flag"):
            tokens = tokens.filter(Flag(flag).condition)
        return tokens


class LeavingForm(forms.Form):
    """Who is to own the tokens of somebody who left, and whether their keys are replaced."""

    heir = forms.CharField(
        max_length=254, error_messages={"required": "Choose who is to own the tokens."}
    )
    keys = forms.ChoiceField(
        choices=[("replace", "Replace them"), ("keep", "Keep them")],
        error_messages={"required": "Choose what becomes of the keys."},
    )
    reason = ReasonField()


class EndForm(FormWithLifetimes):
    """Why tokens are ended: asked of whoever ends other people's. Without notice they end now."""

    notice = LifetimeField(least=SHORTEST, most=LONGEST, wanted=NOTICE_WANTED, required=False)
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
