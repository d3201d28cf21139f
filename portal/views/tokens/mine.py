"""A person's own tokens."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from portal import policy, requester
from portal.models import State, Token
from portal.views import paging
from portal.views.paging import load_tokens
from portal.views.tokens import orders
from portal.views.tokens.new import try_again_url

MOST_OFFERS = 20
"""That are named at once; the others follow when these are answered."""


@gzip_page
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The person's own tokens, in the order that the address asks for (``sort``)."""
    user = requester.person(request)
    order = orders.order(request.GET.get("sort", ""))
    own = Token.objects.filter(owner=user)
    page = paging.page(orders.in_order(own, order.sort), request.GET.get("page"), load_tokens)
    waiting = (
        policy.approvable_tokens(user) if policy.reach(user).approves else Token.objects.none()
    )
    offers = policy.offered_to(user)[:MOST_OFFERS]
    last = page.object_list[0] if page.object_list and not page.previous else None
    if last is not None and order.sort:
        last = own.for_pages().order_by("-created_at", "-id").first()
    context = {
        "page": page,
        "order": order,
        "orders": orders.ORDERS,
        "waiting": waiting.count(),
        "offers": offers,
        "can_renew_several": sum(map(_is_renewable, page)) > 1,
        "same_url": try_again_url(last) if last is not None else "",
    }
    return render(request, "tokens/index.html", context)


def _is_renewable(token: Token) -> bool:
    """As far as the list knows, which is loaded with what takes each one's place."""
    has_successor = getattr(token, "successor_id", None) is not None
    return token.state == State.ACTIVE and token.revoke_at is None and not has_successor
