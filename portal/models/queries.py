"""Questions to the tokens' rows, by the names of the domain."""

import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.db import connections, models
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Now

from portal.models.lookups import HOLDS_NAME
from portal.models.people import Membership
from portal.models.prepared import Prepared
from portal.models.states import HOLDING_PLACE, OPEN, State

SURELY_OVER = timedelta(minutes=5)
"""How long before AWS's own clock a token must have ended to be deleted: ours may be fast."""
BATCH_SIZE = 200
"""Rows that one job of the sweep moves at once."""

if TYPE_CHECKING:
    from portal.models.tokens import Token


def has_left(person: str) -> Q:
    """That the person in this column has left the token's team, or may not sign in any more."""
    belongs = Membership.objects.filter(
        user=OuterRef(person), team=OuterRef("team"), user__is_active=True
    )
    return Q(**{f"{person}__isnull": False}) & ~Q(Exists(belongs))


def number_of(tokens: "TokenQuerySet", *, by: str) -> Coalesce:
    """How many of the tokens belong to a row of another question; ``by`` is what they name it by.

    Every row counts, not one of its columns: then an index tells alone.
    """
    number = tokens.order_by().values(by).annotate(number=Count("*")).values("number")
    return Coalesce(Subquery(number), 0, output_field=models.IntegerField())


class TokenQuerySet(models.QuerySet["Token"]):
    def for_pages(self) -> Self:
        """With everything that a page or an event names, in one query."""
        return self.select_related(
            "team", "owner", "workspace__connection", "service_account__workspace"
        )

    def with_successor(self) -> Self:
        """Each with what takes its place, if something does (``successor_id``, ``_name``)."""
        successor = self.model.objects.filter(
            state__in=HOLDING_PLACE, replaces=OuterRef("pk")
        ).order_by("-created_at")
        return self.annotate(
            successor_id=Subquery(successor.values("pk")[:1]),
            successor_name=Subquery(successor.values("name")[:1]),
        )

    def with_places(self) -> Self:
        """Each with where its key lies (``places``), asked for once for all of them."""
        return self.prefetch_related("places")

    def open(self) -> Self:
        return self.filter(state__in=OPEN)

    def replacements_of(self, token: "Token") -> Self:
        """What was to take this token's place, and still may or does."""
        return self.filter(state__in=HOLDING_PLACE, replaces=token)

    def holding_place(self, *, exempt: "Token | None" = None) -> Self:
        """Tokens, and requests for one, that count against the limits of a grant.

        A token and the one that takes its place are one: while the successor's key is on its way to
        the same person, and while the two overlap. Of a whole line of them only the last but one is
        free. ``exempt`` does not count, and takes no place: another is to be asked for in its own.
        """
        # Found by what they replace: by its owner, SQLite would read all tokens of a person for
        # each row (14 s for a team of 5,000 live tokens), so that column is no column here.
        holding = self.model.objects.filter(state__in=HOLDING_PLACE)
        # Of this line the last: nothing has its place, or is about to.
        last = holding.alias(whose=F("owner") + 0).filter(
            ~Exists(holding.filter(replaces=OuterRef("pk"))),
            replaces=OuterRef("pk"),
            revoke_at=None,
        )
        counted = self.filter(state__in=HOLDING_PLACE)
        if exempt is not None:
            last = last.exclude(pk=exempt.pk)
            counted = counted.exclude(pk=exempt.pk)
        overlaps = Q(revoke_at__isnull=False) & Exists(last)
        is_handed_on = Q(revoke_at=None) & Exists(last.filter(whose=OuterRef("owner")))
        return counted.exclude(overlaps | is_handed_on)

    def counting_at_aws(self) -> Self:
        """Rows that fill AMG's quota of their workspace, or soon will.

        Expired tokens count until they are deleted (AMG user guide, "Service account quotas").
        """
        return self.filter(HOLDS_NAME)

    def holding_name(self, workspace_id: int, name: str) -> Self:
        """Rows whose token has, or may still have, this name at AWS (see ``token_name_once``)."""
        return self.filter(HOLDS_NAME, workspace_id=workspace_id, name=name)

    def known_at_aws_as(self, workspaces: Iterable[int], aws_ids: Iterable[str]) -> Self:
        """Rows of these workspaces with one of AWS's ids, by the index that has those with any."""
        rows = self.filter(workspace__in=workspaces, aws_token_id__in=aws_ids)
        return rows.exclude(aws_token_id="")

    def lock_each(self) -> "list[Token]":
        """The rows, locked until the transaction ends, in the order in which everybody locks them.

        Locked first and read afterwards: see ``TokenManager.lock``.
        """
        list(self.order_by("pk").select_for_update(no_key=True).values_list("pk"))
        return list(self.for_pages().order_by("pk"))

    def lock_if_free(self, token_id: uuid.UUID) -> "Token | None":
        """The row, locked until the transaction ends, if it is one of these and nobody holds it."""
        locked = self.for_pages().select_for_update(of=("self",), no_key=True, skip_locked=True)
        return locked.filter(pk=token_id).first()

    def due(self) -> Self:
        """Not told to wait, by the database's clock."""
        return self.filter(Q(not_before=None) | Q(not_before__lte=Now()))

    def unsettled(self) -> Self:
        """With a create of unknown outcome that no further attempt will look into."""
        return self.filter(unresolved_since__isnull=False).exclude(
            state__in=(State.QUEUED, State.ISSUING, State.REVOKING)
        )

    def prunable(self) -> Self:
        """Ended by time, and still at AWS as far as we know."""
        # Said by the states that are not meant: few rows are not deleted, and most have ended.
        others = [state for state in State if state not in (State.EXPIRED, State.REVOKED)]
        return self.filter(
            deleted_at=None,
            # Ours is AWS's own end but for a fraction of a second, which its answers leave out.
            expires_at__lt=Now() - SURELY_OVER - timedelta(seconds=2),
        ).exclude(Q(aws_token_id="") | Q(state__in=others))

    def database_now(self) -> datetime:
        """The database's clock: the one by which leases and attempts are timed."""
        with connections[self.db].cursor() as cursor:
            cursor.execute("SELECT CURRENT_TIMESTAMP")
            now: datetime | str = cursor.fetchone()[0]
        # SQLite answers text, in UTC.
        return datetime.fromisoformat(f"{now}+00:00") if isinstance(now, str) else now

    def held(self, attempt: int) -> Self:
        """The rows that attempt number ``attempt`` still holds."""
        return self.filter(state=State.ISSUING, attempt=attempt)


