"""Protection from cross-site requests and DNS rebinding.

The two attacks, and how to recognise them:

* Cross-site request forgery: a page of another site sends a request here, with the credentials
that the browser stores for this server.  Browsers report the origin of a request (Fetch
Metadata; RFC 6454 `Origin`; `Referer`); scripts send none of these and are not affected.
* DNS rebinding: a page of another site resolves its own name to 127.0.0.1, and is same-origin
from then on.  Its name in `Host` reveals it.

`supervisord` gives each server a `csrf_guard`, which is tried before all other handlers
and matches only the requests that it refuses.
"""

from __future__ import annotations

import socket

from supervisor.common.addresses import pack
from supervisor.http.handling import Gate
from supervisor.http.response import Incident, error_response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from supervisor.common.addresses import TcpAddress
    from supervisor.config.model import ServerConfig
    from supervisor.http.request import Request
    from supervisor.http.response import Response

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})

CROSS_SITE: Final = "a page of another site has sent this request; nothing was done"
UNKNOWN_HOST: Final = (
    "this server is not known under the name in the Host field;"
    " if the name is right, list it in allowed_hosts= of [{section}]"
)

LOGGED_HOST_CHARS: Final = 64

REFUSED_HOSTS: Final = "refused Host fields"

ORIGIN_HEADERS: Final = frozenset({"sec-fetch-site", "origin", "referer"})

OWN_SITES: Final = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site for our own pages, and for the user (a typed address, a bookmark)."""


def is_cross_site(request: Request) -> bool:
    """Whether a browser reports that the request is cross-site."""
    if ORIGIN_HEADERS.isdisjoint(request.fields):
        return False
    site = request.get_header("sec-fetch-site")
    if site is not None:
        return site not in OWN_SITES
    if request.get_header("x-requested-with") is not None:
        return False  # a cross-site page needs a CORS preflight to send this
    source = request.get_header("origin") or request.get_header("referer")
    return source is not None and _authority(source) not in _own_authorities(request)


def may_be_cross_site(request: Request) -> bool:
    """Whether a GET may be cross-site.

    Over plain HTTP browsers send no Sec-Fetch-Site, and a page can suppress the Referer.  Then
    a request that looks like a browser's, and has no evidence of its origin, is suspect.
    """
    if is_cross_site(request):
        return True
    if any(request.get_header(name) for name in ORIGIN_HEADERS):
        return False
    is_browser = (request.get_header("user-agent") or "").startswith("Mozilla/")
    return is_browser and request.get_header("accept-language") is not None


def _authority(url: str) -> str:
    """Return the host and port of a URL; '' for `null`."""
    return url.partition("//")[2].partition("/")[0].lower()


def _own_authorities(request: Request) -> set[str]:
    """Return the names and ports by which the client addresses us, directly or through a proxy."""
    names = (request.get_header("host"), request.get_header("x-forwarded-host"))
    return {name.lower() for name in names if name}


class csrf_guard(Gate):
    """Handler that matches the requests to refuse, and refuses them."""

    def __init__(self, config: ServerConfig, address: TcpAddress | None) -> None:
        """Guard a server that is bound to `address`, None for one on a unix socket."""
        is_loopback = address is not None and address.is_loopback
        self._checks_host = is_loopback and not config.password
        self._unknown_host = UNKNOWN_HOST.format(section=config.section)
        own = ("localhost", config.host or "", socket.gethostname())
        self._names = {name.lower() for name in (*own, *config.allowed_hosts)}

    def match(self, request: Request) -> bool:
        """Whether there is a reason to refuse."""
        return self._reason(request) is not None

    def admit(self, request: Request) -> Response:
        """Return the response that refuses the request."""
        reason = self._reason(request)
        incident = self._incident(request) if reason is self._unknown_host else None
        return error_response(403, reason, incident=incident)

    def _incident(self, request: Request) -> Incident:
        """Return the log line of a refused Host: only a proxy's users may see the error page."""
        host = (request.get_header("host") or "")[:LOGGED_HOST_CHARS]
        return Incident(
            REFUSED_HOSTS,
            f"{request.peer.description}: Host {host!r} refused: {self._unknown_host}",
        )

    def _reason(self, request: Request) -> str | None:
        if self._checks_host and not self._is_ours(request.get_header("host") or ""):
            return self._unknown_host
        if request.command not in SAFE_METHODS and is_cross_site(request):
            return CROSS_SITE
        return None

    def _is_ours(self, host: str) -> bool:
        """Whether this Host cannot be the result of DNS rebinding.

        Neither an address nor one of our own names can be rebound.
        """
        name = _host_name(host)
        is_own_name = name in self._names or name.endswith(".localhost")
        return not name or is_own_name or pack(name) is not None


def _host_name(host: str) -> str:
    """Return a Host field without its port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().rstrip(".")
