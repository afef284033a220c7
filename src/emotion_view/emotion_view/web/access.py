"""Who may use the page: the names it is called by, the token, and requests that come from another site's page."""

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from emotion_core.errors import EmotionError

HOST = '127.0.0.1'  # where only this machine can reach a page
WILDCARDS = ('0.0.0.0', '::')
SOMEWHERE = ('192.0.2.1', 9)  # an address of RFC 5737: choosing the route to it sends nothing


def is_local(address: str) -> bool:
    """Tell whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.lower() == 'localhost'


def address_of_machine() -> str:
    """Give the address that others reach this machine by, or its name where it has no route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(SOMEWHERE)
            return probe.getsockname()[0]
        except OSError:
            return socket.gethostname()


def free_port(wanted: int = 0) -> int:
    """
    Give this port of HOST, or another that is free where somebody listens there already.

    :raises EmotionError: when there is none.
    """
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                return probe.getsockname()[1]
            except OSError:
                continue
    raise EmotionError(f'no port of {HOST} is free')


class Access:
    """The rules of one server."""

    def __init__(self, address: str, token: str = '', host_names: str = ''):
        """
        Take the address that the server listens on.

        :param token: What visitors must bring; empty: a random one, or none where only this machine gets in.
        :param host_names: More names that this machine goes by, with commas between.
        """
        self.address = address
        self._is_local = is_local(address)
        self.token = token or ('' if self._is_local else secrets.token_urlsafe(16))
        host = socket.gethostname().lower()
        self._names = {'localhost', address.lower(), *(() if self._is_local else (host, f'{host}.local'))}
        self._names |= {name.strip().lower() for name in host_names.split(',')} - {''}

    def link(self, port: int) -> str:
        """Give what a person opens in a browser."""
        host = address_of_machine() if self.address in WILDCARDS else self.address
        host = f'[{host}]' if ':' in host else host
        return f'http://{host}:{port}/' + (f'?token={self.token}' if self.token else '')

    def refuse_host(self, host: str) -> str:
        """
        Give a sentence when a request calls this server by a name that is not its own, as DNS rebinding does.

        :param host: The request's Host, with or without a port.
        """
        try:
            name = urlsplit(f'//{host}').hostname or ''
        except ValueError:
            name = ''
        if name in self._names:
            return ''
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return (
                'this server does not go by that name: open the link that the node printed, '
                'or add the name to the parameter host_names'
            )
        if self._is_local and not address.is_loopback:
            return 'this server is for its own machine only: open the link that the node printed'
        return ''

    def refuse_origin(self, headers: Mapping[str, str]) -> str:
        """Give a sentence when the page of another site makes this request; programs send no Origin."""
        origin = headers.get('Origin')
        if origin is None:
            return ''
        try:
            place = urlsplit(origin).netloc
        except ValueError:
            place = ''
        if place and place.lower() == headers.get('Host', '').lower():
            return ''
        return 'the request comes from the page of another site'

    def knows(self, token: str) -> bool:
        """Tell whether this is the token, in a time that does not tell how much of it is right."""
        return not self.token or hmac.compare_digest(token.encode(errors='surrogateescape'), self.token.encode())
