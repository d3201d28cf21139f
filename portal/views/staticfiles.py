"""Static files under names that change with their content, so that browsers keep them for ever."""

import mimetypes
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from whitenoise.storage import CompressedManifestStaticFilesStorage

from portal import static_versions


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):
    """Also rewrites the imports of ES modules to the hashed names, and remembers addresses.

    A page names about twenty files, and each has one address for as long as a process lives.
    """

    support_js_module_import_aggregation = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._urls: dict[str, str] = {}

    def url(self, name: str, force: bool = False) -> str:
        if force:
            return str(super().url(name, force))
        if name not in self._urls:
            self._urls[name] = super().url(name)
        return self._urls[name]


class OtherVersionsMiddleware:
    """Answers for a file that only another version has, which serves beside this one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        name = request.path_info.removeprefix(settings.STATIC_URL)
        if name == request.path_info or not static_versions.is_name(name):
            return self.get_response(request)
        content = static_versions.of_another(name)
        if content is None:
            return HttpResponse(
                "This version has no such file.\n",
                status=404,
                content_type="text/plain; charset=utf-8",
                headers={"Cache-Control": "no-store"},
            )
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += '; charset="utf-8"'  # as WhiteNoise writes it
        kept = {
            "Cache-Control": f"max-age={settings.WHITENOISE_MAX_AGE}, public",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        return HttpResponse(content, content_type=kind, headers=kept)
