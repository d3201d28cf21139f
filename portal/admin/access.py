"""Who may do what, edited by an admin instead of by the access file.

Each change is an event with the admin and their address, in the transaction that makes it, and who
loses access by it loses it at once: the same rules as for the file (portal.flows.apply_access).
What the file names it wins back when it is applied next; the pages say so.
"""

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from portal import audit, requester
from portal.access import words
from portal.access.words import Change
from portal.admin.lifetimes import lifetime_field
from portal.admin.look_first import look_first
from portal.admin.people import SignInActions
from portal.admin.records import LookOnly, PortalAdmin
from portal.flows.confirm_grants import confirm_grants
from portal.flows.release_identity import release_identity
from portal.forms.fields import legible
from portal.models import Action, Grant, Membership, NamedRole, Team, User
from portal.tasks import end_lost_access


def _is_legible(text: str) -> None:
    legible(text)


class AccessAdmin(PortalAdmin):
    """Rows that decide on access: changed here, closed instead of deleted."""

    change_form_template = "admin/access_form.html"
    change_list_template = "admin/access_list.html"
    fixed: tuple[str, ...] = ()
    """What stays as it was when the row was made."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Nothing that takes tokens from people is saved unseen."""

        def save() -> HttpResponse:
            return super(AccessAdmin, self).changeform_view(
                request, object_id, form_url, extra_context
            )

        context = self.admin_site.each_context(request) | {"opts": self.opts}
        return look_first(request, save, context) or save()

    def get_readonly_fields(
        self,
        request: HttpRequest,  # noqa: ARG002 (Django's signature)
        obj: models.Model | None = None,
    ) -> tuple[str, ...]:
        return self.fixed if obj else ()

    def formfield_for_dbfield(
        self, db_field: models.Field, request: HttpRequest, **kwargs: Any
    ) -> forms.Field | None:
        """What is written here is read by others as it stands, like names and reasons."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(field, forms.CharField):
            field.validators.append(_is_legible)
        return field

    def has_delete_permission(
        self,
        request: HttpRequest,  # noqa: ARG002 (Django's signature)
        obj: models.Model | None = None,  # noqa: ARG002 (Django's)
    ) -> bool:
        """Tokens and history hang on these rows."""
        return False

    def log_addition(self, *_: Any) -> Any:
        """Django keeps no log of its own here: the audit log tells it, and can't be altered."""

    def log_change(self, *_: Any) -> Any:
        """As above."""

    def record(self, request: HttpRequest, changes: Iterable[Change]) -> None:
        """Write what was changed to the log, and end what was lost once it is committed."""
        actor = requester.actor(request)
        audit.record_many(Action.ACCESS_CHANGED, list(changes), actor=actor, reason=words.BY_HAND)
        transaction.on_commit(lambda: end_lost_access(actor), robust=True)


@admin.register(User)
class UserAdmin(SignInActions, AccessAdmin):
    """People are added by their address alone, and set a password of their own by mail.

    An address stays as it is: who could change it could have a password reset sent to themselves.
    """

    list_display = ["email", "name", "is_active", "is_admin", "is_auditor"]
    search_fields = ["email", "name"]
    fixed = ("email",)
    actions = ["end_sessions", "reset_second_factors", "release_identity"]

    def get_fields(
        self,
        request: HttpRequest,  # noqa: ARG002 (Django's signature)
        obj: models.Model | None = None,
    ) -> tuple[str, ...]:
        return ("email", "name", "is_active", "is_admin", "is_auditor") if obj else ("email",)

    def save_model(
        self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool
    ) -> None:
        if not change:
            obj.set_unusable_password()
        changed_rights = {"is_admin", "is_auditor"} & set(form.changed_data)
        obj.is_named = obj.is_named or bool(changed_rights)
        for right in changed_rights:
            setattr(obj, right.replace("is_", "") + "_by_group", False)
        super().save_model(request, obj, form, change)
        if form.changed_data:
            self.record(request, _changes_of_person(obj, form.changed_data, is_new=not change))

    @admin.action(description="Unlink the single sign-on account", permissions=["change"])
    def release_identity(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        people = list(queryset.values_list("pk", flat=True))
        released = release_identity(people, actor=requester.actor(request))
        self.message_user(
            request,
            f"{released} of {len(people)} were bound to an account at single sign-on. Their next "
            "sign-in there binds them again, by their verified address.",
        )


def _changes_of_person(user: User, changed: list[str], *, is_new: bool) -> Iterable[Change]:
    if is_new:
        yield Change(f"+ person {user.email}")
        return
    if {"is_admin", "is_auditor"} & set(changed):
        yield Change(f"~ person {user.email}: now {words.rights(user.is_admin, user.is_auditor)}")
    if "is_active" in changed:
        may = "may sign in again" if user.is_active else "may not sign in any more"
        yield Change(f"~ person {user.email}: {may}")
    if "name" in changed:
        yield Change(f"~ person {user.email}: name now {user.name or 'none'}")


class LinesField(forms.CharField):
    """A list of texts, one on each line."""

    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        lines = (line.strip() for line in str(value or "").split("\n"))
        return [line for line in dict.fromkeys(lines) if line]

    def validate(self, value: list[str]) -> None:
        for line in value:
            legible(line)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != (initial or []))