_TokenManager = models.Manager.from_queryset(TokenQuerySet)


class TokenManager(_TokenManager["Token"]):
    """Single rows, besides what a queryset may be asked. All raise Token.DoesNotExist."""

    def __init__(self) -> None:
        super().__init__()
        self._bare = self._by_id(lambda rows, pk: rows.filter(pk=pk))
        self._for_pages = self._by_id(lambda rows, pk: rows.for_pages().filter(pk=pk))
        self._locked = self._by_id(lambda rows, pk: _locking(rows).filter(pk=pk))
        self._with_replaced = self._by_id(
            lambda rows, pk: (
                _locking(rows)
                .filter(Q(pk=pk) | Q(pk=Subquery(rows.filter(pk=pk).values("replaces")[:1])))
                .order_by("pk")
            )
        )

        self._ahead = Prepared(
            lambda connection_id, at: (
                self.filter(
                    state=State.QUEUED, queued_at__lt=at, workspace__connection=connection_id
                )
                .order_by()
                .values(all=Value(1))  # one group of all: ``count`` would ask at once
                .annotate(ahead=Count("pk"))
                .values_list("ahead")
            ),
            like=[-1, datetime.fromtimestamp(0, UTC)],
        )
        self._replacing = self._by_id(
            lambda rows, pk: rows.filter(replaces=pk).order_by("created_at")
        )
        # Not in their order: by it, SQLite would read all that the person has.
        self._named = Prepared(
            lambda owner_id, name: self.filter(owner=owner_id, name=name).order_by(),
            like=[-1, "-"],
        )

    def _by_id(
        self, ask: "Callable[[TokenQuerySet, uuid.UUID], TokenQuerySet]"
    ) -> "Prepared[Token, Token]":
        return Prepared(lambda pk: ask(self.all(), pk), like=[uuid.UUID(int=0)])

    def bare(self, token_id: uuid.UUID) -> "Token":
        """The row alone, for what is asked often and says little."""
        return self._one(self._bare, token_id)

    def for_page(self, token_id: uuid.UUID) -> "Token":
        """The row, with everything that a page or an event names."""
        return self._one(self._for_pages, token_id)

    def named(self, owner_id: int, name: str) -> "list[Token]":
        """All that a person has asked for under a name, the newest first."""
        found = self._named(owner_id, name)
        return sorted(found, key=lambda one: (one.created_at, one.pk), reverse=True)

    def replacing(self, token: "Token") -> "list[Token]":
        """All that were asked for in its place, whatever became of them, the oldest first."""
        return self._replacing(token.pk)

    def count_ahead_of(self, token: "Token") -> int:
        """How many requests wait for the same AWS account and region, and came earlier."""
        counted = self._ahead.one(token.workspace.connection_id, token.queued_at)
        return counted[0] if counted else 0

    def lock(self, token_id: uuid.UUID) -> "Token":
        """The row as ``for_page`` has it, locked until the transaction ends.

        SQLite needs no row lock: its transactions begin by taking the writer's lock. PostgreSQL
        drops a row from a join when it has waited for whoever gave it another owner: it is locked
        then, and found by asking again.
        """
        return self._locked.one(token_id) or self._one(self._locked, token_id)

    def lock_with_replaced(self, token_id: uuid.UUID) -> "tuple[Token, Token | None]":
        """The row and the one that it takes the place of, locked.

        One question, so that both are locked in the order in which everybody locks them.
        """
        for _ in range(2):  # see ``lock``
            locked = {row.pk: row for row in self._with_replaced(token_id)}
            token = locked.get(token_id)
            if token is not None and token.replaces_id is None:
                return token, None
            if token is not None and token.replaces_id in locked:
                return token, locked[token.replaces_id]
        raise self.model.DoesNotExist

    def _one(self, rows: "Prepared[Token, Token]", token_id: uuid.UUID) -> "Token":
        token = rows.one(token_id)
        if token is None:
            raise self.model.DoesNotExist
        return token


def _locking(rows: TokenQuerySet) -> TokenQuerySet:
    return rows.for_pages().select_for_update(of=("self",), no_key=True)
