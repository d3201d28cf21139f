"""What becomes of files that somebody uploads: nothing, but for the one that a page reads."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile

READ = {("/access/plan/", "file")}
"""Addresses and fields whose file is read, and kept in memory alone while it is."""


class NoFiles(FileUploadHandler):
    """No form of the portal keeps files, so that nobody fills the disk with some.

    A whole body is at most DATA_UPLOAD_MAX_MEMORY_SIZE, and so is what a page reads of it.
    """

    def handle_raw_input(
        self,
        input_data: Any,  # noqa: ARG002 (Django's signature)
        META: dict[str, str],  # noqa: ARG002, N803 (Django's)
        content_length: int,
        boundary: str,  # noqa: ARG002 (Django's)
        encoding: str | None = None,  # noqa: ARG002 (Django's)
    ) -> None:
        if content_length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestDataTooBig

    def new_file(self, field_name: str, *rest: Any, **more: Any) -> None:
        path = getattr(self.request, "path_info", "")
        if (path, field_name) not in READ:
            raise SkipFile
        super().new_file(field_name, *rest, **more)
        self._read = bytearray()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:  # noqa: ARG002 (Django's)
        self._read += raw_data

    def file_complete(self, file_size: int) -> SimpleUploadedFile:  # noqa: ARG002 (Django's)
        return SimpleUploadedFile(self.file_name or "file", bytes(self._read))
