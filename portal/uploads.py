"""What becomes of files that somebody uploads: nothing."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler, SkipFile


class NoFiles(FileUploadHandler):
    """No form of the portal takes files, so that nobody fills the disk with some."""

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

    def new_file(self, *_: Any, **__: Any) -> None:
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:  # noqa: ARG002 (Django's)
        return raw_data

    def file_complete(self, file_size: int) -> None:  # noqa: ARG002 (Django's)
        return None
