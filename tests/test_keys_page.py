"""docs/KEYS.md names every secret that the portal is given."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECRET = re.compile(
    r'"([A-Z][A-Z_]*(?:KEY|RETIRED|SECRET|TOKEN|PASSWORD|STREAM|DATABASE_URL|BROKER_URL'
    r'|CACHE_URL|EMAIL_URL))"'
)
OTHERS = re.compile(
    r"AWS_.*"  # as one: "by AWS_* variables or files"
    r"|SANDBOX_.*|GENERATED_.*"  # of the stand-in, and made for it alone
    r"|EMAIL_HOST_PASSWORD"  # Django's name for a part of EMAIL_URL
    r"|SERVICE_ACCOUNT_TOKEN"  # AWS's name of a quota
)


def settings_that_are_secrets() -> set[str]:
    named = {
        name
        for path in (ROOT / "portal").rglob("*.py")
        for name in SECRET.findall(path.read_text())
    }
    return {name for name in named if not OTHERS.fullmatch(name)} | {"DATABASE_URL", "CACHE_URL"}


def test_every_setting_that_is_a_secret_is_on_the_page_of_keys() -> None:
    wanted = settings_that_are_secrets()
    assert {"SECRET_KEY", "AUDIT_KEY", "PORTAL_SCIM_TOKEN", "CELERY_BROKER_URL"} <= wanted
    page = (ROOT / "docs" / "KEYS.md").read_text()
    assert {name for name in wanted if f"`{name}`" not in page} == set()


def test_the_page_of_keys_is_found_from_where_operators_read() -> None:
    for name in ("OPERATIONS.md", "THREAT_MODEL.md"):
        assert "(KEYS.md)" in (ROOT / "docs" / name).read_text()
