"""Links and images of an answer: their hosts would learn what stands in their addresses."""

import re

_IMAGE = re.compile(r"!\[[^\]\n]{0,300}\](?:\([^)\n]{0,2000}\)|\[[^\]\n]{0,100}\])|<img\b[^>]{0,2000}>", re.IGNORECASE)
_LINK = re.compile(r"\[([^\]\[\n]{0,300})\]\(\s{0,3}<?(?:[a-z][a-z0-9+.-]{0,20}:|//)[^)\n]{0,2000}\)", re.IGNORECASE)
_ANCHOR = re.compile(r"<a\b[^>]{0,2000}>([^<]{0,300})</a>", re.IGNORECASE)
_REFERENCE = re.compile(r"^ {0,3}\[[^\]\n]{1,100}\]:\s{0,3}\S{1,2000}.{0,200}$\n?", re.MULTILINE)


def without_links(text: str) -> str:
    """A link or an image tells its host what stands in its address, an image without a click."""
    text = _IMAGE.sub("", text)
    return _REFERENCE.sub("", _ANCHOR.sub(r"\1", _LINK.sub(r"\1", text)))
