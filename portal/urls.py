"""Every address of the portal. They are a contract: docs and bookmarks rely on them."""

from django.contrib import admin
from django.urls import include, path, register_converter
from django.views.generic import RedirectView

from portal.converters import NumberConverter
from portal.saml_settings import is_installed
from portal.scim import endpoint as scim
from portal.views import health, way_back
from portal.views.access import index as access
from portal.views.access import planning, reviewing
from portal.views.accounts import (
    confirm,
    display,
    invitation,
    mails,
    openid,
    sending,
    sign_in,
    sign_out,
)
from portal.views.accounts import sessions as own
from portal.views.audit import evidence, export, find, log, suggestions
from portal.views.inventory import acting, permitting
from portal.views.inventory import index as inventory
from portal.views.teams import calendar, desk, leaving, webhook_messages, webhooks
from portal.views.teams import mails as team_mails
from portal.views.teams import revoke as revoke_many
from portal.views.tokens import (
    approve,
    catalog,
    deliver,
    first_use,
    hand_over,
    mine,
    new,
    notice,
    page,
    places,
    reissue,
    renew_several,
    revoke,
    uses,
)
from portal.views.tokens import print as its_print

register_converter(NumberConverter, "number")

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="tokens"), name="home"),
    path("tokens/", mine.index, name="tokens"),
    path("tokens/new/", new.new, name="token-new"),
    path("tokens/renew/", renew_several.renew_several, name="renew-several"),
    path("tokens/name/", new.name, name="token-name"),
    path("tokens/accounts/", catalog.accounts, name="token-accounts"),
    path("tokens/workspaces/", catalog.workspaces, name="token-workspaces"),
    path("tokens/<uuid:token_id>/", page.detail, name="token"),
    path("tokens/<uuid:token_id>/status/", deliver.status, name="token-status"),
    path("tokens/<uuid:token_id>/sealed/", deliver.sealed, name="token-sealed"),
    path("tokens/<uuid:token_id>/delivered/", deliver.delivered, name="token-delivered"),
    path("tokens/<uuid:token_id>/print/", its_print.as_json, name="token-print"),
    path("tokens/<uuid:token_id>/first-use/", first_use.look, name="token-first-use"),
    path("tokens/<uuid:token_id>/revoke/", revoke.revoke, name="token-revoke"),
    path("tokens/<uuid:token_id>/notice/", notice.give, name="token-notice"),
    path("tokens/<uuid:token_id>/keep/", notice.keep, name="token-keep"),
    path("tokens/<uuid:token_id>/cancel/", revoke.cancel, name="token-cancel"),
    path("tokens/<uuid:token_id>/approve/", approve.approve, name="token-approve"),
    path("tokens/<uuid:token_id>/approve/undo/", approve.undo, name="token-approve-undo"),
    path("tokens/<uuid:token_id>/remind/", approve.remind, name="token-remind"),
    path("tokens/<uuid:token_id>/deny/", approve.deny, name="token-deny"),
    path("tokens/<uuid:token_id>/collect/", approve.collect, name="token-collect"),
    path("tokens/<uuid:token_id>/reissue/", reissue.reissue, name="token-reissue"),
    path("tokens/<uuid:token_id>/uses/", uses.uses, name="token-uses"),
    path("tokens/<uuid:token_id>/places/", places.note, name="token-places"),
    path("tokens/<uuid:token_id>/places/remove/", places.forget, name="token-places-remove"),
    path("tokens/<uuid:token_id>/hand-over/", hand_over.hand_over, name="token-hand-over"),
    path("tokens/<uuid:token_id>/hand-over/accept/", hand_over.accept, name="token-accept"),
    path("tokens/<uuid:token_id>/hand-over/decline/", hand_over.decline, name="token-decline"),
    path("tokens/<uuid:token_id>/hand-over/withdraw/", hand_over.withdraw, name="token-withdraw"),
    path(
        "tokens/<uuid:token_id>/possible-owners/",
        hand_over.possible_owners,
        name="token-possible-owners",
    ),
    path("team/", desk.index, name="teams"),
    path("team/<slug:slug>/", desk.desk, name="team"),
    path("team/<slug:slug>/people/", desk.people, name="team-people"),
    path("team/<slug:slug>/accounts/", desk.accounts, name="team-accounts"),
    path("team/<slug:slug>/ends.ics", calendar.ends, name="team-ends"),
    path("team/<slug:slug>/calendar/", calendar.renew, name="team-calendar"),
    path("team/<slug:slug>/mails/", team_mails.notice_days, name="team-mails"),
    path("team/<slug:slug>/revoke/", revoke_many.revoke, name="team-revoke"),
    path("team/<slug:slug>/webhooks/", webhooks.index, name="team-webhooks"),
    path("team/<slug:slug>/webhooks/new/", webhooks.new, name="team-webhook-new"),
    *(
        path(f"team/<slug:slug>/webhooks/<number:webhook_id>/{part}", view, name=name)
        for part, view, name in (
            ("", webhooks.page, "team-webhook"),
            ("stored/", webhooks.stored, "team-webhook-stored"),
            ("test/", webhooks.test, "team-webhook-test"),
            ("rotate/", webhooks.rotate, "team-webhook-rotate"),
            ("delete/", webhooks.delete, "team-webhook-delete"),
            ("deliveries/", webhook_messages.log, "team-webhook-messages"),
            (
                "deliveries/<number:message_id>/again/",
                webhook_messages.again,
                "team-webhook-again",
            ),
        )
    ),
    path("team/<slug:slug>/hand-over/", leaving.hand_over, name="team-hand-over"),
    path(
        "team/<slug:slug>/ended/<number:first>-<number:last>/",
        revoke_many.ended,
        name="team-ended",
    ),
    path(
        "team/<slug:slug>/ended/<number:first>-<number:last>/status/",
        revoke_many.status,
        name="team-ended-status",
    ),
    path("audit/", log.index, name="audit"),
    path("audit/charts/", log.charts, name="audit-charts"),
    path("audit/export.csv", export.as_csv, name="audit-csv"),
    path("audit/export.jsonl", export.as_jsonl, name="audit-jsonl"),
    path("audit/as-of.html", evidence.as_html, name="audit-as-of"),
    path("audit/as-of.jsonl", evidence.as_jsonl, name="audit-as-of-jsonl"),
    path("audit/suggestions/", suggestions.suggestions, name="audit-suggestions"),
    path("audit/teams/", suggestions.teams, name="audit-teams"),
    path("audit/workspaces/", suggestions.workspaces, name="audit-workspaces"),
    path("audit/find/", find.find, name="audit-find"),
    path("audit/events/<number:seq>/", log.event, name="audit-event"),
    path("audit/tokens/<uuid:token_id>/", log.token_story, name="audit-story"),
    path("access/", access.index, name="access"),
    path("access/review.csv", reviewing.as_csv, name="access-csv"),
    path("access/review/", reviewing.page, name="access-review"),
    path("access/plan/", planning.plan, name="access-plan"),
    path("access/apply/", planning.apply, name="access-apply"),
    path("inventory/", inventory.index, name="inventory"),
    path("inventory/workspaces/", inventory.workspaces, name="inventory-workspaces"),
    path("inventory/progress/", inventory.progress, name="inventory-progress"),
    path("inventory/read/", acting.read_now, name="inventory-read"),
    path("inventory/revoke/", acting.end_many, name="inventory-revoke"),
    path("inventory/permit/", permitting.permit, name="inventory-permit"),
    path("inventory/forbid/", permitting.forbid, name="inventory-forbid"),
    path("inventory/<number:item>/adopt/", acting.adopt_one, name="listed-adopt"),
    path("inventory/<number:item>/revoke/", acting.end_one, name="listed-revoke"),
    path("scim/v2/", scim.endpoint, name="scim-root"),
    path("scim/v2/<path:path>", scim.endpoint, name="scim"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    # The access file and the audit log name people by their address: it is no setting of their own.
    path("accounts/email/", RedirectView.as_view(pattern_name="tokens"), name="account_email"),
    path("accounts/invitation/<str:secret>/", invitation.invitation, name="invitation"),
    path("accounts/login/", sign_in.sign_in, name="account_login"),
    path("accounts/logout/", sign_out.sign_out, name="account_logout"),
    path("accounts/reauthenticate/", confirm.confirm, name="account_reauthenticate"),
    path("accounts/oidc/sso/login/", openid.start, name="openid-start"),
    path("accounts/oidc/sso/login/callback/", openid.callback, name="openid-callback"),
    path("accounts/oidc/sso/logout/", openid.back_channel_sign_out, name="openid-sign-out"),
    path("accounts/back/<slug:number>/", way_back.back, name="way-back"),
    path("accounts/display/", display.display, name="display"),
    path("accounts/mails/", mails.choose, name="mails"),
    path("accounts/mails/sending/", sending.sending, name="mails-sending"),
    path("accounts/mails/stop/<str:said>/", mails.stop, name="mails-stop"),
    path("accounts/sessions/", own.own_sessions, name="sessions"),
    path("accounts/sessions/end/", own.end_session, name="session-end"),
    path("accounts/2fa/", include("portal.views.accounts.factor_urls")),
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

if is_installed():
    urlpatterns.append(path("accounts/saml/sso/", include("portal.views.accounts.saml_urls")))

handler400 = "portal.views.errors.bad_request"
handler403 = "portal.views.errors.permission_denied"
handler404 = "portal.views.errors.not_found"
handler429 = "portal.views.errors.too_many_requests"
handler500 = "portal.views.errors.server_error"
