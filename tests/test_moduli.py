"""A modulus that somebody else can factor is told from one that nobody can."""

import random

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from portal import moduli

GOOD = {
    bits: rsa.generate_private_key(public_exponent=65537, key_size=bits).private_numbers()
    for bits in (3072, 4096)
}
N = GOOD[3072].public_numbers.n
LARGEST_SMALL_PRIME = 65521
SMALLEST_LARGE_PRIME = 65537


@pytest.mark.parametrize("bits", GOOD)
def test_what_browsers_make_is_not_weak(bits: int) -> None:
    assert moduli.weakness(GOOD[bits].public_numbers.n) == ""


def test_an_even_modulus_is_weak() -> None:
    assert moduli.weakness(N + 1) == "is even."


@pytest.mark.parametrize("factor", [3, 5, 251, 257, 32749, LARGEST_SMALL_PRIME])
def test_a_prime_factor_below_65536_is_weak(factor: int) -> None:
    assert moduli.weakness(N * factor) == "has a prime factor below 65536."


def test_a_larger_prime_factor_is_not_looked_for() -> None:
    assert moduli.weakness(N * SMALLEST_LARGE_PRIME) == ""


def is_prime(number: int) -> bool:
    return all(pow(base, number - 1, number) == 1 for base in (2, 3, 5))


def next_prime(number: int) -> int:
    number |= 1
    while not is_prime(number):
        number += 2
    return number


@pytest.mark.parametrize("distance", [2, 1 << 100, 1 << 388])
def test_primes_that_lie_close_to_each_other_are_weak(distance: int) -> None:
    """Fermat's first step finds what differs by less than about the fourth root."""
    prime = GOOD[3072].p
    assert moduli.weakness(prime * next_prime(prime + distance)).startswith("is the product of two")


def test_the_square_of_a_prime_is_weak() -> None:
    assert moduli.weakness(GOOD[3072].p ** 2).startswith("is the product of two")


def roca_prime(bits: int, chance: random.Random) -> int:
    """As the paper says that Infineon's library made them: k * M + (65537^a mod M)."""
    product = 1
    for prime in moduli._PRIMES[:126]:
        product *= prime
    while True:
        power = pow(65537, chance.getrandbits(200), product)
        candidate = chance.getrandbits(bits - product.bit_length()) * product + power
        if is_prime(candidate):
            return candidate


def test_keys_of_the_form_of_roca_are_weak() -> None:
    chance = random.Random(1)
    modulus = roca_prime(1536, chance) * roca_prime(1536, chance)
    assert "ROCA" in moduli.weakness(modulus)
