"""Django's settings, read from the environment that docs/OPERATIONS.md describes.

*Embedded* (``make run``, or no DATABASE_URL): everything on this machine, in PORTAL_DATA_DIR.
*Production*: everything from the environment, and a missing setting stops the start.
"""

import os
from pathlib import Path
from urllib.parse import quote, urlsplit

from portal import (
    accounts,
    content_security,
    endpoints,
    environment,
    hosts,
    log_settings,
    mailbox,
    notice_days,
    streams,
    traces,
)
from portal.environment import read, refuse
from portal.openid_settings import settings as openid
from portal.saml_settings import saml
from portal.sign_in_settings import for_django, read_all, retired

BASE_DIR = Path(__file__).resolve().parent.parent

# -- Where and how it runs ----------------------------------------------------------------------

DATA_DIR = environment.directory("PORTAL_DATA_DIR", default=BASE_DIR / "var")
PORT = read("PORT", environment.whole_number(1, 65535), default="8000", wanted="a port, 1-65535")
EMBEDDED = environment.is_embedded()
if EMBEDDED:
    environment.load_embedded_secrets(DATA_DIR)

DEBUG = False
SECRET_KEY = read("SECRET_KEY", environment.secret, wanted="a random text of 32 or more characters")
AUDIT_KEY = read("AUDIT_KEY", environment.secret, wanted="a random text of 32 or more characters")
AUDIT_KEYS_RETIRED = retired("AUDIT_KEYS_RETIRED", "audit")
SECRET_KEY_FALLBACKS = retired("SECRET_KEYS_RETIRED", "secret")
PORTAL_ORIGIN = read(
    "PORTAL_ORIGIN",
    environment.origin,
    default=f"http://127.0.0.1:{PORT}" if EMBEDDED else None,
    wanted="the address people open, such as https://tokens.example.com",
)
ALLOWED_HOSTS = read(
    "ALLOWED_HOSTS",
    endpoints.hosts(PORTAL_ORIGIN),
    default=f"{urlsplit(PORTAL_ORIGIN).hostname},127.0.0.1,localhost,[::1]" if EMBEDDED else None,
    wanted="names alone, separated by commas, such as tokens.example.com",
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
else:
    environment.require_regions("AWS_REGION", "AWS_DEFAULT_REGION")
INVENTORY_SECONDS = environment.number("PORTAL_INVENTORY_SECONDS", 0, 86_400, default=900)
CONTACT = environment.text("PORTAL_CONTACT")
TOKEN_QUOTA = environment.number("PORTAL_TOKEN_QUOTA", 1, 100_000, default=100)
SMOKE_TEST = environment.on_or_off("PORTAL_SMOKE_TEST", default="off")
EXPIRY_NOTICE_DAYS = read(
    "PORTAL_EXPIRY_NOTICE_DAYS", notice_days.parse, default="7,1", wanted=notice_days.WANTED
)
UNCLAIMED_SECONDS = environment.number("PORTAL_UNCLAIMED_SECONDS", 1, 86_400, default=900)
RATE_LIMITS = environment.on_or_off("PORTAL_RATE_LIMITS", default="on")
REQUESTS_PER_HOUR = environment.number("PORTAL_REQUESTS_PER_HOUR", 1, 100_000, default=60)
"""Of tokens, by one person."""
AUDIT_ADDRESSES = environment.on_or_off("PORTAL_AUDIT_ADDRESSES", default="on")
"""Whether events keep the address and the browser of who acts: personal data."""
AUDIT_HEAD_FILE = environment.text(
    "PORTAL_AUDIT_HEAD_FILE", default=str(DATA_DIR / "audit-heads.jsonl") if EMBEDDED else ""
)
AUDIT_HEAD_MAIL = read(
    "PORTAL_AUDIT_HEAD_MAIL", mailbox.several, default="", wanted=mailbox.SEVERAL
)
AUDIT_HEAD_SECONDS = environment.number("PORTAL_AUDIT_HEAD_SECONDS", 1, 86_400, default=3600)
AUDIT_STREAM = read("PORTAL_AUDIT_STREAM", streams.parse, default="", wanted=streams.A_STREAM)
WEBHOOK_NETWORKS = read("PORTAL_WEBHOOK_NETWORKS", hosts.networks, default="", wanted=hosts.CIDR)
MONITOR_TOKEN = environment.text("PORTAL_MONITOR_TOKEN")
SCIM_TOKEN = environment.text("PORTAL_SCIM_TOKEN")
if not EMBEDDED:
    environment.require_strong(SECRET_KEY, AUDIT_KEY, MONITOR_TOKEN, SCIM_TOKEN)
PASSWORD_SIGN_IN = environment.on_or_off("PORTAL_PASSWORD_SIGN_IN", default="on")
SAML = saml(origin=PORTAL_ORIGIN)
TRACES = traces.endpoint()
OPENID, SIGN_IN_PORT, HAS_OWN_PROVIDER = openid(
    port=PORT, beside_sandbox=EMBEDDED and GRAFANA == "sandbox" and SAML is None
)
STEP_UP_SECONDS = environment.number("PORTAL_STEP_UP_SECONDS", 1, 86_400, default=300)
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
    endpoints.database,
    default=f"sqlite:///{quote(os.fsencode(DATA_DIR / 'portal.sqlite3'))}" if EMBEDDED else None,
    wanted=environment.A_DATABASE,
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
MAIL = read(
    "EMAIL_URL",
    endpoints.mail,
    default=f"filemail://{quote(os.fsencode(DATA_DIR / 'mails'))}" if EMBEDDED else None,
    wanted="a URL such as smtp+tls://user:password@host:587",
)
EMAIL_BACKEND, EMAIL_FILE_PATH = MAIL.backend, MAIL.file_path
EMAIL_HOST, EMAIL_PORT = MAIL.host, MAIL.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL.user, MAIL.password
EMAIL_USE_TLS, EMAIL_USE_SSL = MAIL.use_tls, MAIL.use_ssl
EMAIL_TIMEOUT = 10
WITHOUT_TLS = [
    name for name in environment.URLS if environment.on_or_off(f"{name}_WITHOUT_TLS", default="off")
]
"""The URLs that may lead to another machine without TLS (portal/unwise.py)."""
DEFAULT_FROM_EMAIL = SERVER_EMAIL = read(
    "PORTAL_MAIL_FROM",
    mailbox.sender,
    default="portal@localhost",
    wanted="the address that mails come from, such as tokens@example.com",
)

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
    "allauth.mfa",
    "allauth.socialaccount",
    "csp",
    "django_structlog",
]
MIDDLEWARE = [
    "portal.middleware.ProgramsNeedHttpsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.views.staticfiles.OtherVersionsMiddleware",
    "portal.views.accounts.display.DisplayMiddleware",  # around all that draws pages
    "portal.turns.TurnsMiddleware",  # behind static files, which need no turn
    "portal.middleware.PersonalPagesMiddleware",
    "portal.middleware.ConflictMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "portal.middleware.KnownHostMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.views.accounts.known_browsers.KnownBrowserMiddleware",
    "portal.middleware.LimitsMiddleware",
    "portal.middleware.PasswordsMiddleware",
    "portal.middleware.StepUpMiddleware",
    "portal.middleware.SignInRequiredMiddleware",  # before CSRF: the anonymous are told to sign in
    "portal.views.accounts.wanted_factor.WantedFactorMiddleware",
    "portal.views.accounts.activity.ActivityMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.views.outage.RequestMiddleware",
]
ROOT_URLCONF, WSGI_APPLICATION = "portal.urls", "portal.wsgi.application"
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
                "portal.context_processors.every_page",
                "portal.display.in_templates",
            ],
            "builtins": [f"portal.templatetags.{one}" for one in ("pages", "lists", "fixed_urls")],
        },
    }
]
USE_I18N = USE_TZ = True
TIME_ZONE, LANGUAGE_CODE = "UTC", "en"

