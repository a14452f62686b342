"""TLS without session tickets, for the server's process: imported before whatever loads OpenSSL.

A TLS 1.3 server sends two tickets after each handshake (RFC 8446, section 4.6.1). Nobody resumes a session here, and by a
ticket an observer can tell that two connections are one client's. OpenSSL learns how many to send by a function that
pyOpenSSL does not know (``SSL_CTX_set_num_tickets``), or by its configuration, which it reads once, when it is loaded. So it
is given one, unless the operator gives it one (``OPENSSL_CONF``, where ``NumTickets = 0`` does the same), or it is loaded
already, as in a process that is somebody else's.
"""

import os
import sys
from pathlib import Path
from typing import Final

VARIABLE: Final = "OPENSSL_CONF"
BINDING: Final = "cryptography.hazmat.bindings._rust"


def _load_without_tickets() -> None:
    if VARIABLE in os.environ or BINDING in sys.modules:
        return
    os.environ[VARIABLE] = str(Path(__file__).with_suffix(".cnf"))
    try:
        import cryptography.hazmat.bindings._rust  # noqa: F401, PLC0415 - loads OpenSSL
    finally:
        del os.environ[VARIABLE]  # other programs that we start have another OpenSSL


_load_without_tickets()
