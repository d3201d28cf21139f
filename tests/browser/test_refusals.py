"""What AWS refuses for good ends on a page that says what happened and what to do next.

Refusals that may pass are in test_waiting.py.
"""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.live import Live
from tests.browser.steps import (
    expect_chosen,
    expect_no_key,
    expect_state,
    new_name,
    request_token,
    stored_records,
    take_key,
)
from tests.browser.watch import Watch


@pytest.mark.parametrize(
    ("code", "words", "happened", "next_step"),
    [
        pytest.param(
            "ValidationException",
            "The name holds a character that is not allowed.",
            "AWS rejected the request.",
            "Change what AWS says below and try again.",
            id="ValidationException",
        ),
        pytest.param(
            "ServiceQuotaExceededException",
            "The workspace has reached its quota of tokens.",
            "The workspace has as many tokens as AWS allows",
            "Revoke a token of this workspace that nobody needs, then try again.",
            id="ServiceQuotaExceededException",
        ),
        pytest.param(
            "AccessDeniedException",
            "User is not authorized to perform this action.",
            "AWS does not let this portal create tokens in that workspace.",
            "Tell the people who run this portal; give them the AWS request id.",
            id="AccessDeniedException",
        ),
        pytest.param(
            "ResourceNotFoundException",
            "The service account was not found.",
            "AWS does not know this workspace or service account any more.",
            "Choose another on the request form",
            id="ResourceNotFoundException",
        ),
        pytest.param(
            "ConflictException",
            "A token with that name already exists.",
            "Another token in this workspace has this name, made here or elsewhere.",
            "Choose another name and try again.",
            id="name taken at AWS",
        ),
    ],
)
def test_a_refusal_is_explained_and_can_be_tried_again(
    live: Live,
    engineer: Page,
    watch: Watch,
    code: str,
    words: str,
    happened: str,
    next_step: str,
) -> None:
    watch.expect_status(410)
    name = new_name()
    live.refuse(name, code, message=words)
    request_token(
        engineer, name, account="status-page", lifetime="8 hours", reason="a screen on the wall"
    )

    expect_state(engineer, "failed")
    trouble = engineer.get_by_role("alert").filter(has_text="What happened")
    expect(trouble).to_contain_text(happened)
    expect(trouble).to_contain_text(next_step)
    expect(trouble).to_contain_text(words)
    [request_id] = live.request_ids(name)
    expect(trouble).to_contain_text(request_id)
    expect_no_key(engineer)
    assert stored_records(engineer) == []

    engineer.reload()
    expect(trouble).to_contain_text(happened)

    live.sandbox.clear_faults()
    engineer.get_by_role("link", name="Try again").click()
    expect_chosen(engineer, "Workspace", "observability-prod")
    expect_chosen(engineer, "Service account", "status-page")
    expect(engineer.get_by_label("Lifetime", exact=True)).to_have_value("28800")
    expect(engineer.get_by_label("What uses it")).to_have_value("a screen on the wall")
    engineer.get_by_role("button", name="Request token").click()
    assert live.answers_to(take_key(engineer)) == 200
