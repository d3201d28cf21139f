"""Logs: nothing shaped like a key leaves the process, however it got into an event."""

import json

import pytest

from portal import logs
from tests.product import run_python

KEY = f"glsa_{'Ab1' * 11}_0a1b2c3d"

EVENTS = {
    "in the message": "log.error('made ' + KEY)",
    "as an argument": "log.error('made %s', KEY)",
    "in an extra": "log.error('made', extra={'answer': {'key': KEY}})",
    "as bytes": "log.error('made', extra={'body': KEY.encode()})",
    "in JSON": "log.error('made', extra={'body': '{\"key\":\"' + KEY + '\"}'})",
    "in structlog": "structlog.get_logger('portal').error('made ' + KEY, key=KEY)",
    "in an exception": """
try:
    raise ValueError(KEY)
except ValueError:
    log.exception('broken')
""",
    "in what caused an exception": """
try:
    try:
        raise ValueError(KEY)
    except ValueError as error:
        raise RuntimeError('broken') from error
except RuntimeError:
    structlog.get_logger('portal').exception('broken')
""",
    "in a note of an exception": """
try:
    error = ValueError('broken')
    error.add_note(KEY)
    raise error
except ValueError:
    log.exception('broken')
""",
    "in a warning": "warnings.warn(KEY)",
    "bound to the request": """
structlog.contextvars.bind_contextvars(request='GET /?key=' + KEY)
log.error('made')
""",
}


def printed(code: str, *, as_json: bool, level: str = "DEBUG") -> str:
    """What a fresh process prints that has set up its logs and then does this."""
    done = run_python(
        "import logging, structlog, warnings\n"
        "from portal import logs\n"
        f"KEY = {KEY!r}\n"
        f"logs.configure({{'level': {level!r}, 'as_json': {as_json}}})\n"
        "logging.captureWarnings(True)\n"
        f"log = logging.getLogger('portal.flows.issue')\n{code}"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "console"])
@pytest.mark.parametrize("code", EVENTS.values(), ids=EVENTS)
def test_a_key_is_masked(code: str, as_json: bool) -> None:
    said = printed(code, as_json=as_json)
    assert "Ab1" not in said
    assert logs.MASK in said


def test_a_traceback_shows_no_local_variables() -> None:
    code = """
def seal(secret):
    raise ValueError('broken')
try:
    seal('not shaped like a key')
except ValueError:
    log.exception('broken')
"""
    for as_json in (True, False):
        said = printed(code, as_json=as_json)
        assert "ValueError: broken" in said
        assert "not shaped like a key" not in said


def test_every_line_is_one_json_event() -> None:
    said = printed(
        "log.warning('sweep.late', extra={'seconds': 3})\nlog.info('two\\nlines')", as_json=True
    )
    first, second = map(json.loads, said.splitlines())
    assert (first["event"], first["level"], first["seconds"]) == ("sweep.late", "warning", 3)
    assert first["logger"] == "portal.flows.issue"
    assert first["timestamp"].endswith("Z")
    assert second["event"] == "two\nlines"


def test_no_text_of_a_request_begins_a_line_of_its_own_on_a_terminal() -> None:
    said = printed("log.warning('refused: %s', 'x\\r\\n2026 [error] broken')", as_json=False)
    assert len(said.splitlines()) == 1
    assert r"refused: x\r\n2026" in said


@pytest.mark.parametrize("name", ["django.security.DisallowedHost", "botocore.credentials"])
def test_what_is_no_fault_of_the_code_has_one_line(name: str) -> None:
    code = f"""
try:
    raise ValueError("refused")
except ValueError:
    logging.getLogger({name!r}).error("refused", exc_info=True)
"""
    said = printed(code, as_json=False)
    assert len(said.splitlines()) == 1
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["botocore.parsers", "urllib3.connectionpool"])
def test_what_prints_answers_of_aws_is_silent_even_at_debug(name: str) -> None:
    code = f"logging.getLogger({name!r}).debug('Response body: %s', KEY)"
    assert printed(code, as_json=True) == ""


@pytest.mark.parametrize(
    "text",
    [KEY, f"{KEY}\n", f"<{KEY}>", "glsa_short", f"x{KEY}", f"{KEY}{KEY}"],
)
def test_whatever_begins_like_a_key_is_masked(text: str) -> None:
    masked = logs.mask(text)
    assert "Ab1" not in masked
    assert "short" not in masked
    assert logs.MASK in masked


def test_other_text_stays_as_it_is() -> None:
    assert logs.mask("glsa is a prefix, and glc_abc another") == (
        "glsa is a prefix, and glc_abc another"
    )
