"""What an admin does to another person's sign-in: each asks once more before it is done."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from portal import requester
from portal.flows.close_sessions import close_all_sessions
from portal.flows.reset_factors import reset_factors
from portal.models import User
from portal.tasks import follow_up


class SignInActions(admin.ModelAdmin):
    """``end_sessions`` and ``reset_second_factors``, actions of the list of people."""

    @admin.action(description="End all sessions of these people")
    def end_sessions(
        self, request: HttpRequest, queryset: QuerySet[User]
    ) -> TemplateResponse | None:
        """They sign in again."""
        if request.POST.get("sure") != "yes":
            return self._ask(
                request,
                queryset,
                "end_sessions",
                "End all sessions of these people? They lose what they have not sent.",
            )
        actor, others = requester.actor(request), queryset.exclude(pk=requester.person(request).pk)
        ended = sum(close_all_sessions(person, actor=actor) for person in others)
        self._leave_out_oneself(request, queryset)
        plural = "" if ended == 1 else "s"
        self.message_user(request, f"{ended} session{plural} ended.", messages.SUCCESS)
        return None

    @admin.action(description="Reset the second factors of these people, who have lost them")
    def reset_second_factors(
        self, request: HttpRequest, queryset: QuerySet[User]
    ) -> TemplateResponse | None:
        """They add others; a mail tells them."""
        if request.POST.get("sure") != "yes":
            return self._ask(
                request,
                queryset,
                "reset_second_factors",
                "Reset the second factors of these people? Until they add another, a password "
                "alone lets somebody in: first make sure, by a call or face to face, that it is "
                "they who ask. Their sessions end, and they are told by mail.",
            )
        actor, reset = requester.actor(request), 0
        self._leave_out_oneself(request, queryset)
        for person in queryset.exclude(pk=requester.person(request).pk):
            effects = reset_factors(person, actor=actor)
            follow_up(effects)
            reset += bool(effects.account_mail)
        plural = "person" if reset == 1 else "people"
        self.message_user(
            request, f"Second factors of {reset} {plural} were reset.", messages.SUCCESS
        )
        return None

    def _leave_out_oneself(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        if queryset.filter(pk=requester.person(request).pk).exists():
            self.message_user(
                request,
                "Left out yourself: for that the menu has Sessions and Second factors.",
                messages.WARNING,
            )

    def _ask(
        self, request: HttpRequest, queryset: QuerySet[User], action: str, question: str
    ) -> TemplateResponse:
        context = self.admin_site.each_context(request) | {
            "title": "Are you sure?",
            "opts": self.opts,
            "action": action,
            "question": question,
            "people": queryset.order_by("email"),
        }
        return TemplateResponse(request, "admin/are_you_sure.html", context)
