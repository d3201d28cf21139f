"""All that the sandbox is made of, in one place: what its doors read and change."""

import asyncio
import time
from dataclasses import dataclass, field

from portal.grafana.sandbox.calls import Calls
from portal.grafana.sandbox.catalog import Catalog
from portal.grafana.sandbox.database import Database
from portal.grafana.sandbox.faults import Faults
from portal.grafana.sandbox.seed import Seed
from portal.grafana.sandbox.settings import Settings
from portal.grafana.sandbox.sigv4 import Credentials
from portal.grafana.sandbox.tokens import Tokens
from portal.grafana.sandbox.wire import Response


@dataclass(slots=True)
class World:
    credentials: Credentials
    database: Database
    seed: Seed
    url: str = ""
    """``http://host:port``, known once the server listens."""
    settings: Settings = field(default_factory=Settings)
    faults: Faults = field(default_factory=Faults)
    calls: Calls = field(default_factory=Calls)
    late_effects: set[asyncio.Task[Response]] = field(default_factory=set)
    catalog: Catalog = field(init=False)
    tokens: Tokens = field(init=False)

    def __post_init__(self) -> None:
        self.catalog = Catalog(self.database)
        self.tokens = Tokens(self.database)
        if not self.catalog.workspaces(after=0, limit=1):
            self._sow()

    def now(self) -> float:
        """AWS's time, in epoch seconds: it stamps answers and tokens, and ends tokens."""
        return self.signature_now() + self.database.advanced_seconds

    def signature_now(self) -> float:
        """The time signatures are held against: the clock that was moved ahead would refuse all."""
        return time.time() + self.settings.skew_seconds

    def reset(self, *, data: bool) -> None:
        """Forget settings, faults, calls and effects still to come; with `data`, seed anew."""
        for task in self.late_effects:
            task.cancel()
        self.settings = Settings()
        self.faults.clear()
        self.calls.clear()
        if data:
            self.database.erase()
            self._sow()

    def _sow(self) -> None:
        with self.database.transaction():
            self.seed.sow(self.catalog, self.tokens, now=self.now())
