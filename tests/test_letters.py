"""A mail's HTML is made of its text: the same words, one link, and nothing slipped in."""

import re

from portal.letters import as_html

PORTAL = "https://tokens.example.com"
TEXT = f"""
Your token ends on 2026-12-24. What uses it
then stops working.

  Token            ci <deploy>
  Service account  deployer (EDITOR)

  Ends within 7 days: 2
    ci of a@example.com
    {PORTAL}/evil of b@example.com

  because {PORTAL}/x and https://elsewhere.example

Renew it:
{PORTAL}/tokens/1/reissue/

--
Sent by the token portal
to a@example.com.
"""


def words(html: str) -> str:
    without = re.sub(r"<style>.*?</style>|<title>.*?</title>", "", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", without).split())


def test_every_word_of_the_text_stands_in_the_html_and_is_escaped() -> None:
    html = as_html("Ends in 7 days: <ci>", TEXT, links_to=PORTAL)
    assert "<h1" in html
    assert "Ends in 7 days: &lt;ci&gt;" in html
    said = words(html)
    assert "What uses it then stops working." in said
    assert re.search(r'<th scope="row"[^>]*>Token</th><td[^>]*>ci &lt;deploy&gt;</td>', html)
    assert "<li>ci of a@example.com</li>" in html
    assert "<blockquote" in html
    assert "Sent by the token portal to a@example.com." in said
    assert "<ci>" not in html


def test_it_has_one_link_which_is_the_portal_s_own() -> None:
    html = as_html("x", TEXT, links_to=PORTAL)
    assert re.findall(r'href="([^"]*)"', html) == [f"{PORTAL}/tokens/1/reissue/"]
    assert ">Renew it</a>" in html
    elsewhere = as_html("x", "Look:\nhttps://tokens.example.com.evil.example/", links_to=PORTAL)
    assert "href" not in elsewhere


def test_it_loads_nothing_and_knows_both_themes() -> None:
    html = as_html("x", TEXT, links_to=PORTAL)
    assert "prefers-color-scheme: dark" in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert not re.search(r"<(img|link|script|iframe)\b|url\(|@import", html)
