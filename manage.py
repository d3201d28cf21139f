#!/usr/bin/env python
"""Django's command line for the portal."""

import os
import signal
import sys

if sys.argv[1:2] == ["run"]:
    # Until it can stop what it has started there is nothing to stop: no traceback for a Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from django.core.management import execute_from_command_line
from django.db import Error

from portal import outage

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    try:
        execute_from_command_line(sys.argv)
    except (Error, OSError) as trouble:
        line = None if "--traceback" in sys.argv else outage.of_a_command(trouble)
        if line is None:
            raise
        sys.exit(line)
