"""What happens when a token is issued: claim, call AWS, seal, store.

AWS is called outside any transaction. A create is sent once: whenever its outcome is not known, the
row goes back to the queue marked as unresolved, and the next attempt reconciles before it creates
again (AMG_API, the recovery rule).
"""

import logging
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from portal import audit, pace, policy, sealing
from portal.audit import SYSTEM
from portal.flows import recover
from portal.flows.standing import APPROVAL_NEEDED_NOW, NOT_GRANTED, turn_back
from portal.gateway import Gateway, NotYetError
from portal.grafana.errors import ConflictException, GrafanaError, ThrottlingException
from portal.grafana.types import CreatedToken
from portal.models import Action, Outcome, State, Token

TIME_TO_START_A_CALL = 12.0
"""Seconds after the claim until which a call to AWS may begin: it takes at most 10 s more, and the
task is ended at 30 s."""
TIME_TO_STORE = 15.0
"""Seconds for which storing a sealed key is tried again while the database can't be reached."""
MOST_DUPLICATE_ANSWERS = 5

log = logging.getLogger(__name__)

NAME_TAKEN = "NameTaken"
CANNOT_SEAL = "CannotSeal"


def issue(token_id: uuid.UUID) -> bool:
    """Try once to turn a queued request into a sealed key; returns whether the row changed.

    Does nothing when another worker has the row. Every outcome is written to the row; raises only
    when the database can't be reached, and then leaves the row to recovery.
    """
    try:
        token = Token.objects.for_page(token_id)
    except Token.DoesNotExist:
        return False
    # What waits for people changes meanwhile; what is queued stays as it was read until a claim.
    if token.state != State.QUEUED or not Token.objects.claim(token_id, token.attempt + 1):
        return False
    _Attempt(token).run()
    return True


