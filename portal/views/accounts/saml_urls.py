"""The addresses of single sign-on by SAML; they are there where its extra is installed."""

from django.urls import path

from portal.views.accounts import saml

urlpatterns = [
    path("login/", saml.start, name="saml-start"),
    path("confirm/", saml.confirm, name="saml-confirm"),
    path("acs/", saml.receive, name="saml-receive"),
    path("finish/", saml.finish, name="saml-finish"),
    path("metadata/", saml.metadata, name="saml-metadata"),
]