class TeamForm(forms.ModelForm):
    idp_groups = LinesField(required=False, label="SSO groups that make a member")
    lead_idp_groups = LinesField(required=False, label="SSO groups that make a lead")

    class Meta:
        model = Team
        fields = ("slug", "name", "closed_at", "idp_groups", "lead_idp_groups", "on_leaving")


class MembershipForm(forms.ModelForm):
    """What an admin says of a member stays when groups of single sign-on say less."""

    def save(self, commit: bool = True) -> Any:
        self.instance.named_role = NamedRole.ROLE
        return super().save(commit)


class MembershipInline(admin.TabularInline):
    model = Membership
    form = MembershipForm
    extra = 0
    autocomplete_fields = ["user"]


class GrantInline(admin.StackedInline):
    model = Grant
    extra = 0
    fields = [
        ("workspace", "service_account"),
        ("max_ttl", "default_ttl"),
        ("approval", "reason_required", "self_approval"),
        ("max_live", "max_live_per_person", "max_overlap"),
        "suspended_reason",
    ]
    autocomplete_fields = ["workspace", "service_account"]
    readonly_fields = ["suspended_reason"]

    def formfield_for_dbfield(
        self, db_field: models.Field, request: HttpRequest, **kwargs: Any
    ) -> forms.Field | None:
        return lifetime_field(db_field) or super().formfield_for_dbfield(
            db_field, request, **kwargs
        )


@admin.register(Team)
class TeamAdmin(AccessAdmin):
    form = TeamForm
    fields = ["slug", "name", "closed_at", "idp_groups", "lead_idp_groups", "on_leaving"]
    list_display = ["slug", "name", "closed_at"]
    search_fields = ["slug", "name"]
    inlines = [MembershipInline, GrantInline]
    fixed = ("slug",)

    def save_related(
        self, request: HttpRequest, form: forms.ModelForm, formsets: Any, change: bool
    ) -> None:
        """Called when the team itself is written, and its people and grants are not yet."""
        team = cast(Team, form.instance)
        changes = list(_changes_of_team(team, form, is_new=not change))
        roles, grants = _roles(team), _grants(team)
        super().save_related(request, form, formsets, change)
        changes += words.memberships(team, roles, _roles(team))
        changes += words.grants(team, grants, _grants(team))
        if changes:
            self.record(request, changes)


def _changes_of_team(team: Team, form: forms.ModelForm, *, is_new: bool) -> Iterable[Change]:
    if is_new:
        yield Change(f"+ team {team.slug}", team)
    for name in form.changed_data:
        if name == "closed_at":
            opened = "closed" if team.closed_at else "opened again"
            yield Change(f"{'-' if team.closed_at else '~'} team {team.slug}: {opened}", team)
        elif not is_new:
            value = form.cleaned_data[name]
            said = ", ".join(value) if isinstance(value, list) else value
            yield Change(f"~ team {team.slug}: {name} now {said or 'none'}", team)


def _roles(team: Team) -> dict[str, str]:
    rows = team.memberships.order_by("role", "user__email")
    return dict(rows.values_list("user__email", "role"))


def _grants(team: Team) -> dict[tuple[int | None, int | None], Grant]:
    rows = team.grants.select_related("workspace", "service_account").order_by("pk")
    return {(row.workspace_id, row.service_account_id): row for row in rows}


@admin.register(Grant)
class GrantAdmin(LookOnly):
    """All grants in one list; they are edited in their team, and confirmed here."""

    list_display = ["__str__", "max_ttl", "approval", "suspended_at", "suspended_reason"]
    list_filter = [("suspended_at", admin.EmptyFieldListFilter), "approval"]
    list_select_related = ["team", "workspace", "service_account"]
    search_fields = ["team__slug", "workspace__name", "service_account__name"]
    actions = ["confirm"]

    @admin.action(description="Confirm: grant again what AMG has changed")
    def confirm(self, request: HttpRequest, queryset: QuerySet[Grant]) -> TemplateResponse | None:
        ids = list(queryset.values_list("pk", flat=True))
        confirmed = confirm_grants(ids, actor=requester.actor(request))
        plural = "" if confirmed == 1 else "s"
        self.message_user(request, f"{confirmed} grant{plural} confirmed.", messages.SUCCESS)
        return None