class _Attempt:
    """One claimed attempt. ``token`` is the row as it stood before the claim, one attempt later."""

    def __init__(self, token: Token) -> None:
        self.started = time.monotonic()
        token.attempt += 1
        self.token = token
        self.was_unresolved = token.unresolved_since is not None

    def run(self) -> None:
        token = self.token
        gateway = Gateway(token.workspace.connection, until=self.started + TIME_TO_START_A_CALL)
        try:
            if self.was_unresolved:
                found = recover.remove_orphans(token, gateway)
                if token.duplicate_answers and not found:
                    self._fail(NAME_TAKEN)
                    return
        except GrafanaError as error:
            # Nothing was created by this attempt; what was unknown before stays so.
            self._put_back(error)
            return
        except NotYetError as later:
            self._put_back(None, seconds=later.seconds)
            return
        if not self._still_granted():
            return
        try:
            created = gateway.create_token(
                token.workspace.aws_id,
                token.service_account.aws_id,
                name=token.name,
                seconds_to_live=token.seconds_to_live,
            )
        except NotYetError as later:
            self._put_back(None, seconds=later.seconds)
        except GrafanaError as error:
            self._refused(error)
        else:
            self._store(created)

    # -- Before the call ------------------------------------------------------------------------

    def _still_granted(self) -> bool:
        """Ask policy again: a grant may have gone, shrunk or come to need approval."""
        token = self.token
        standing = policy.standing(token)
        obstacle = token.service_account.obstacle
        if not standing.is_granted or (standing.needs_approval and not self.was_unresolved):
            known = self._knowledge(known=True, exists=False)
            self._finish(lambda row: turn_back(row, standing, lease_until=None, **known))
            return False
        if obstacle or standing.needs_approval:
            self._fail(NOT_GRANTED, obstacle or APPROVAL_NEEDED_NOW)
            return False
        seconds = standing.seconds_to_live
        return token.seconds_to_live == seconds or self._shorten(seconds)

    def _shorten(self, seconds: int) -> bool:
        """Ask for no more than today's limit, and write that down before AWS hears of it.

        What an unknown outcome has left is known by its lifetime: that must not change any more.
        """
        if self.was_unresolved:
            self._fail(NOT_GRANTED, f"The team may ask for at most {seconds} seconds now.")
            return False
        self.token.seconds_to_live = seconds
        held = Token.objects.held(self.token.attempt).filter(pk=self.token.pk)
        return bool(held.update(seconds_to_live=seconds))

    # -- AWS said no, or nothing ----------------------------------------------------------------

    def _refused(self, error: GrafanaError) -> None:
        if error.outcome_unknown:
            self._put_back(error, unresolved=True, duplicate_answers=0)
        elif error.speaks_of_existing_name:
            answers = self.token.duplicate_answers + 1
            if self.was_unresolved and answers < MOST_DUPLICATE_ANSWERS:
                self._put_back(error, duplicate_answers=answers)
            else:
                self._fail(NAME_TAKEN, error.message, error)
        elif error.retryable or isinstance(error, ThrottlingException | ConflictException):
            self._put_back(error, duplicate_answers=0)
        else:
            self._fail(error.code, error.message, error)

    def _put_back(
        self,
        error: GrafanaError | None,
        *,
        unresolved: bool = False,
        seconds: float = 0.0,
        **fields: int,
    ) -> None:
        """Back to the queue, to be tried again by whoever comes first after ``seconds`` or more."""
        wait = pace.backoff(self.token.attempt, least=error.retry_after or 0.0) if error else 0.0

        def write(row: Token) -> None:
            state = State.CANCELLED if row.cancel_requested else State.QUEUED
            row.move_to(
                state,
                lease_until=None,
                not_before=Now() + timedelta(seconds=max(seconds, wait)),
                rung_at=None,
                error_code=error.code[:80] if error else "",
                error_message=error.message[:500] if error else "",
                aws_request_id=error.request_id[:100] if error else "",
                **fields,
                **self._knowledge(known=not unresolved, exists=False),
            )

        self._finish(write)

    def _fail(
        self, code: str, message: str = "", error: GrafanaError | None = None, *, known: bool = True
    ) -> None:
        def write(row: Token) -> None:
            request_id = error.request_id[:100] if error else ""
            row.move_to(
                State.CANCELLED if row.cancel_requested else State.FAILED,
                lease_until=None,
                error_code=code[:80],
                error_message=message[:500],
                aws_request_id=request_id,
                **self._knowledge(known=known, exists=False),
            )
            if row.state == State.FAILED:  # a withdrawal is on record already
                audit.record(
                    Action.TOKEN_FAILED,
                    actor=SYSTEM,
                    outcome=Outcome.FAILED,
                    token=row,
                    aws_request_id=request_id,
                    error_code=code,
                    reason=message,
                )

        self._finish(write)

    # -- AWS made a token -----------------------------------------------------------------------

    def _store(self, created: CreatedToken) -> None:
        token = self.token
        sealed = _seal(created, token)
        if sealed is None:
            self._fail(CANNOT_SEAL, known=self._delete_in_hand(created))
            return
        sealed_key, fingerprint = sealed
        issued_at = created.answered_at or timezone.now()

        def write(row: Token) -> None:
            end = {"sealed_key": sealed_key, "sealed_at": Now()}
            row.move_to(
                State.REVOKING if row.cancel_requested else State.SEALED,
                **({} if row.cancel_requested else end),
                lease_until=None,
                rung_at=None,
                fingerprint=fingerprint,
                seconds_to_live=token.seconds_to_live,
                aws_token_id=created.id,
                aws_request_id=created.request_id,
                issued_at=issued_at,
                expires_at=issued_at + timedelta(seconds=token.seconds_to_live),
                error_code="",
                error_message="",
                **self._knowledge(known=True, exists=True),
            )
            audit.record(
                Action.TOKEN_ISSUED,
                actor=SYSTEM,
                token=row,
                aws_request_id=created.request_id,
            )

        if not self._finish(write, aws_token_id=created.id):
            self._delete_in_hand(created)

    def _delete_in_hand(self, created: CreatedToken) -> bool:
        """Delete a token whose key nobody will ever get, by the id that only we have.

        False when AWS did not say that it did: then recovery does it again.
        """
        try:
            recover.remove(self.token, created.id, Gateway(self.token.workspace.connection))
        except (GrafanaError, NotYetError) as error:
            code = getattr(error, "code", type(error).__name__)
            extra = {"token": str(self.token.pk), "code": code}
            log.warning("orphan.not_removed", extra=extra)
            return False
        return True

    # -- Writing the outcome --------------------------------------------------------------------

    def _knowledge(self, *, known: bool, exists: bool) -> dict[str, object]:
        """What this attempt's outcome says about AWS: an earlier unknown outcome stays unknown."""
        if known and not self.was_unresolved:
            return {
                "may_exist_at_aws": exists,
                "unresolved_since": None,
                "last_signature_at": None,
            }
        return {}

    def _finish(self, write: Callable[[Token], object], *, aws_token_id: str = "") -> bool:
        """Write an outcome if the attempt is still held; False when it was lost.

        When the commit's own outcome is unknown, the row is read again: nothing is done twice.
        """
        deadline = time.monotonic() + TIME_TO_STORE
        while True:
            try:
                with transaction.atomic():
                    row = Token.objects.lock(self.token.pk)
                    if row.state == State.ISSUING and row.attempt == self.token.attempt:
                        write(row)
                        return True
                    return bool(aws_token_id) and row.aws_token_id == aws_token_id
            except (OperationalError, InterfaceError):
                connection.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


def _seal(created: CreatedToken, token: Token) -> tuple[bytes, str] | None:
    """The key's ciphertext and fingerprint; None when it can't be sealed."""
    try:
        key = created.key.reveal()
        return sealing.seal(key, bytes(token.public_key), token.pk), sealing.fingerprint(key)
    except Exception as error:  # noqa: BLE001 (frames hold the key from here on: none may get out)
        log.error("key.not_sealed", extra={"token": str(token.pk), "error": type(error).__name__})
        return None
