"""The web process calls no AWS, and so holds none of its credentials."""

import os
import sys

NAMES = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
    *("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
)
"""What botocore finds credentials by, of the environment."""
LEFT = "PORTAL_WEB_LEFT_BEHIND"
"""Set for the process that goes on: the names of what was taken away, never a value."""


def leave_behind() -> None:
    """Go on as the same process without AWS's credentials in its environment, if there are any.

    A variable that is only deleted stays in ``/proc/PID/environ``, so the program is started anew
    in its place: the same number and files, before anything else is loaded.
    """
    found = [name for name in NAMES if os.environ.get(name)]
    is_sandbox = os.environ.get("PORTAL_EMBEDDED") == "1" and (
        os.environ.get("AWS_ACCESS_KEY_ID") == "SANDBOX"
    )
    if not found or is_sandbox:
        return
    kept = {name: value for name, value in os.environ.items() if name not in NAMES}
    command = [sys.executable, *sys.orig_argv[1:]]
    os.execve(sys.executable, command, {**kept, LEFT: ", ".join(found)})  # noqa: S606 (no shell)


def left_behind() -> str:
    """The names of what was taken away, for the log; said once."""
    return os.environ.pop(LEFT, "")
