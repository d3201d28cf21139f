"""What is left to do once rows are committed: what every flow gives to tasks.follow_up."""

import uuid
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Effects:
    """Ids of what workers are to take up, and of the tokens whose pages are to hear of a change.

    Nothing depends on it: the rows say the same, and the sweep asks again for what nobody took.
    """

    issue: list[uuid.UUID] = field(default_factory=list)
    revoke: list[uuid.UUID] = field(default_factory=list)
    settle: list[uuid.UUID] = field(default_factory=list)
    prune: list[int] = field(default_factory=list)
    mail: list[int] = field(default_factory=list)
    password_mail: list[int] = field(default_factory=list)
    account_mail: list[int] = field(default_factory=list)
    lead_mail: list[int] = field(default_factory=list)
    inventory: list[int] = field(default_factory=list)
    end_listed: list[int] = field(default_factory=list)
    webhook: list[int] = field(default_factory=list)
    changed: list[uuid.UUID] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether anything is left to do."""
        return any(getattr(self, one.name) for one in fields(self))

    def __iadd__(self, other: "Effects") -> "Effects":
        for one in fields(self):
            getattr(self, one.name).extend(getattr(other, one.name))
        return self
