"""What happens when a token is issued: claim, reconcile, ask policy, wait, call AWS, seal, store.

AWS is called outside any transaction. A create is sent once: whenever its outcome is not known, the
row goes back to the queue marked as unresolved, and the next attempt reconciles before it creates
again (docs/RELIABILITY.md, "The recovery rule").
"""

import logging
import time
import uuid
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from portal import policy, sealing
from portal.audit.agreement import NotAgreedError, require_agreement
from portal.catalog import look_again, note_described
from portal.flows import recover
from portal.flows.attempt import Attempt, claim, fail, finish, finish_if_held, requeue, wait_for
from portal.flows.recheck import APPROVAL_NEEDED_NOW, turned_back
from portal.gateway import Gateway, NotYetError
from portal.grafana import smoke
from portal.grafana.errors import ConflictException, GrafanaError
from portal.grafana.types import CreatedToken
from portal.life import Effects, moves
from portal.life.waits import FOR_WORKSPACE, waits_for
from portal.lifetimes import in_words
from portal.models import Token
from portal.models.error_codes import ErrorCode
from portal.policy import CurrentTerms

MOST_DUPLICATE_ANSWERS = 5
TIME_TO_TRY_A_KEY = 15.0
"""Seconds after the claim until which a new key is tried: so that trying it ends no later than the
latest create, and leaves the same time to store it."""

log = logging.getLogger(__name__)


def issue(token_id: uuid.UUID) -> Effects:
    """Try once to turn a queued request into a sealed key.

    Does nothing when another worker has the row. Every outcome is written to the row; raises only
    when the database can't be reached, and then leaves the row to recovery.
    """
    # 1. Claim the row: nobody else works on it while the lease lasts.
    attempt = claim(token_id)
    if attempt is None:
        return Effects()
    gateway = Gateway(attempt.token.workspace.connection, until=attempt.last_call_at)

    # 2. Remove what an earlier attempt may have left at AWS.
    if attempt.was_unresolved:
        over = _reconcile(attempt, gateway)
        if over is not None:
            return over

    # 3. Hold the row against what the audit log says was asked for and agreed.
    try:
        require_agreement(attempt.token)
    except NotAgreedError as differs:
        log.error("issue.not_agreed", extra={"token": str(token_id), "differs": str(differs)})
        return fail(attempt, ErrorCode.NOT_AGREED, f"What differs: {differs}.")

    # 4. Ask policy again: a grant may have gone, shrunk or come to need approval.
    over = _ask_policy(attempt)
    if over is not None:
        return over

    # 5. Wait for a workspace that AWS is changing.
    over = _await_workspace(attempt, gateway)
    if over is not None:
        return over

    # 6. Call AWS, once.
    created = _create(attempt, gateway)
    if isinstance(created, Effects):
        return created

    # 7. Try the key, where that is wished for. 8. Seal it: from here on only its recipient's
    # browser can read it. 9. Store it.
    return _seal_and_store(attempt, created, **_tried(attempt, created))


# -- What an earlier attempt may have left --------------------------------------------------------


def _reconcile(attempt: Attempt, gateway: Gateway) -> Effects | None:
    """The effects of an attempt that ends here; None when it goes on."""
    token = attempt.token
    try:
        found = recover.remove_orphans(token, gateway)
    except GrafanaError as error:
        # Nothing was created by this attempt; what was unknown before stays so.
        return _try_later(attempt, error, duplicate_answers=token.duplicate_answers)
    except NotYetError as later:
        return requeue(attempt, seconds=later.seconds)
    if token.duplicate_answers and not found:
        return fail(attempt, ErrorCode.NAME_TAKEN)
    return None


# -- Policy is asked again ------------------------------------------------------------------------


def _ask_policy(attempt: Attempt) -> Effects | None:
    """The effects of an attempt that ends here; None when it goes on."""
    terms = policy.current_terms(attempt.token)
    back = turned_back(terms, cancel=moves.CANCEL_ATTEMPT, ask=moves.ASK_APPROVAL_AGAIN)
    if back is not None and not (terms.is_granted and attempt.was_unresolved):
        move, said = back
        return finish(attempt, move, **said, **attempt.knowledge(exists=False))
    if obstacle := attempt.token.service_account.obstacle:
        return fail(attempt, ErrorCode.NOT_USABLE, obstacle)
    if refusal := _refusal(attempt, terms):
        return fail(attempt, ErrorCode.NOT_GRANTED, refusal)
    if attempt.token.seconds_to_live != terms.seconds_to_live and not _shorten(attempt, terms):
        return Effects()
    return None


def _refusal(attempt: Attempt, terms: CurrentTerms) -> str:
    """Why a granted request can't be carried out as it is; empty when it can.

    What an unknown outcome has left is known by its lifetime, which must not change any more: such
    a request neither goes back to the approvers, who may shorten it, nor is shortened here.
    """
    if terms.needs_approval:
        return APPROVAL_NEEDED_NOW
    if attempt.was_unresolved and terms.seconds_to_live != attempt.token.seconds_to_live:
        return f"The team may ask for at most {in_words(terms.seconds_to_live)} now."
    return ""


def _shorten(attempt: Attempt, terms: CurrentTerms) -> bool:
    """Ask for no more than today's limit, and write that down before AWS hears of it."""
    token = attempt.token
    token.seconds_to_live = terms.seconds_to_live
    held = Token.objects.held(token.attempt).filter(pk=token.pk)
    return bool(held.update(seconds_to_live=terms.seconds_to_live))


# -- The workspace --------------------------------------------------------------------------------


