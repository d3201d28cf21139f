"""What a token costs in CPU time: unlike a latency, it hardly depends on who else is at work."""

import contextlib
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.product import Product


@dataclass(slots=True)
class Cost:
    """CPU milliseconds that a token costs each part of the product, and the load generator."""

    product: Product
    spent: dict[str, float] = field(default_factory=dict)
    tokens: int = 0

    @contextlib.contextmanager
    def of(self, tokens: int) -> Iterator[None]:
        before = self._now()
        yield
        for name, seconds in self._now().items():
            self.spent[name] = self.spent.get(name, 0.0) + seconds - before.get(name, 0.0)
        self.tokens += tokens

    def per_token(self) -> dict[str, float]:
        return {
            name: round(1000 * seconds / self.tokens, 1)
            for name, seconds in sorted(self.spent.items())
        }

    def _now(self) -> dict[str, float]:
        ours = resource.getrusage(resource.RUSAGE_SELF)
        spent = {"load generator": ours.ru_utime + ours.ru_stime}
        for process in self.product.processes():
            stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            seconds = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
            spent[process.name] = spent.get(process.name, 0.0) + seconds
        return spent
