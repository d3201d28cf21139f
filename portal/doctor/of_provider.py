"""The provider of single sign-on, asked as a sign-in asks it."""

from django.conf import settings
from django.utils.module_loading import import_string

from portal.doctor.report import Report
from portal.identity import SignInError, openid
from portal.openid_settings import OpenID
from portal.saml_settings import Saml


def check(report: Report) -> None:
    if settings.OPENID is None and settings.SAML is None:
        report.ok("no single sign-on is set up")
    if settings.HAS_OWN_PROVIDER:
        report.ok("the sandbox has a provider of its own")
    elif settings.OPENID is not None:
        _check_openid(report, settings.OPENID)
    if settings.SAML is not None:
        _check_saml(report, settings.SAML)


def _check_openid(report: Report, provider: OpenID) -> None:
    try:
        openid.examine(provider)
    except SignInError as error:
        report.fail(
            f"a sign-in at {provider.issuer} fails: {error.why}",
            "Check PORTAL_OIDC_ISSUER, and open "
            f"{provider.configuration_url} with curl from this host.",
        )
    else:
        report.ok(f"the provider at {provider.issuer} answers, and its keys can be used")


def _check_saml(report: Report, provider: Saml) -> None:
    # By its name: the extra that it needs is installed where this setting is made, and only there.
    load = import_string("portal.identity.saml.metadata.load")
    parse = import_string("portal.identity.saml.metadata.parse")
    try:
        found = parse(load(provider.metadata))
    except SignInError as error:
        report.fail(
            f"the provider's metadata can't be used: {error.why}",
            f"Check PORTAL_SAML_METADATA ({provider.metadata}) from this host.",
        )
    else:
        report.ok(f"the metadata describes {found.entity_id}")
