"""An admin's standing permission to delete expired tokens that nobody here issued."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from portal import policy, requester
from portal.flows.permit_pruning import permit_pruning
from portal.limits import table
from portal.models import Workspace
from portal.views.accounts.step_up import require_step_up
from portal.views.inventory.index import require_inventory
from portal.views.limiting import limited
from portal.views.way_back import posted_from


@posted_from("inventory")
@limited(table.ENDS)
def permit(request: HttpRequest) -> HttpResponse:
    """POST ``workspace``: give it. It ends more than one token: that wants a fresh sign-in."""
    workspace = _find(request)
    require_step_up(request)
    if permit_pruning(workspace, actor=requester.actor(request), is_permitted=True):
        messages.success(request, "Expired tokens that nobody here issued are removed from now on.")
    return _back(workspace)


@posted_from("inventory")
@limited(table.ENDS)
def forbid(request: HttpRequest) -> HttpResponse:
    """POST ``workspace``: withdraw it."""
    workspace = _find(request)
    if permit_pruning(workspace, actor=requester.actor(request), is_permitted=False):
        messages.success(request, "The permission is withdrawn: nothing is removed by itself here.")
    return _back(workspace)


def _find(request: HttpRequest) -> Workspace:
    user = requester.person(request)
    require_inventory(user)
    policy.require(policy.may_permit_pruning, user, None)
    asked = request.POST.get("workspace", "").replace("\0", "")
    workspace = Workspace.objects.filter(aws_id=asked).first()
    if workspace is None:
        raise Http404
    return workspace


def _back(workspace: Workspace) -> HttpResponse:
    return redirect(f"{reverse('inventory')}?{urlencode({'workspace': workspace.aws_id})}")