def _await_workspace(attempt: Attempt, gateway: Gateway) -> Effects | None:
    """The effects of an attempt that ends here, because AWS is changing the workspace; None when it
    goes on.

    The catalog may be some minutes old, so AWS is asked; once for all who wait.
    """
    token, workspace = attempt.token, attempt.token.workspace
    if not (workspace.is_changing or waits_for(token.error_code) is FOR_WORKSPACE):
        return None
    if look_again(workspace):
        try:
            note_described(workspace, gateway.describe_workspace(workspace.aws_id))
        except NotYetError as later:
            return requeue(attempt, seconds=later.seconds)
        except GrafanaError as error:
            # What refuses only this question decides nothing: the create will say.
            if error.refuses_caller or error.retryable:
                return _try_later(attempt, error, duplicate_answers=token.duplicate_answers)
    if obstacle := workspace.obstacle:
        return fail(attempt, ErrorCode.NOT_USABLE, obstacle)
    if workspace.is_changing:
        said = f"Its status at AWS is {workspace.status}."
        return wait_for(attempt, FOR_WORKSPACE, ErrorCode.WORKSPACE_CHANGING, said)
    return None


# -- AWS is called --------------------------------------------------------------------------------


def _create(attempt: Attempt, gateway: Gateway) -> CreatedToken | Effects:
    """The token; or the effects of an attempt that ends here."""
    token = attempt.token
    try:
        return gateway.create_token(
            token.workspace.aws_id,
            token.service_account.aws_id,
            name=token.name,
            seconds_to_live=token.seconds_to_live,
        )
    except NotYetError as later:
        return requeue(attempt, seconds=later.seconds)
    except GrafanaError as error:
        return _refused(attempt, error)


def _refused(attempt: Attempt, error: GrafanaError) -> Effects:
    if error.outcome_unknown:
        return requeue(attempt, error, is_known=False, duplicate_answers=0)
    if error.speaks_of_existing_name:
        answers = attempt.token.duplicate_answers + 1
        if attempt.was_unresolved and answers < MOST_DUPLICATE_ANSWERS:
            return requeue(attempt, error, duplicate_answers=answers)
        return fail(attempt, ErrorCode.NAME_TAKEN, error.message, error)
    if error.retryable or error.refuses_caller or isinstance(error, ConflictException):
        return _try_later(attempt, error, duplicate_answers=0)
    return fail(attempt, error.code, error.message, error)


def _try_later(attempt: Attempt, error: GrafanaError, *, duplicate_answers: int) -> Effects:
    """AWS made nothing now, and may make it later."""
    if wait := waits_for(error.code):
        return wait_for(
            attempt, wait, error.code, error.message, error, duplicate_answers=duplicate_answers
        )
    return requeue(attempt, error, duplicate_answers=duplicate_answers)


# -- AWS made a token -----------------------------------------------------------------------------


def _tried(attempt: Attempt, created: CreatedToken) -> dict[str, str]:
    """What came of trying the key, as a column; nothing where that is off. It fails no request.

    A worker that dies meanwhile leaves what one leaves that dies before it has stored: an unknown
    outcome. An attempt that is late by then does not try: its lease must not run out.
    """
    if not settings.SMOKE_TEST:
        return {}
    if time.monotonic() > attempt.started + TIME_TO_TRY_A_KEY:
        return {"smoke_test": smoke.NO_TIME}
    return {"smoke_test": smoke.try_key(attempt.token.workspace.address, created.key)}


def _seal_and_store(attempt: Attempt, created: CreatedToken, **tried: str) -> Effects:
    token = attempt.token
    sealed = _seal(created, token)
    if sealed is None:
        is_deleted = _delete_in_hand(token, created)
        return fail(attempt, ErrorCode.CANNOT_SEAL, is_known=is_deleted)
    effects = _store(attempt, created, *sealed, tried)
    if effects is None:
        # Somebody else has the row by now: nobody will ever get this key.
        _delete_in_hand(token, created)
    return effects or Effects()


def _seal(created: CreatedToken, token: Token) -> tuple[bytes, str] | None:
    """The key's ciphertext and fingerprint; None when it can't be sealed."""
    try:
        key = created.key.reveal()
        return sealing.seal(key, bytes(token.public_key), token.pk), sealing.fingerprint(key)
    except Exception as error:  # noqa: BLE001 (frames hold the key from here on: none may get out)
        log.error("key.not_sealed", extra={"token": str(token.pk), "error": type(error).__name__})
        return None


def _store(
    attempt: Attempt,
    created: CreatedToken,
    sealed_key: bytes,
    fingerprint: str,
    tried: dict[str, str],
) -> Effects | None:
    """Keep the sealed key; None when the attempt was lost, and the token in hand is nobody's."""
    token = attempt.token
    # The token's life began by AWS's clock, whatever ours says.
    issued_at = created.answered_at or timezone.now()
    return finish_if_held(
        attempt,
        moves.SEAL,
        aws_token_id=created.id,
        sealed_key=sealed_key,
        fingerprint=fingerprint,
        seconds_to_live=token.seconds_to_live,
        aws_request_id=created.request_id,
        issued_at=issued_at,
        expires_at=issued_at + timedelta(seconds=token.seconds_to_live),
        **attempt.knowledge(exists=True),
        **tried,
    )


def _delete_in_hand(token: Token, created: CreatedToken) -> bool:
    """Delete a token whose key nobody will ever get, by the id that only we have.

    False when AWS did not say that it did: then recovery does it again.
    """
    try:
        recover.remove(token, created.id, Gateway(token.workspace.connection))
    except (GrafanaError, NotYetError) as error:
        code = getattr(error, "code", type(error).__name__)
        log.warning("orphan.not_removed", extra={"token": str(token.pk), "code": code})
        return False
    return True
