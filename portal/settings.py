"""Django's settings, read from the environment that docs/OPERATIONS.md describes.

*Embedded* (``make run``, or no DATABASE_URL): everything on this machine, in PORTAL_DATA_DIR.
*Production*: everything from the environment, and a missing setting stops the start.
"""

import logging
import os
from pathlib import Path
from urllib.parse import quote, urlsplit

from csp.constants import NONE, SELF

from portal import accounts, environment
from portal.environment import read, refuse

BASE_DIR = Path(__file__).resolve().parent.parent

# -- Where and how it runs ----------------------------------------------------------------------

DATA_DIR = environment.directory("PORTAL_DATA_DIR", default=BASE_DIR / "var")
PORT = read("PORT", environment.whole_number(1, 65535), default="8000", wanted="a port, 1-65535")
EMBEDDED = ("DATABASE_URL" not in os.environ and "DATABASE_URL_FILE" not in os.environ) or (
    read("PORTAL_EMBEDDED", environment.one_of("0", "1"), default="0", wanted="0 or 1") == "1"
)
if EMBEDDED:
    environment.load_embedded_secrets(DATA_DIR)

DEBUG = False
SECRET_KEY = read("SECRET_KEY", environment.secret, wanted="a random text of 32 or more characters")
AUDIT_KEY = read("AUDIT_KEY", environment.secret, wanted="a random text of 32 or more characters")
AUDIT_KEYS_RETIRED = read(
    "AUDIT_KEYS_RETIRED",
    environment.secrets_or_none,
    default="",
    wanted="the audit keys that were in use before, separated by commas",
)
PORTAL_ORIGIN = read(
    "PORTAL_ORIGIN",
    environment.origin,
    default=f"http://127.0.0.1:{PORT}" if EMBEDDED else None,
    wanted="the address people open, such as https://tokens.example.com",
)
ALLOWED_HOSTS = read(
    "ALLOWED_HOSTS",
    environment.words,
    default=f"{urlsplit(PORTAL_ORIGIN).hostname},127.0.0.1,localhost,[::1]" if EMBEDDED else None,
    wanted="host names, separated by commas",
)
TRUSTED_PROXIES = environment.number("PORTAL_TRUSTED_PROXIES", 0, 10, default=0)

# -- What the product is told -------------------------------------------------------------------

GRAFANA = read(
    "PORTAL_GRAFANA",
    environment.one_of("sandbox", "aws"),
    default="sandbox" if EMBEDDED else "aws",
    wanted="sandbox or aws",
)
SANDBOX_PORT = read(
    "PORTAL_SANDBOX_PORT",
    environment.whole_number(1, 65535),
    default=str(PORT + 1 if PORT < 65535 else PORT - 1),
    wanted="a port, 1-65535",
)
if GRAFANA == "sandbox":
    environment.point_at_sandbox(SANDBOX_PORT)
INVENTORY_SECONDS = environment.number("PORTAL_INVENTORY_SECONDS", 0, 86_400, default=900)
CONTACT = environment.text("PORTAL_CONTACT")
"""How the people who run this portal are reached, as pages say it; may be empty."""
TOKEN_QUOTA = environment.number("PORTAL_TOKEN_QUOTA", 1, 100_000, default=100)
UNCLAIMED_SECONDS = environment.number("PORTAL_UNCLAIMED_SECONDS", 1, 86_400, default=900)
RATE_LIMITS = read("PORTAL_RATE_LIMITS", environment.switch, default="on", wanted="on or off")
REQUESTS_PER_HOUR = environment.number("PORTAL_REQUESTS_PER_HOUR", 1, 100_000, default=60)
"""Of tokens, by one person."""
AUDIT_ADDRESSES = read(
    "PORTAL_AUDIT_ADDRESSES", environment.switch, default="on", wanted="on or off"
)
"""Whether events keep the address and the browser of who acts: personal data."""
AUDIT_HEAD_FILE = environment.text(
    "PORTAL_AUDIT_HEAD_FILE", default=str(DATA_DIR / "audit-heads.jsonl") if EMBEDDED else ""
)
AUDIT_HEAD_MAIL = read(
    "PORTAL_AUDIT_HEAD_MAIL",
    environment.mail_addresses,
    default="",
    wanted="mail addresses, separated by commas",
)
AUDIT_HEAD_SECONDS = environment.number("PORTAL_AUDIT_HEAD_SECONDS", 1, 86_400, default=3600)
MONITOR_TOKEN = environment.text("PORTAL_MONITOR_TOKEN")
PASSWORD_SIGN_IN = environment.on_or_off("PORTAL_PASSWORD_SIGN_IN", default="on")
DEMO_PASSWORD = environment.text("PORTAL_DEMO_PASSWORD") or (
    environment.text("GENERATED_DEMO_PASSWORD") if EMBEDDED and GRAFANA == "sandbox" else ""
)
EXTRA_REGIONS = environment.regions("PORTAL_EXTRA_REGIONS")
"""Regions that the access file may name although botocore does not know AMG there."""
ACCESS_FILE = environment.text("PORTAL_ACCESS_FILE")
if DEMO_PASSWORD and not EMBEDDED:
    refuse("PORTAL_DEMO_PASSWORD", "makes demo people, and production has none: unset it")
TASK_TIME_LIMIT = 30
"""Seconds after which a task is ended: above AWS's timeout (10), below a claim's lease (45)."""
WORKER_PROCESSES = environment.number("PORTAL_WORKER_PROCESSES", 1, 256, default=12)

