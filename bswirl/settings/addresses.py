"""Addresses of endpoints, and names of variables that hold keys: what may stand in the settings.

Faults are said without what is at fault: it may be a key.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from bswirl.settings.tables import Table

# Narrower than the standard: all readers of it agree on the host, and no letter looks like another.
_ADDRESS = re.compile(
    r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:/[A-Za-z0-9._~%/:+-]*)?"
)
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,79}")
_KEY_LIKE = re.compile(r"[A-Z0-9]{16,}")  # no underscore in it: rather a key than a name
_FEW_DIGITS = 3

Fault = tuple[str, str]  # what is wrong, and what to do about it


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own, where nothing travels in the open."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_fault(url: str) -> Fault | None:
    """Why this is no address of an endpoint; None where it is one."""
    own_key = 'take it out; name the variable with the key: key = "MY_KEY"'
    if "@" in url:
        return "the address holds a user name or password", own_key
    if "?" in url or "#" in url:
        return "the address holds a query or a fragment", own_key
    if not _ADDRESS.fullmatch(url) or not _has_host_and_port(url):
        return "this is no http(s) address", "write https://HOST/v1"
    return None


def variable_fault(name: str) -> Fault | None:
    """Why this is no name of a variable with a key; None where it is one."""
    digits = sum(character.isdigit() for character in name)
    if _VARIABLE.fullmatch(name) and not (_KEY_LIKE.fullmatch(name) and digits > _FEW_DIGITS):
        return None
    return (
        "this must be the name of an environment variable (capitals, digits, _), not a key",
        "write MY_KEY, and `export MY_KEY=…` in the shell; replace a key that stood here",
    )


def plain_http_fault(url: str, variable: str | None) -> Fault | None:
    """Why a key cannot go there: it would be sent unencrypted to another machine. None where it can."""
    if variable is None or not url.startswith("http:") or is_loopback(url):
        return None
    return "a key would travel unencrypted over plain http", "use https, or leave `key` out"


def checked_url(table: Table) -> str | None:
    """The table's `url` without a slash at its end; None where it has none. Raises InputError."""
    return _checked(table, "url", url_fault)


def checked_variable(table: Table) -> str | None:
    """The name of the variable at `key`; None where there is none. Raises InputError."""
    return _checked(table, "key", variable_fault)


def _checked(table: Table, key: str, fault_of: Callable[[str], Fault | None]) -> str | None:
    value = table.text(key)
    fault = fault_of(value) if value is not None else None
    if fault is not None:
        raise table.error(f"`{key}`: {fault[0]}", fault[1], key)
    return value.rstrip("/") if value is not None else None


def _has_host_and_port(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