STATIC_URL, STATICFILES_DIRS = "/static/", [BASE_DIR / "static"]
STATIC_ROOT = Path(environment.text("PORTAL_STATIC_ROOT", default=str(DATA_DIR / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "portal.views.staticfiles.ModuleManifestStorage"},
}
WHITENOISE_MAX_AGE = 3600

# -- Sign-in ------------------------------------------------------------------------------------

AUTH_USER_MODEL = "portal.User"
AUTHENTICATION_BACKENDS = ["portal.views.signin.Backend"]
LOGIN_URL, LOGIN_REDIRECT_URL = "account_login", "/tokens/"
globals().update(accounts.settings(limits=RATE_LIMITS))
SIGN_IN = read_all(embedded=EMBEDDED)
globals().update(for_django(SIGN_IN, step_up_seconds=STEP_UP_SECONDS))
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
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "portal.views.errors.csrf_failure"
SECURE_HSTS_SECONDS = 63_072_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_SSL_REDIRECT = HTTPS
# Monitors and load balancers ask from inside, without TLS; SCIM's view refuses by itself.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$", r"^scim/v2"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
FILE_UPLOAD_HANDLERS = ["portal.uploads.NoFiles"]
CONTENT_SECURITY_POLICY = content_security.POLICY

# -- Logs ---------------------------------------------------------------------------------------

LOG_LEVEL = log_settings.level(embedded=EMBEDDED)
LOGGING_CONFIG, LOGGING = "portal.logs.configure", {"level": LOG_LEVEL, "as_json": not EMBEDDED}
globals().update(log_settings.DJANGO_STRUCTLOG)
# Over plain http these can't be set (HSTS, the redirect to https, Secure cookies). Whether plain
# http may be is asked by portal/unwise.py, which knows this machine from others.
_NEED_HTTPS = ["security.W004", "security.W008", "security.W012", "security.W016"]
SILENCED_SYSTEM_CHECKS = [] if HTTPS else _NEED_HTTPS
