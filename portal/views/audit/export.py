"""Exports: exactly the filter, streamed while it is read."""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal import requester
from portal.audit import keys
from portal.audit.chain import TOLD, Link, export_lines
from portal.flows.export_audit import Export, export_audit
from portal.forms.audit import AuditFilterForm
from portal.limits import table
from portal.reading.events import stream
from portal.reading.filters import Filter
from portal.views.accounts.step_up import stepped_up
from portal.views.audit.log import auditors_only
from portal.views.limiting import limited
from portal.views.spreadsheet import lines

CSV_COLUMNS = ["seq", "at", *TOLD, "prev_hash", "hash"]


@require_safe
@auditors_only
@stepped_up
@limited(table.EXPORTS, ("GET",))
def as_csv(request: HttpRequest) -> HttpResponseBase:
    """A table for people. It proves nothing: see ``as_jsonl``."""
    form = AuditFilterForm(request.GET)
    if not form.is_valid():
        return refuse(request, form)
    if request.method == "HEAD":
        return download(iter(()), "csv", "text/csv; charset=utf-8")
    export = export_audit(form.wanted, "csv", actor=requester.actor(request))
    return download(_csv(form.wanted, export), "csv", "text/csv; charset=utf-8")


@require_safe
@auditors_only
@stepped_up
@limited(table.EXPORTS, ("GET",))
def as_jsonl(request: HttpRequest) -> HttpResponseBase:
    """The stored texts with their hashes and a signed trailer: ``verify_audit`` checks the file."""
    form = AuditFilterForm(request.GET)
    if not form.is_valid():
        return refuse(request, form)
    if request.method == "HEAD":
        return download(iter(()), "jsonl", "application/jsonl")
    wanted = form.wanted
    export = export_audit(wanted, "jsonl", actor=requester.actor(request))
    links = stream(wanted, list(Link._fields), up_to=export.head.seq)
    told = export_lines(
        map(Link._make, links),
        key=keys.current(),
        filters=wanted.terms(),
        head=export.head,
        at=export.at,
    )
    return download(told, "jsonl", "application/jsonl")


def refuse(request: HttpRequest, form: AuditFilterForm) -> HttpResponse:
    """422 with what is wrong beside its field."""
    return render(request, "audit/index.html", {"form": form}, status=422)


def download(content: Iterator[bytes], kind: str, content_type: str) -> StreamingHttpResponse:
    """A file to keep."""
    return StreamingHttpResponse(
        content,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="audit.{kind}"'},
    )


def _csv(wanted: Filter, export: Export) -> Iterator[bytes]:
    columns = ["token_id" if name == "token" else name for name in CSV_COLUMNS]
    return lines(CSV_COLUMNS, stream(wanted, columns, up_to=export.head.seq))
