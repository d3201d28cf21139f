"""Logs: one line an event, and nothing shaped like a key in any of them."""

import logging
import logging.config
import re
import time
from typing import Any

import structlog

KEY_SHAPE = re.compile(r"glsa_\w+")
MASK = "glsa_(hidden)"
LINK_SHAPE = re.compile(
    r"(/accounts/(?:(?:invitation|password/reset/key)/|oidc/sso/login/callback/\?)"
    r"|/team/[\w-]+/ends\.ics\?)[^/\s'\"]+"
)
"""Links that set a password or open a calendar, and answers of single sign-on: whoever reads one
before its person uses it has a part of what it takes."""


def mask(text: str) -> str:
    """The text without anything that looks like a Grafana key."""
    return KEY_SHAPE.sub(MASK, text)


class MaskingFormatter(structlog.stdlib.ProcessorFormatter):
    """Masks what looks like a Grafana key, or a link that sets a password, in the finished line,
    tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return LINK_SHAPE.sub(r"\1(hidden)", mask(super().format(record)))


class SeldomFilter(logging.Filter):
    """Lets Celery say once a minute that its broker is away, and not several times a second."""

    SECONDS = 60.0
    ABOUT = ("consumer: ", "Frequent restarts")

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        text = str(record.msg)
        if not text.startswith(self.ABOUT):
            return True
        record.exc_info = None  # of the loop that tries again
        last, self._said[text] = self._said.get(text), time.monotonic()
        if last is not None and self._said[text] - last < self.SECONDS:
            self._said[text] = last
            return False
        return True


class ToldElsewhereFilter(logging.Filter):
    """Takes the traceback from what is no fault of the code, and can come as often as others like.

    A request that Django refuses is its sender's (``django.security``); credentials that can't be
    had (``botocore.credentials``) are an event of ours, with the reason.
    """

    ABOUT = ("django.security.", "botocore.credentials")

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith(self.ABOUT):
            record.exc_info = None
        return True


def in_one_line(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Nothing that somebody sent begins a line of its own where lines are for people."""
    event["event"] = str(event.get("event", "")).replace("\r", "\\r").replace("\n", "\\n")
    return event


def one_event_a_request(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Drop django_structlog's first event of a request: the second tells it all."""
    if event.get("event") == "request_started":
        raise structlog.DropEvent
    return event


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def formatter(*, as_json: bool) -> MaskingFormatter:
    """What every handler of a process writes its lines with, those of libraries included."""
    last: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [
            in_one_line,
            structlog.dev.ConsoleRenderer(
                colors=False,
                # The prettier ones print local variables, and one of them may be a key.
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ]
    )
    return MaskingFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )


def configure(options: dict[str, Any]) -> None:
    """Set up logging; Django calls this with settings.LOGGING as LOGGING_CONFIG says."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            one_event_a_request,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"masked": {"()": formatter, "as_json": options["as_json"]}},
            "filters": {
                "seldom": {"()": SeldomFilter},
                "told elsewhere": {"()": ToldElsewhereFilter},
            },
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "formatter": "masked",
                    "filters": ["told elsewhere"],
                }
            },
            "root": {"handlers": ["stderr"], "level": options["level"]},
            "loggers": {
                # At DEBUG these print what AWS answered, and an answer may hold a key.
                "botocore": {"level": "WARNING"},
                "urllib3": {"level": "WARNING"},
                # Every request is one event already (django_structlog).
                "django.server": {"level": "WARNING"},
                "django.request": {"level": "ERROR"},
                "celery.worker.consumer.consumer": {"filters": ["seldom"]},
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.app.trace": {"level": "WARNING"},
            },
        }
    )
