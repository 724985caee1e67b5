"""Addresses and texts without the secrets in them: passwords, signatures, storage options."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

_MASK = "***"
_SHORT = 8  # characters; shorter values are replaced as whole words alone
# up to the last @, as keys of S3 may have slashes; digits before a slash are a port
# (a user alone may be a token on the web; elsewhere it is a container or a name)
_PASSWORD = re.compile(r"(?<=://)[^/@\s]*:(?!\d+/).*@|(?:(?<=http://)|(?<=https://))[^/@\s]+@")
_QUERY = re.compile(r"(?<=\?).+")


def has_password(url: str) -> bool:
    """Whether a URL reads ``scheme://user:password@...``, or on the web ``https://token@...``."""
    return _PASSWORD.search(url) is not None


def masked_url(url: str) -> str:
    """A URL without a password, and without what follows a question mark; paths as they are."""
    return _QUERY.sub(_MASK, _PASSWORD.sub(f"{_MASK}@", url)) if "://" in url else url


def secrets_of(urls: Iterable[str], options: Any) -> list[str]:
    """What must not be told: parts of URLs, and all texts among the options but endpoints."""
    texts = [*urls, *_texts(options)]
    found = {text for text in _texts(options) if "://" not in text}
    for text in texts:
        if "://" in text:
            user = _PASSWORD.search(text)
            parts = user.group()[:-1].split(":", 1) if user else []
            found |= {part for part in [*parts, *_QUERY.findall(text)] if part}
    # as errors quote them in URLs: a/b is a%2Fb there
    found |= {quote(secret, safe="") for secret in found}
    # longest first: masking "abcdefgh" would leave the end of "abcdefghij"
    return sorted(found - {""}, key=len, reverse=True)


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text with `_MASK` in place of each secret."""
    for secret in secrets:
        whole = re.escape(secret)
        text = re.sub(whole if len(secret) >= _SHORT else rf"(?<!\w){whole}(?!\w)", _MASK, text)
    return text


def _texts(options: Any) -> Iterator[str]:
    if isinstance(options, str):
        yield options
    elif isinstance(options, dict | list | tuple):
        for part in options.values() if isinstance(options, dict) else options:
            yield from _texts(part)
