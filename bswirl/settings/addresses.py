"""Addresses of endpoints, and names of variables that hold keys: what may stand in the settings."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from bswirl.settings.tables import Table

# Narrower than the standard: all readers of it agree on the host, and no letter looks like another.
_ADDRESS = re.compile(
    r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:/[A-Za-z0-9._~%/:+-]*)?"
)
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,79}")
_KEY_LIKE = re.compile(r"[A-Z0-9]{16,}")  # no underscore in it: rather a key than a name
_FEW_DIGITS = 3


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own, where nothing travels in the open."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_url(table: Table) -> str | None:
    """The table's `url` without a slash at its end; None where it has none. Raises InputError."""
    url = table.text("url")
    if url is None:
        return None
    own_key = 'take it out; name the variable with the key: key = "MY_KEY"'
    if "@" in url:
        raise table.error("`url` holds a user name or password", own_key, "url")
    if "?" in url or "#" in url:
        raise table.error("`url` holds a query or a fragment", own_key, "url")
    if not _ADDRESS.fullmatch(url) or not _has_port_and_host(url):
        raise table.error("`url` is no http(s) address", 'write url = "https://HOST/v1"', "url")
    return url.rstrip("/")


def _has_port_and_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def checked_variable(table: Table) -> str | None:
    """The name of the variable at `key`; None where there is none. Raises InputError without showing it."""
    name = table.text("key")
    if name is None:
        return None
    digits = sum(character.isdigit() for character in name)
    if not _VARIABLE.fullmatch(name) or (_KEY_LIKE.fullmatch(name) and digits > _FEW_DIGITS):
        raise table.error(
            "`key` must be the name of an environment variable (capitals, digits, _), not a key",
            'write key = "MY_KEY", and `export MY_KEY=…` in the shell; replace a key that stood here',
            "key",
        )
    return name


def check_plain_http(table: Table, url: str, variable: str | None) -> None:
    """Raises InputError where a key would travel unencrypted to another machine."""
    if variable is not None and url.startswith("http:") and not is_loopback(url):
        raise table.error(
            "a key would travel unencrypted over plain http", "use https, or leave `key` out", "url"
        )
