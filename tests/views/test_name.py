"""While a person types a name, the form asks whether it is taken."""

from collections.abc import Callable

from django.test import Client

from portal.models import State, Token, User
from tests.conftest import Catalog

SignIn = Callable[[User], Client]


def ask(client: Client, workspace: str, name: str) -> tuple[int, str]:
    answer = client.get("/tokens/name/", {"workspace": workspace, "name": name})
    return answer.status_code, answer.json()["message"]


def test_a_name_in_use_is_said_to_be_taken(
    sign_in: SignIn,
    engineer: User,
    teammate: User,
    catalog: Catalog,
    make_token: Callable[..., Token],
) -> None:
    make_token(teammate, name="ci")
    status, message = ask(sign_in(engineer), catalog.workspace.aws_id, " ci ")
    assert status == 200
    assert "in use" in message


def test_a_free_name_and_one_that_was_given_back_are_not(
    sign_in: SignIn, engineer: User, catalog: Catalog, make_token: Callable[..., Token]
) -> None:
    make_token(engineer, name="old", state=State.REVOKED)
    client = sign_in(engineer)
    assert ask(client, catalog.workspace.aws_id, "old") == (200, "")
    assert ask(client, catalog.workspace.aws_id, "new") == (200, "")


def test_nobody_can_try_names_in_a_workspace_that_is_not_theirs(
    sign_in: SignIn, outsider: User, catalog: Catalog
) -> None:
    assert ask(sign_in(outsider), catalog.workspace.aws_id, "ci")[0] == 404


def test_the_anonymous_are_told_to_sign_in(db: None, catalog: Catalog) -> None:
    assert ask(Client(), catalog.workspace.aws_id, "ci")[0] == 401


def test_a_name_that_is_taken_comes_with_one_that_is_free(
    sign_in: SignIn, engineer: User, catalog: Catalog, make_token: Callable[..., Token]
) -> None:
    for name in ("ci", "ci-2", "ci-9", "n" * 128):
        make_token(engineer, name=name)
    client, asked = sign_in(engineer), {"workspace": catalog.workspace.aws_id}
    for name, free in (
        ("ci", "ci-3"),
        ("ci-2", "ci-3"),
        ("ci-9", "ci-10"),
        ("n" * 128, "n" * 126 + "-2"),
        ("new", ""),
    ):
        answer = client.get("/tokens/name/", asked | {"name": name}).json()
        assert answer["free"] == free
