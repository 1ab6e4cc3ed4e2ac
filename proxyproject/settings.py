"""Every setting of the project. What varies between installations comes from the environment (proxyproject/env.py)."""

import ipaddress
from datetime import timedelta
from pathlib import Path

import django_stubs_ext
from csp.constants import NONE, SELF
from django.utils.crypto import salted_hmac

from proxyproject import cors, env, secret_files
from proxyproject.databases import database_settings
from proxyproject.logs import LogFormat, logging_settings

django_stubs_ext.monkeypatch()  # before any model: classes of Django that take type parameters

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("VAR_DIR") or BASE_DIR / "var").absolute()

# --- Where it listens, and what follows from it

HOST = env.text("HOST", "127.0.0.1")
PORT = env.whole_number("PORT", 8000, at_least=1, at_most=65535)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


DEBUG = env.flag("DEBUG", default=False)
HTTPS_ONLY = env.flag("HTTPS_ONLY", default=not _is_loopback(HOST))
ALLOWED_HOSTS = env.comma_list("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]"))
CSRF_TRUSTED_ORIGINS = env.comma_list("CSRF_TRUSTED_ORIGINS")
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
CORS_ALLOWED_ORIGINS = env.comma_list("CORS_ALLOWED_ORIGINS")

# --- Secrets

DATABASE_URL = env.text("DATABASE_URL")
SECRET_KEY = secret_files.secret_key(VAR_DIR, may_make=not DATABASE_URL)
GATEWAY_ENCRYPTION_KEYS = secret_files.encryption_keys(VAR_DIR, may_make=not DATABASE_URL)

# --- The gateway's own

GATEWAY_VERSION = env.text("GATEWAY_VERSION", "0.1.0")
PUBLIC_PATHS = env.some_of(
    "PUBLIC_PATHS", ("/health", "/status", "/version", "/api/schema", "/api/docs"), ("/health", "/status", "/version")
)
DATA_UPLOAD_MAX_MEMORY_SIZE = None  # the one limit is the next line's, and holds before Django sees a body
GATEWAY_MAX_BODY_BYTES = env.whole_number("GATEWAY_MAX_BODY_BYTES", 32 * 1024 * 1024, at_least=1024)
GATEWAY_KEEP_CALLS_DAYS = env.whole_number("GATEWAY_KEEP_CALLS_DAYS", 0, at_most=36_500)  # 0: for ever
GATEWAY_SHUTDOWN_TIMEOUT = env.seconds("GATEWAY_SHUTDOWN_TIMEOUT", 30.0)

# --- What Django is made of here

INSTALLED_APPS = [
    "proxyproject",
    "storage",
    "accounts",
    "providers",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_ratelimit",
]
# The site lane's middleware. The gateway lane has its own, shorter chain: proxyproject/gateway_lane.py.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "proxyproject.private_answers.PrivateAnswers",
    "csp.middleware.CSPMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "proxyproject.urls"
GATEWAY_URLCONF = "proxyproject.gateway_urls"
ASGI_APPLICATION = "proxyproject.asgi.application"
APPEND_SLASH = False  # a redirect for a slash would lose a POST's body
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
            ]
        },
    }
]
DATABASES = {"default": database_settings(DATABASE_URL, VAR_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.text("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 2},  # seconds; a Redis that is silent is away
    }
    if REDIS_URL
    # Its stock 300 entries could be flushed by whoever tries many names, and the counts of failures with them.
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 100_000}}
}
# W001 knows only the Redis backend of another package; Django's own counts atomically too. E003 is right that the
# in-process cache is nobody else's: without REDIS_URL, each process counts tries by itself.
SILENCED_SYSTEM_CHECKS = ["django_ratelimit.W001", *([] if REDIS_URL else ["django_ratelimit.E003"])]

# --- People

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = ["accounts.lockout.LockoutBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "start"
SIGN_UP = env.flag("SIGN_UP", default=False)
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

SESSION_ENGINE = "accounts.sessions"
SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": salted_hmac("accounts.json_web_tokens", "", secret=SECRET_KEY, algorithm="sha256").hexdigest(),
    "ISSUER": "ai-gateway",
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
}

# --- Mail. Without EMAIL_HOST, or with a wildcard in ALLOWED_HOSTS, none is sent, and whoever forgot a password is told
# to ask an administrator.

EMAIL_HOST = env.text("EMAIL_HOST")
EMAIL_PORT = env.whole_number("EMAIL_PORT", 587, at_least=1, at_most=65535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_SSL = EMAIL_PORT == 465  # there TLS comes first, elsewhere by STARTTLS
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=EMAIL_PORT == 587) and not EMAIL_USE_SSL
EMAIL_TIMEOUT = 10  # seconds
# A link in a mail begins with the host name that was asked for: where any will do, a stranger could choose it.
ANSWERS_TO_ANY_HOST = any(host == "*" or host.startswith(".") for host in ALLOWED_HOSTS)
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", EMAIL_HOST_USER if "@" in EMAIL_HOST_USER else "gateway@localhost")

# --- Transport security

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True  # a script that sends a form finds the token in its page
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
_COOKIE_PREFIX = "__Host-" if HTTPS_ONLY else ""  # which no other host and no plain connection can set
SESSION_COOKIE_NAME = f"{_COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{_COOKIE_PREFIX}csrftoken"
CSRF_FAILURE_VIEW = "proxyproject.pages.problems.csrf_failure"
SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS_ONLY
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "connect-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

CORS_ALLOW_HEADERS = cors.ALLOWED_HEADERS
CORS_EXPOSE_HEADERS = cors.EXPOSED_HEADERS

# --- Static files, served by the process itself; no collecting step, so that a checkout runs as it is

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "proxyproject" / "static"]
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_AUTOREFRESH = False
SERVESTATIC_ALLOW_ALL_ORIGINS = False

# --- The API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["web.authentication.GatewayAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["web.envelope.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["web.parsers.JSONBodyParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "web.parsers.FirstRendererNegotiation",
    "DEFAULT_SCHEMA_CLASS": "web.schema.EnvelopeSchema",
    "EXCEPTION_HANDLER": "web.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "AI gateway",
    "DESCRIPTION": "One address, one token and one bill for every AI service that a team uses.",
    "VERSION": GATEWAY_VERSION,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "web.vendor_schema.add_vendor_paths",
    ],
}

# --- Logs

LOGGING_CONFIG = "logging.config.dictConfig"
_log_formats: tuple[LogFormat, ...] = ("json", "text")
LOGGING = logging_settings(env.one_of("LOG_FORMAT", _log_formats, "text" if _is_loopback(HOST) else "json"))
