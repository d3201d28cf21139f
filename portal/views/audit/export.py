"""Exports: exactly the filter, streamed while it is read."""

import csv
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.audit import keys
from portal.audit.chain import TOLD, Link, export_lines, moment
from portal.flows.export_audit import Export, export_audit
from portal.limits import table
from portal.reading.events import stream
from portal.reading.filters import Filter
from portal.views import edge
from portal.views.audit.filters import AuditFilterForm
from portal.views.audit.log import auditors_only
from portal.views.limiting import limited

CSV_COLUMNS = ["seq", "at", *TOLD, "prev_hash", "hash"]
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
ROWS_AT_A_TIME = 500


@require_safe
@auditors_only
@limited(table.EXPORTS, ("GET",))
def as_csv(request: HttpRequest) -> HttpResponseBase:
    """A table for people. It proves nothing: see ``as_jsonl``."""
    form = AuditFilterForm(request.GET)
    if not form.is_valid():
        return _refuse(request, form)
    if request.method == "HEAD":
        return _download(iter(()), "csv", "text/csv; charset=utf-8")
    export = export_audit(form.wanted, "csv", actor=edge.actor(request))
    return _download(_csv(form.wanted, export), "csv", "text/csv; charset=utf-8")


@require_safe
@auditors_only
@limited(table.EXPORTS, ("GET",))
def as_jsonl(request: HttpRequest) -> HttpResponseBase:
    """The stored texts with their hashes and a signed trailer: ``verify_audit`` checks the file."""
    form = AuditFilterForm(request.GET)
    if not form.is_valid():
        return _refuse(request, form)
    if request.method == "HEAD":
        return _download(iter(()), "jsonl", "application/jsonl")
    wanted = form.wanted
    export = export_audit(wanted, "jsonl", actor=edge.actor(request))
    links = stream(wanted, list(Link._fields), up_to=export.head.seq)
    lines = export_lines(
        map(Link._make, links),
        key=keys.current(),
        filters=wanted.terms(),
        head=export.head,
        at=export.at,
    )
    return _download(lines, "jsonl", "application/jsonl")


def _refuse(request: HttpRequest, form: AuditFilterForm) -> HttpResponse:
    return render(request, "audit/index.html", {"form": form}, status=422)


def _download(content: Iterator[bytes], kind: str, content_type: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        content,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="audit.{kind}"'},
    )


# -- CSV ----------------------------------------------------------------------------------------


class _Lines(list[str]):
    """What csv.writer takes for a file."""

    write = list[str].append


def _csv(wanted: Filter, export: Export) -> Iterator[bytes]:
    """Lines as RFC 4180 has them, some hundred at a time."""
    columns = ["token_id" if name == "token" else name for name in CSV_COLUMNS]
    lines = _Lines()
    writer = csv.writer(lines)
    writer.writerow(CSV_COLUMNS)
    for row in stream(wanted, columns, up_to=export.head.seq):
        writer.writerow(map(_cell, row))
        if len(lines) >= ROWS_AT_A_TIME:
            yield "".join(lines).encode()
            lines.clear()
    yield "".join(lines).encode()


def _cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula: an apostrophe stands before what begins like
    one (OWASP, "CSV Injection")."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA_STARTS) else value
    return moment(value) if isinstance(value, datetime) else value
