"""What headers and metadata hold that nobody else should see: one list and one rule for every protocol."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["SECRET_HEADERS", "redact_header", "redact_query", "redact_url"]

REDACTED = "REDACTED"

SECRET_HEADERS = frozenset(
    (
        # RFC 9110 section 11, RFC 7615, RFC 6265, RFC 2965
        "authorization", "proxy-authorization", "authentication-info", "proxy-authentication-info",
        "cookie", "cookie2", "set-cookie", "set-cookie2",
        # of services and proxies
        "x-api-key", "x-auth-token", "x-auth-key", "x-access-token", "x-amz-security-token", "x-amzn-oidc-data",
        "x-amzn-oidc-accesstoken", "x-csrf-token", "x-xsrf-token", "x-forwarded-access-token", "x-goog-api-key",
        "x-goog-iap-jwt-assertion", "x-vault-token", "ocp-apim-subscription-key", "cf-access-jwt-assertion",
        "private-token",
    )
)  # fmt: skip
"""Names, in lower case, of headers and metadata whose values are credentials."""

# what others call theirs: the last words of a name, as in Grpcgateway-Authorization, X-Forwarded-Cookie, Shop-Api-Key
_WORDS = re.compile(
    r"(?:^|[-_.])(?:authorization|cookie|credentials?|jwt|passphrase|passw(?:or)?d|secret|token"
    r"|(?:access|api|auth|private|secret|session|subscription)[-_.]?key)$"
)
_URLS = re.compile(r"(?:^|[-_.:])(?:location|path|referr?er|ur[il])$")
_USER = re.compile(r"((?:[A-Za-z][\w+.-]*:)?//)[^/]*@")


def redact_header(name: str, value: str) -> str:
    """The value of a header, metadata entry or HTTP/2 field as it may be shown: ``REDACTED`` for those in
    SECRET_HEADERS and those that end in words such as ``-token``; of URLs (Location, Referer, ``:path``) without the
    values of the query. The case of ``name`` does not matter."""
    kind = _kind(name)
    if not kind:
        return value
    return REDACTED if kind == "secret" else redact_url(value)


@lru_cache(1024)
def _kind(name: str) -> str:
    # -bin marks metadata of gRPC that is bytes
    low = name.lower().removesuffix("-bin")
    if low in SECRET_HEADERS or _WORDS.search(low):
        return "secret"
    return "url" if _URLS.search(low) else ""


def redact_url(url: str) -> str:
    """A URL, or a path with a query, without the values of query and fragment, and without user and password."""
    address, mark, fragment = url.partition("#")
    address, question, query = address.partition("?")
    if (user := _USER.match(address)) is not None:
        address = f"{user[1]}{REDACTED}@{address[user.end() :]}"
    return f"{address}{question}{redact_query(query)}{mark}{redact_query(fragment)}"


def redact_query(query: str) -> str:
    """The names of a query (``a=1&b``) without their values: ``a=REDACTED&b``."""
    return "&".join(
        f"{name}={REDACTED}" if equals else name
        for name, equals, _ in (part.partition("=") for part in query.split("&"))
    )
