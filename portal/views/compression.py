"""Which pages go over the wire compressed.

Whoever counts a compressed page's bytes, and can put words of their own on it, finds out letter by
letter what else is on it (BREACH). So it is done where no secret is on the page: Django masks the
form token anew each time. The desk has its calendar's key, and is compressed as long as its address
says nothing that the page repeats. Pages that show a second factor, and JSON that holds a sealed
key, stay as they are. Static files are compressed when they are collected. docs/DESIGN.md has what
a visit weighs.
"""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


def compressed(request: HttpRequest, response: HttpResponse) -> HttpResponseBase:
    """The answer as ``gzip_page`` sends it, for a view that decides by what it shows."""
    return GZipMiddleware(lambda _: response).process_response(request, response)
