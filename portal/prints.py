"""The print of a key: three words made from its SHA-256, so that one can say which secret holds
which token without showing either.

The first three bytes of the digest pick a word each, so a print has 24 bits. That tells the tokens
of a team apart; it proves nothing: whoever wants a key with a given print finds one in 16 million
tries, and two of 5,000 tokens are more likely than not to share one. Find-by-key compares the
whole digest.
"""

from functools import cache
from textwrap import wrap
from typing import Final

# No word is one letter away from another. Their order is kept for good: prints that people have
# written down must stay.
_LIST: Final = """
acorn agate album amber anchor anvil apple apron arch arrow aspen atlas attic autumn badge bagel
bamboo banjo barley barn basil basket beacon bell bench berry birch boat bonnet bottle bread
brick bridge broom bucket bugle button cabin cactus camel candle canoe canvas carpet castle
cedar cello cherry chess cider circle cloud clover cobalt coffee comet copper coral cotton crane
crayon cricket crown curtain cypress daisy delta dolphin domino donkey door dragon drum dune
eagle easel echo emerald engine fabric falcon feather fern fiddle field finch flag flint flute
forest fossil fox frost galaxy garden garlic geyser ginger glacier glove goose granite grape
guitar hammer harbor harp hazel hedge helmet heron honey icicle igloo indigo island ivory ivy
jacket jaguar jasmine jelly jewel jigsaw jungle kayak kettle kite koala ladder lagoon lake lamp
lantern lava lemon lens lily lime linen lion lobster lotus magnet mango maple marble meadow
melon mint mirror mitten moon mosaic moss muffin museum mustard napkin nectar needle nest nickel
nutmeg oak oasis oboe ocean olive onion opal orbit orchard otter oven owl oyster paddle palm
panda paper parcel parrot pearl pebble pencil pepper piano pigeon pillow pine planet plum pocket
pond poppy prism puzzle quail quartz quill rabbit radio raft rain raven reef ribbon river robin
rope ruby saffron salmon sandal satin scarf shell silver sketch sleigh snow spoon spruce squash
stone swan tablet teapot temple tiger timber toast tomato torch tower trumpet tulip tunnel
turtle valley vanilla velvet violin wagon walnut water whale wheat window winter wizard wolf
yacht zebra zipper
"""
WORDS: Final = tuple(_LIST.split())


def of(fingerprint: str) -> str:
    """The print of the key with this SHA-256 (hex), as in ``amber-otter-quill``; empty for none."""
    return "-".join(WORDS[byte] for byte in bytes.fromhex(fingerprint[:6]))


@cache
def command() -> str:
    """What bash or zsh runs to print the same words of a key that it asks for, or gets by a pipe.

    The key stands in no argument, and is not shown.
    """
    return _COMMAND.replace("WORDS", " \\\n      ".join(wrap(" ".join(WORDS), 90)))


_COMMAND: Final = """\
(
  printf 'Paste the token, then press Enter: ' >&2
  IFS= read -rs key; printf '\\n' >&2
  digest=$(printf %s "$key" | { sha256sum 2>/dev/null || shasum -a 256; })
  dash=
  for place in 1-2 3-4 5-6; do
    set -- WORDS
    shift "$((0x$(printf %s "$digest" | cut -c "$place")))"
    printf '%s%s' "$dash" "$1"; dash=-
  done
  echo
)
"""
