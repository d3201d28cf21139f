"""RSA moduli that others can factor. Numbers alone: 0.6 ms for 4096 bits.

What is looked for: an even number, a prime factor below 2^16, primes of the form that Infineon's
library made (ROCA, CVE-2017-15361), and primes so close to each other that Fermat's method finds
them (CVE-2022-26320).
"""

from math import gcd, isqrt, prod

SMALL_FACTORS_BELOW = 1 << 16
FERMAT_STEPS = 100
"""Keys that were found in the wild gave way within a few."""

_GENERATOR = 65537


def weakness(modulus: int) -> str:
    """What is wrong with the modulus, as a sentence goes on after "The modulus"; empty if nothing.

    A product of two large random primes is never refused but by a chance of 2^-27.
    """
    if modulus % 2 == 0:
        return "is even."
    if gcd(modulus, _SMALL_PRIMES) != 1:
        return f"has a prime factor below {SMALL_FACTORS_BELOW}."
    if all(modulus % prime in powers for prime, powers in _POWERS):
        return "has the form of keys that can be factored (ROCA, CVE-2017-15361)."
    if _has_close_primes(modulus):
        return "is the product of two numbers that lie too close to each other."
    return ""


def _has_close_primes(modulus: int) -> bool:
    """Fermat: modulus = a² - b² = (a + b)(a - b), tried for the smallest values of a."""
    a = isqrt(modulus - 1) + 1
    square = a * a - modulus
    for _ in range(FERMAT_STEPS):
        # Most numbers are no square by their last six bits; the root would take longer.
        if square & 63 in _LAST_BITS_OF_SQUARES and isqrt(square) ** 2 == square:
            return True
        square += 2 * a + 1
        a += 1
    return False


def _primes_below(end: int) -> list[int]:
    is_prime = bytearray([1]) * end
    is_prime[:2] = bytes(2)
    for number in range(2, isqrt(end) + 1):
        if is_prime[number]:
            is_prime[number * number :: number] = bytes(len(range(number * number, end, number)))
    return [number for number in range(end) if is_prime[number]]


def _powers(prime: int) -> frozenset[int]:
    """The powers of 65537 modulo a prime, one of which is every modulus of the form of ROCA."""
    found, power = set(), 1
    while power not in found:
        found.add(power)
        power = power * _GENERATOR % prime
    return frozenset(found)


_PRIMES = _primes_below(SMALL_FACTORS_BELOW)
# Of parts that are as long as each other: one after another would take ten times as long.
_SMALL_PRIMES = prod(prod(_PRIMES[part::64]) for part in range(64))
_LAST_BITS_OF_SQUARES = frozenset(number * number & 63 for number in range(64))
# Of Nemec et al., "The Return of Coppersmith's Attack", 2017: the primes of all key sizes from 512
# bits on. Those of which every remainder is a power tell nothing, and are left out.
_POWERS = [(prime, powers) for prime in _PRIMES[1:39] if len(powers := _powers(prime)) < prime - 1]
