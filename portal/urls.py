"""Every address of the portal. They are a contract: docs and bookmarks rely on them."""

from django.contrib import admin
from django.urls import include, path, register_converter
from django.views.generic import RedirectView

from portal.views import (
    actions,
    answers,
    catalog,
    delivery,
    handover,
    health,
    inventory,
    invitation,
    record,
    reissue,
    revocation,
    signin,
    team,
    tokens,
    ways,
)
from portal.views.audit import export, find, log, suggestions
from portal.views.numbers import NumberConverter

register_converter(NumberConverter, "number")

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="tokens"), name="home"),
    path("tokens/", tokens.index, name="tokens"),
    path("tokens/new/", tokens.new, name="token-new"),
    path("tokens/name/", tokens.name, name="token-name"),
    path("tokens/accounts/", catalog.accounts, name="token-accounts"),
    path("tokens/workspaces/", catalog.workspaces, name="token-workspaces"),
    path("tokens/<uuid:token_id>/", record.detail, name="token"),
    path("tokens/<uuid:token_id>/status/", delivery.status, name="token-status"),
    path("tokens/<uuid:token_id>/sealed/", delivery.sealed, name="token-sealed"),
    path("tokens/<uuid:token_id>/delivered/", delivery.delivered, name="token-delivered"),
    path("tokens/<uuid:token_id>/revoke/", actions.revoke, name="token-revoke"),
    path("tokens/<uuid:token_id>/cancel/", actions.cancel, name="token-cancel"),
    path("tokens/<uuid:token_id>/approve/", answers.approve, name="token-approve"),
    path("tokens/<uuid:token_id>/deny/", answers.deny, name="token-deny"),
    path("tokens/<uuid:token_id>/collect/", answers.collect, name="token-collect"),
    path("tokens/<uuid:token_id>/reissue/", reissue.reissue, name="token-reissue"),
    path("tokens/<uuid:token_id>/hand-over/", handover.hand_over, name="token-hand-over"),
    path("tokens/<uuid:token_id>/heirs/", handover.heirs, name="token-heirs"),
    path("team/", team.index, name="teams"),
    path("team/<slug:slug>/", team.desk, name="team"),
    path("team/<slug:slug>/people/", team.people, name="team-people"),
    path("team/<slug:slug>/accounts/", team.accounts, name="team-accounts"),
    path("team/<slug:slug>/revoke/", revocation.revoke, name="team-revoke"),
    path(
        "team/<slug:slug>/ended/<number:first>-<number:last>/",
        revocation.ended,
        name="team-ended",
    ),
    path(
        "team/<slug:slug>/ended/<number:first>-<number:last>/status/",
        revocation.status,
        name="team-ended-status",
    ),
    path("audit/", log.index, name="audit"),
    path("audit/charts/", log.charts, name="audit-charts"),
    path("audit/export.csv", export.as_csv, name="audit-csv"),
    path("audit/export.jsonl", export.as_jsonl, name="audit-jsonl"),
    path("audit/suggestions/", suggestions.suggestions, name="audit-suggestions"),
    path("audit/teams/", suggestions.teams, name="audit-teams"),
    path("audit/workspaces/", suggestions.workspaces, name="audit-workspaces"),
    path("audit/find/", find.find, name="audit-find"),
    path("audit/events/<number:seq>/", log.event, name="audit-event"),
    path("audit/tokens/<uuid:token_id>/", log.token_story, name="audit-story"),
    path("inventory/", inventory.index, name="inventory"),
    path("inventory/workspaces/", inventory.workspaces, name="inventory-workspaces"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    # The access file and the audit log name people by their address: it is no setting of their own.
    path("accounts/email/", RedirectView.as_view(pattern_name="tokens"), name="account_email"),
    path("accounts/invitation/<str:secret>/", invitation.invitation, name="invitation"),
    path("accounts/login/", signin.sign_in, name="account_login"),
    path("accounts/back/<slug:number>/", ways.back, name="way-back"),
    path("accounts/", include("allauth.account.urls")),
    # Where the browser forgets its private keys, and attempts are limited.
    path("admin/logout/", RedirectView.as_view(pattern_name="account_logout"), name="admin-logout"),
    path(
        "admin/password_change/",
        RedirectView.as_view(pattern_name="account_change_password"),
        name="admin-password-change",
    ),
    path("admin/", admin.site.urls),
]

handler400 = "portal.views.errors.bad_request"
handler403 = "portal.views.errors.permission_denied"
handler404 = "portal.views.errors.not_found"
handler429 = "portal.views.errors.too_many_requests"
handler500 = "portal.views.errors.server_error"
