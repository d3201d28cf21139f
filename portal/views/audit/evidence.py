"""What was alive at a moment, to print and to prove."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal import requester
from portal.audit import keys
from portal.audit.chain import Link, export_lines
from portal.flows.export_audit import export_audit
from portal.forms.audit import AuditFilterForm
from portal.limits import table
from portal.reading.as_of import events_of
from portal.reading.events import stream_of
from portal.views.accounts.step_up import stepped_up
from portal.views.audit import as_of
from portal.views.audit.export import download, refuse
from portal.views.audit.log import auditors_only
from portal.views.limiting import limited


@require_safe
@auditors_only
@stepped_up
@limited(table.EXPORTS, ("GET",))
def as_html(request: HttpRequest) -> HttpResponse:
    """One page to print: who held what then, where the log stood, how to verify it offline."""
    form = _form(request)
    if not form.is_valid():
        return refuse(request, form)
    if request.method == "HEAD":
        return HttpResponse()
    context = as_of.context(form, most=None)
    export = export_audit(
        form.wanted, "as-of.html", actor=requester.actor(request), count=context["held_count"]
    )
    return render(request, "audit/evidence.html", context | {"export": export})


@require_safe
@auditors_only
@stepped_up
@limited(table.EXPORTS, ("GET",))
def as_jsonl(request: HttpRequest) -> HttpResponseBase:
    """All that the log had said by then of the tokens that were alive, signed like any export."""
    form = _form(request)
    if not form.is_valid():
        return refuse(request, form)
    wanted = form.wanted
    if request.method == "HEAD" or wanted.as_of is None:
        return download(iter(()), "jsonl", "application/jsonl")
    held = as_of.held(form)
    export = export_audit(wanted, "as-of.jsonl", actor=requester.actor(request), count=len(held))
    events = stream_of(events_of(held, wanted.as_of), list(Link._fields), up_to=export.head.seq)
    told = export_lines(
        map(Link._make, events),
        key=keys.current(),
        filters=wanted.terms(),
        head=export.head,
        at=export.at,
    )
    return download(told, "jsonl", "application/jsonl")


def _form(request: HttpRequest) -> AuditFilterForm:
    form = AuditFilterForm(request.GET)
    form.fields["as_of"].required = True
    return form
