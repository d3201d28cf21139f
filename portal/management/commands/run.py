"""``make run``: the whole product on one machine, in the foreground."""

import os
import signal
import time
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.embedded import demo, preparation, product
from portal.embedded.processes import Process, StartError, say, stop, wait_for


class _StopAsked(BaseException):
    """A signal asks us to stop.

    Not an :class:`Exception`: a library that catches those to go on would swallow it.
    """


class Command(BaseCommand):
    help = "Runs web, worker, scheduler, broker and sandbox until it is stopped."
    requires_system_checks = ()  # they import every page, and this serves none

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.EMBEDDED:
            os.environ["PORTAL_EMBEDDED"] = "1"  # the processes below need not guess it
        self.servers: list[Process] = []
        self.application: list[Process] = []
        self.stop_asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        try:
            with product.alone():
                try:
                    self._start()
                    self._keep_alive()
                finally:
                    for number in (signal.SIGTERM, signal.SIGINT):
                        signal.signal(number, signal.SIG_IGN)
                    # What serves the others goes last.
                    stop(self.application)
                    stop(self.servers)
        except _StopAsked:
            say("Stopped.")
        except StartError as error:
            raise CommandError(str(error)) from None

    def _ask_to_stop(self, *_: object) -> None:
        self.stop_asked = True
        raise _StopAsked

    def _start(self) -> None:
        product.require_room()
        servers = [one for one in (product.broker(), product.sandbox()) if one is not None]
        product.require_free_ports(servers)
        preparation.require_access_file()
        if (provider := product.sign_in()) is not None:
            servers.append(provider)
        for server in servers:
            self.servers.append(server)
            server.start()
        preparation.prepare_database()
        preparation.require_admin()
        product.collect_static_files()
        for server in self.servers:
            wait_for(server.name, partial(product.is_ready, server), server.has_died)
        for problem in preparation.prepare_catalog():
            say(f"warning: {problem}")
        for process in product.application():
            self.application.append(process)
            process.start()
        web = self.application[0]
        wait_for(web.name, product.is_healthy, web.has_died)
        self._banner()

    def _keep_alive(self) -> None:
        # Asked while it started, inside of a library that swallows whatever is raised there.
        while not self.stop_asked:
            for process in (*self.servers, *self.application):
                process.keep_alive()
            time.sleep(0.2)
        raise _StopAsked

    def _banner(self) -> None:
        """Where to click, and whom to sign in as."""
        say(f"\nThe portal runs: {settings.PORTAL_ORIGIN}/")
        if settings.DEMO_PASSWORD:
            say(f"Sign in with the password  {settings.DEMO_PASSWORD}  as")
            for email, what in demo.PEOPLE.items():
                say(f"  {email:<24} {what}")
        if settings.HAS_OWN_PROVIDER:
            say("or press “Continue with single sign-on” there, and choose who you are.")
        if settings.GRAFANA == "sandbox":
            say(f"Its keys work on the sandbox: http://127.0.0.1:{settings.SANDBOX_PORT}/api/org")
        say("Ctrl-C stops everything.\n")
