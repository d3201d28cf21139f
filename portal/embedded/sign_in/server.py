"""The provider's pages and its HTTP interface."""

import json
from html import escape
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from portal.embedded.sign_in.provider import Provider, ProviderError, Session

COOKIE = "sandbox-sign-in"
LARGEST_FORM = 64 * 1024
STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 3rem auto; padding: 0 1rem }
button { display: block; width: 100%; margin: .5rem 0; padding: .75rem 1rem; text-align: left;
  font: inherit; border: 1px solid #888; border-radius: .5rem; cursor: pointer }
small { display: block }
@media (prefers-color-scheme: dark) { :root { color-scheme: dark } }
"""


class Handler(BaseHTTPRequestHandler):
    """One request; the server knows the provider."""

    server: "Server"
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, *_: object) -> None:
        """What it is asked, the portal's own log tells."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        self._answer(url.path, query)

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), LARGEST_FORM)
        form = dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
        self._answer(f"POST {urlsplit(self.path).path}", form)

    def _answer(self, what: str, said: dict[str, str]) -> None:
        provider = self.server.provider
        try:
            match what:
                case "/.well-known/openid-configuration":
                    self.send_json(provider.configuration())
                case "/keys":
                    self.send_json(provider.keys())
                case "/authorize":
                    self._authorize(said)
                case "POST /choose":
                    self._choose(said)
                case "POST /token":
                    self.send_json(provider.redeem(said))
                case "/userinfo":
                    bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
                    self.send_json(provider.userinfo(bearer))
                case "/end-session":
                    self._end_session(said)
                case _:
                    self.send_json({"error": "not_found"}, 404)
        except ProviderError as error:
            self.send_json({"error": str(error)}, 401 if str(error) == "invalid_client" else 400)

    def _authorize(self, query: dict[str, str]) -> None:
        self.server.provider.require_client(query)
        session = self._session()
        if session is not None and query.get("prompt") != "login":
            self._send_back(query, session)
            return
        fields = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in query.items()
        )
        people = "".join(
            f'<button name="email" value="{escape(one.email)}">{escape(one.email)}'
            f"<small>{escape(one.about)}</small></button>"
            for one in self.server.provider.people.values()
        )
        self.send_page(
            "Who are you?",
            "<p>This stands for your company's sign-in. It belongs to the sandbox and asks for no "
            f'password.</p><form method="post" action="/choose">{fields}{people}</form>',
        )

    def _choose(self, form: dict[str, str]) -> None:
        self.server.provider.require_client(form)
        if form.get("email") not in self.server.provider.people:
            raise ProviderError("access_denied")
        self._send_back(form, self.server.provider.sign_in(form["email"]))

    def _send_back(self, query: dict[str, str], session: Session) -> None:
        answer = self.server.provider.answer(query, session)
        cookie = f"{COOKIE}={session.number}; Path=/; HttpOnly; SameSite=Lax"
        self.send_on(f"{query['redirect_uri']}?{urlencode(answer)}", cookie)

    def _end_session(self, query: dict[str, str]) -> None:
        session = self._session()
        if session is not None:
            del self.server.provider.sessions[session.number]
        after = query.get("post_logout_redirect_uri", "")
        origin = "{0.scheme}://{0.netloc}/".format(urlsplit(self.server.provider.redirect_uri))
        cookie = f"{COOKIE}=; Path=/; Max-Age=0"
        if after.startswith(origin):
            self.send_on(after, cookie)
        else:
            self.send_page("You are signed out", "<p>You may close this page.</p>")

    def _session(self) -> Session | None:
        morsel = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        return self.server.provider.sessions.get(morsel.value) if morsel else None

    def send_page(self, title: str, body: str) -> None:
        page = (
            f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
            f"<style>{STYLE}</style><h1>{title}</h1>{body}</html>"
        )
        self._send(200, page.encode(), {"Content-Type": "text/html; charset=utf-8"})

    def send_json(self, said: dict[str, Any], status: int = 200) -> None:
        self._send(status, json.dumps(said).encode(), {"Content-Type": "application/json"})

    def send_on(self, url: str, cookie: str) -> None:
        self._send(302, b"", {"Location": url, "Set-Cookie": cookie})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        headers |= {"Content-Length": str(len(body)), "Cache-Control": "no-store"}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, provider: Provider, handler: type[Handler] = Handler) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.provider = provider
