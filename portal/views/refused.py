"""Answers to what the web server refuses before Django sees it, in the words of our other pages."""

from functools import cache
from http import HTTPStatus

from django.template.loader import render_to_string

PAGES = {
    HTTPStatus.REQUEST_TIMEOUT: (
        "Your browser took too long to send this",
        "It has not come whole, and nothing has happened. Check your connection, go back, and send "
        "it again.",
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        "This is too long",
        "What was sent is longer than anything this portal takes, or longer than it takes from "
        "somebody who is not signed in. Nothing has happened. Go back, sign in if you have to, and "
        "send less.",
    ),
    HTTPStatus.REQUEST_URI_TOO_LONG: (
        "That address is too long",
        "No link of this portal is as long as that. Check that it was copied alone, with nothing "
        "behind it, or begin at “My tokens”.",
    ),
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        "Your browser sent too many cookies",
        "It sends more cookies than this server takes, most of them set by other sites of your "
        "company. Delete the cookies of this address in your browser, then sign in again.",
    ),
}
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@cache
def refusal(status: HTTPStatus) -> bytes:
    """The whole answer, after which the connection is closed. Raises KeyError without a page."""
    title, message = PAGES[status]
    page = render_to_string("error.html", {"title": title, "message": message}).encode()
    head = {
        f"HTTP/1.1 {status.value} {status.phrase}": None,
        "Connection": "close",
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": len(page),
        "Cache-Control": "no-store, private",
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
    }
    lines = [name if value is None else f"{name}: {value}" for name, value in head.items()]
    return "\r\n".join([*lines, "", ""]).encode() + page
