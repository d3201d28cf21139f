"""What the logs are told by the environment, and by whom django-structlog is not to be told."""

import logging

from portal import environment

DJANGO_STRUCTLOG = {
    "DJANGO_STRUCTLOG_CELERY_ENABLED": False,
    # It would look for the person outside every view, where without a database no page can be
    # shown; SignInRequiredMiddleware tells the log who it is.
    "DJANGO_STRUCTLOG_USER_ID_FIELD": None,
    # It would believe any X-Forwarded-For; the same middleware tells the log the address, too.
    "DJANGO_STRUCTLOG_IP_LOGGING_ENABLED": False,
    # People mistype; that is no trouble of ours.
    "DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL": logging.INFO,
}


def level(*, embedded: bool) -> str:
    """Under ``make run`` the terminal belongs to the address and the sign-ins that it prints."""
    return environment.read(
        "PORTAL_LOG_LEVEL",
        environment.one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        default="WARNING" if embedded else "INFO",
        wanted="DEBUG, INFO, WARNING or ERROR",
    )
