"""The ports of what runs beside the web on one machine."""

from portal.environment import read, whole_number


def port(name: str, beside: int, steps: int) -> int:
    """The setting ``name`` as a port: by default as many steps above ``beside``, or else below."""
    near = beside + steps if beside + steps <= 65535 else beside - steps
    return read(name, whole_number(1, 65535), default=str(near), wanted="a port, 1-65535")
