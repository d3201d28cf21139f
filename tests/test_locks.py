"""What the portal locks with its own secret, to read it again."""

import pytest

from portal import sealing

SECRETS = ["a" * 50, "b" * 50]


def test_what_is_locked_opens_with_any_of_the_secrets_that_were_in_use() -> None:
    locked = sealing.lock("a seed", purpose="seeds", secrets=SECRETS[1:])
    assert "a seed" not in locked
    assert sealing.unlock(locked, purpose="seeds", secrets=SECRETS) == "a seed"
    assert sealing.is_locked_with(locked, purpose="seeds", secret=SECRETS[1])
    assert not sealing.is_locked_with(locked, purpose="seeds", secret=SECRETS[0])


def test_the_first_secret_is_the_one_in_use() -> None:
    locked = sealing.lock("a seed", purpose="seeds", secrets=SECRETS)
    assert sealing.is_locked_with(locked, purpose="seeds", secret=SECRETS[0])


@pytest.mark.parametrize(
    ("purpose", "secrets"), [("codes", SECRETS), ("seeds", SECRETS[1:]), ("seeds", ["c" * 50])]
)
def test_neither_another_purpose_nor_another_secret_opens_it(
    purpose: str, secrets: list[str]
) -> None:
    locked = sealing.lock("a seed", purpose="seeds", secrets=SECRETS[:1])
    with pytest.raises(sealing.CannotUnlockError):
        sealing.unlock(locked, purpose=purpose, secrets=secrets)


@pytest.mark.parametrize("change", [lambda text: text[:-5] + "AAAA=", lambda _: "", lambda _: "é"])
def test_what_was_changed_does_not_open(change: "type[str]") -> None:
    locked = sealing.lock("a seed", purpose="seeds", secrets=SECRETS)
    with pytest.raises(sealing.CannotUnlockError):
        sealing.unlock(change(locked), purpose="seeds", secrets=SECRETS)


def test_it_opens_for_so_long_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    locked = sealing.lock("codes", purpose="codes", secrets=SECRETS)
    monkeypatch.setattr("time.time", lambda: 1_000_600.0)
    assert sealing.unlock(locked, purpose="codes", secrets=SECRETS, within=600) == "codes"
    monkeypatch.setattr("time.time", lambda: 1_000_601.0)
    with pytest.raises(sealing.CannotUnlockError):
        sealing.unlock(locked, purpose="codes", secrets=SECRETS, within=600)


def test_slow_hashes_differ_by_salt_and_text() -> None:
    hashes = {sealing.slow_hash(text, salt) for text in "ab" for salt in "xy"}
    assert len(hashes) == 4
    assert sealing.slow_hash("a", "x") in hashes
