"""Mails that no server could take wait longer each time and are given up, as any other."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from portal import notify
from portal.flows.mail import mail
from portal.flows.mail_password import mail_password
from portal.models import Notice, NoticeKind, PasswordMail, Token, User

pytestmark = pytest.mark.django_db

ADDRESSES = ["lead@example.com,", "lead\r\n@example.com", "lead@", "é" * 200]
"""As a version before may have stored them, or an admin's hand in the database."""


class Session(socketserver.StreamRequestHandler):
    """A mail server that takes whatever is sent."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            if line.upper().startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline().rstrip(b"\r\n") != b".":
                    pass
            self.wfile.write(b"250 fine\r\n")


@pytest.fixture(autouse=True)
def server(settings: Settings) -> Iterator[None]:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address[:2]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def notice_to(person: User, token: Token) -> Notice:
    with transaction.atomic():
        notify.tell(NoticeKind.DENIED, token=token, to=[person], by="lead@example.com")
    return Notice.objects.get()


def test_the_server_takes_a_mail(engineer: User, make_token: Callable[..., Token]) -> None:
    assert mail(notice_to(engineer, make_token(engineer)).pk)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_no_mail_can_have(
    engineer: User, make_token: Callable[..., Token], address: str
) -> None:
    notice = notice_to(engineer, make_token(engineer))
    User.objects.filter(pk=engineer.pk).update(email=address)
    assert not mail(notice.pk)
    notice.refresh_from_db()
    assert notice.not_before is not None
    assert notice.not_before > timezone.now(), "not again at each lease"
    Notice.objects.update(created_at=timezone.now() - timedelta(days=4), not_before=None)
    assert not mail(notice.pk)
    notice.refresh_from_db()
    assert notice.dropped_at is not None


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_link_to_set_a_password_as_well(engineer: User, address: str) -> None:
    row = PasswordMail.objects.create(person=engineer)
    User.objects.filter(pk=engineer.pk).update(email=address)
    assert not mail_password(row.pk)
    row.refresh_from_db()
    assert row.not_before is not None
    assert row.not_before > timezone.now()
    PasswordMail.objects.update(created_at=timezone.now() - timedelta(days=2), not_before=None)
    assert not mail_password(row.pk)
    assert not PasswordMail.objects.exists()