# -- Database, broker, cache, mail --------------------------------------------------------------

DATABASE = read(
    "DATABASE_URL",
    environment.database,
    default=f"sqlite:///{DATA_DIR / 'portal.sqlite3'}" if EMBEDDED else None,
    wanted="a URL such as postgres://user:password@host/name",
)
DATABASES = {"default": DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# A Unix socket's path may be 107 bytes long; a data directory may be deeper than that.
_SOCKET = DATA_DIR / "broker.sock"
_SOCKET_PATH = os.fsencode(_SOCKET)
BROKER_SOCKET = _SOCKET if len(_SOCKET_PATH) < 100 else None
BROKER_PORT = read(
    "PORTAL_BROKER_PORT",
    environment.whole_number(1, 65535),
    default=str(PORT + 2 if PORT < 65534 else PORT - 2),
    wanted="a port, 1-65535",
)
BROKER = read(
    "CELERY_BROKER_URL",
    environment.broker,
    default=(
        (f"unix://{quote(_SOCKET_PATH)}" if BROKER_SOCKET else f"redis://127.0.0.1:{BROKER_PORT}")
        if EMBEDDED
        else None
    ),
    wanted=environment.A_BROKER,
)
CACHE = read("CACHE_URL", environment.broker, default=BROKER.url, wanted=environment.A_BROKER)
CELERY_BROKER_URL, CACHE_URL = BROKER.kombu_url, CACHE.url
CACHES = {
    "default": {
        "BACKEND": "portal.cache.SteadyRedisCache",
        "LOCATION": [CACHE.url],  # a list: Django would split a text at each comma
        "KEY_PREFIX": "portal",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
}
globals().update(
    read(
        "EMAIL_URL",
        environment.mail,
        default=f"filemail:///{DATA_DIR / 'mails'}" if EMBEDDED else None,
        wanted="a URL such as smtp+tls://user:password@host:587",
    )
)
DEFAULT_FROM_EMAIL = SERVER_EMAIL = environment.text("PORTAL_MAIL_FROM", default="portal@localhost")

# -- Django -------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "portal",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "csp",
    "django_structlog",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.turns.TurnsMiddleware",  # behind static files, which need no turn
    "portal.middleware.PersonalPagesMiddleware",
    "portal.middleware.ConflictMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "portal.middleware.KnownHostMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.views.accounts.known_browsers.KnownBrowserMiddleware",
    "portal.middleware.LimitsMiddleware",
    "portal.middleware.SignInRequiredMiddleware",  # before CSRF: the anonymous are told to sign in
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.views.outage.RequestMiddleware",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context_processors.csrf_token",
                "portal.context_processors.contact",
            ],
            "builtins": [
                "portal.templatetags.pages",
                "portal.templatetags.lists",
                "portal.templatetags.fixed_urls",
            ],
        },
    }
]
USE_I18N = USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

STATIC_URL = "/static/"
STATIC_ROOT = Path(environment.text("PORTAL_STATIC_ROOT", default=str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "portal.views.staticfiles.ModuleManifestStorage"},
}
WHITENOISE_MAX_AGE = 3600

# -- Sign-in ------------------------------------------------------------------------------------

AUTH_USER_MODEL = "portal.User"
AUTHENTICATION_BACKENDS = ["portal.views.signin.Backend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/tokens/"
globals().update(accounts.settings(limits=RATE_LIMITS))
REFUSAL_SECONDS = 1.0
"""A wrong password is refused after this time, or later: that somebody exists costs some
milliseconds of it, which nobody can see."""
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES

# -- The edge -----------------------------------------------------------------------------------

HTTPS = PORTAL_ORIGIN.startswith("https://")
CSRF_TRUSTED_ORIGINS = [PORTAL_ORIGIN]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
SESSION_ENGINE = "portal.sessions"
MESSAGE_STORAGE = "portal.message_storage.MessageStorage"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "portal.views.errors.csrf_failure"
SECURE_HSTS_SECONDS = 63_072_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_SSL_REDIRECT = HTTPS
# A monitor and a load balancer ask from inside, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
FILE_UPLOAD_HANDLERS = ["portal.uploads.NoFiles"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        **{f"{kind}-src": [SELF] for kind in ("script", "style", "img", "font", "connect")},
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# -- Logs ---------------------------------------------------------------------------------------

LOGGING_CONFIG = "portal.logs.configure"
LOG_LEVEL = read(
    "PORTAL_LOG_LEVEL",
    environment.one_of("DEBUG", "INFO", "WARNING", "ERROR"),
    # Under `make run` the terminal belongs to the address and the sign-ins that it prints.
    default="WARNING" if EMBEDDED else "INFO",
    wanted="DEBUG, INFO, WARNING or ERROR",
)
LOGGING = {"level": LOG_LEVEL, "as_json": not EMBEDDED}
DJANGO_STRUCTLOG_CELERY_ENABLED = False
# It would look for the person outside every view, where without a database no page can be shown;
# SignInRequiredMiddleware tells the log who it is.
DJANGO_STRUCTLOG_USER_ID_FIELD = None
# It would believe any X-Forwarded-For; the same middleware tells the log the address, too.
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO  # people mistype; that is no trouble of ours
# The embedded default is plain http on the loopback address; over https all of them are set.
_NEED_HTTPS = ["security.W004", "security.W008", "security.W012", "security.W016"]
SILENCED_SYSTEM_CHECKS = [] if HTTPS else _NEED_HTTPS
