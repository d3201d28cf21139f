"""What has one address is looked up once, and a page's forms share one token."""

import re
from collections.abc import Callable
from unittest import mock

import pytest
from django.template import Context, Template
from django.test import Client
from django.urls import NoReverseMatch, reverse

from portal.models import Membership, Role, State, Token, User
from portal.templatetags import fixed_urls

FORM_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w{64})"')


def drawn(template: str, **context: object) -> str:
    return Template(template).render(Context(context))


@pytest.mark.parametrize(
    ("template", "page"),
    [
        ("{% url 'tokens' %}", "/tokens/"),
        ("{% url 'admin:index' %}", "/admin/"),
        ("{% url 'tokens' as there %}[{{ there }}]", "[/tokens/]"),
        ("{% url 'team' 'platform' %}", "/team/platform/"),
        ("{% url 'team' slug='mobile' %}", "/team/mobile/"),
        ("{% url name %}", "/inventory/"),
        ("{% url 'nowhere' as there %}[{{ there }}]", "[]"),
    ],
)
def test_an_address_is_what_django_gives(template: str, page: str) -> None:
    for _ in range(2):
        assert drawn(template, name="inventory") == page


def test_an_address_without_parameters_is_looked_up_once() -> None:
    template = "{% url 'token-new' %}"
    fixed_urls.fixed_url.cache_clear()
    with mock.patch("portal.templatetags.fixed_urls.reverse", side_effect=reverse) as asked:
        assert drawn(template) == drawn(template) == "/tokens/new/"
    assert asked.call_count == 1


def test_a_page_that_is_not_there_is_an_error_each_time() -> None:
    for _ in range(2):
        with pytest.raises(NoReverseMatch):
            drawn("{% url 'nowhere' %}")


def test_styles_and_scripts_come_with_all_that_they_import() -> None:
    styles = drawn('{% stylesheets "base" "token" %}')
    assert re.findall(r"css/(\w+)[.\w]*\.css", styles) == ["base", "token"]
    scripts = drawn('{% scripts "collect" "token-page" %}')
    begun = re.findall(r'<script type="module" src="/static/js/([\w-]+?)(?:\.\w+)?\.js"', scripts)
    beside = re.findall(r'modulepreload" href="/static/js/([\w-]+?)(?:\.\w+)?\.js"', scripts)
    assert begun == ["collect", "token-page"]
    assert {"keys", "key-pair", "server", "times"} <= set(beside)
    assert len(beside) == len(set(beside) - set(begun))


def test_a_script_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LookupError, match="static/js/nothing"):
        drawn('{% scripts "nothing" %}')


@pytest.mark.django_db
def test_the_forms_of_a_page_share_a_token_that_no_other_page_has(
    make_token: Callable[..., Token], engineer: User, sign_in: Callable[[User], Client]
) -> None:
    token = make_token(engineer, state=State.ACTIVE, aws_token_id="7")
    client = sign_in(engineer)
    pages = [client.get(f"/tokens/{token.pk}/").content.decode() for _ in range(2)]
    found = [FORM_TOKEN.findall(page) for page in pages]
    assert [len(of_page) > 1 for of_page in found] == [True, True]
    assert [len(set(of_page)) for of_page in found] == [1, 1]
    assert found[0][0] != found[1][0]


@pytest.mark.django_db
def test_the_navigation_changes_with_the_person(
    make_token: Callable[..., Token],
    engineer: User,
    teammate: User,
    sign_in: Callable[[User], Client],
) -> None:
    client = sign_in(engineer)

    def navigation(path: str = "/tokens/") -> str:
        page = client.get(path).content.decode()
        return page[page.index("<nav") : page.index("</details>")]

    before = navigation()
    assert 'aria-current="page">My tokens' in before
    assert "to approve" not in before
    assert "Audit" not in before
    assert 'aria-current="page">New token' in navigation("/tokens/new/")
    assert 'aria-current="page">Team' in navigation("/team/platform/")

    Membership.objects.filter(user=engineer).update(role=Role.LEAD)
    make_token(teammate, state=State.AWAITING_APPROVAL, public_key=b"")
    assert re.search(r">1<span[^>]*> to approve", navigation())
    User.objects.filter(pk=engineer.pk).update(is_auditor=True)
    assert "Audit" in navigation()
    User.objects.filter(pk=engineer.pk).update(email="o'brien&co@example.com")
    assert "o&#x27;brien&amp;co@example.com" in navigation()
