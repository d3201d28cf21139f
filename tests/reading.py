"""Pages as people read them."""


def words(html: str) -> str:
    """A page's text in one line: where a line ends says nothing."""
    return " ".join(html.split())
