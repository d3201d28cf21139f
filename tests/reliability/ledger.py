"""What came of the faults: the product's rows and events, AWS's own list, and what people hold."""

import requests

from tests.reliability.asked import UNDER_WAY, Asked
from tests.reliability.legal_order import fault_in
from tests.reliability.matrix import CREATE, FAULTS, Fault, Seen
from tests.reliability.records import Event, Row
from tests.reliability.stage import Stage


class Ledger:
    """Everything, read once, when all requests have come to their ends."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._rows = {row.id: row for row in stage.records.tokens()}
        self._events = stage.records.events()
        self._live = stage.sandbox.live_tokens()
        self._creates = [call for call in stage.sandbox.calls(CREATE) if call["effect"] == 200]
        self.seen = {
            fault.id: self._look(fault, stage.asked[fault.id])
            for fault in FAULTS
            if fault.id in stage.asked
        }

    def _look(self, fault: Fault, asked: Asked) -> Seen:
        row = self._rows[asked.id]
        live = [token for token in self._live if token["name"] == asked.name]
        events = [event for event in self._events if event.token_id == asked.id]
        told = [one.message for one in asked.told if one.state in UNDER_WAY]
        return Seen(
            end=row.state,
            seconds=asked.seconds,
            orphans=len([token for token in live if not self._is_accounted_for(row, token)]),
            deliveries=len(asked.keys),
            key_works=self._works(asked),
            told=list(dict.fromkeys(told)),
            told_at_the_end=asked.status()["message"],
            audit=[event.action for event in events],
            audit_fault=_fault_in(events, row.state),
            creates=len([call for call in self._creates if call["name"] == asked.name]),
            notes=self._stage.notes.get(fault.id, {}),
        )

    def _is_accounted_for(self, row: Row, token: dict[str, object]) -> bool:
        """Whether somebody holds its key: the person who was given it, or a stranger."""
        aws_id = str(token["id"])
        delivered = row.state == "active" and aws_id == row.aws_token_id
        return delivered or aws_id in self._stage.strangers

    def _works(self, asked: Asked) -> bool | None:
        if not asked.keys:
            return None
        [key, *_] = asked.keys
        with requests.Session() as http:
            http.trust_env = False
            answer = http.get(
                f"{self._stage.sandbox.url}/api/org",
                headers={"Authorization": f"Bearer {key}"},
                timeout=10,
            )
        return answer.status_code == 200

    # -- The whole ------------------------------------------------------------------------------

    @property
    def live_minus_delivered(self) -> int:
        """Live tokens at AWS, strangers' aside, minus keys that were delivered and not revoked."""
        ours = [token for token in self._live if str(token["id"]) not in self._stage.strangers]
        return len(ours) - len([row for row in self._rows.values() if row.state == "active"])

    @property
    def strangers_that_are_gone(self) -> set[str]:
        """AWS ids of strangers' tokens that do not live any more."""
        return self._stage.strangers - {str(token["id"]) for token in self._live}

    @property
    def unheard_of(self) -> list[str]:
        """AWS ids of tokens that AWS has made and the audit log does not speak of."""
        told = {
            (event.workspace, event.aws_token_id)
            for event in self._events
            if event.action in ("token.issued", "token.orphan_removed")
        }
        made = {(str(call["workspace_id"]), str(call["token_id"])) for call in self._creates}
        strangers = {(workspace, id) for workspace, id in made if id in self._stage.strangers}
        return sorted(id for _, id in made - told - strangers)

    @property
    def unknown_request_ids(self) -> list[str]:
        """AWS request ids in the log that AWS does not know."""
        known = {str(call["request_id"]) for call in self._stage.sandbox.calls()}
        named = {event.aws_request_id for event in self._events if event.aws_request_id}
        return sorted(named - known)


def _fault_in(events: list[Event], state: str) -> str:
    """What is wrong with one request's events, in the log's order; "" if nothing."""
    times = [event.at for event in events]
    if times != sorted(times):
        return f"the times do not grow: {times}"
    return fault_in([event.action for event in events], state)
