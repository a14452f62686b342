"""Row 12: settings and certificate read anew while people talk."""

import json
import os
import signal
import socket
import ssl
import time

from cryptography import x509

from chatserv.testing.processes import ServerProgram
from tests.faults.crowd import Crowd
from tests.faults.health import Health, log_of
from tests.faults.rows import Ground, check, row, wait_for
from tests.support.authority import Authority

TAKEN, REFUSED = "settings are read anew", "settings are not taken"
WRONG = '{"limits": {\n  "rooms": 0}}'
TOLD = "settings.json:2: limits.rooms: expected a whole number"


@row(12, "settings read anew, good and bad ones")
def reloaded(ground: Ground) -> str:
    """SIGHUP again and again: nobody is cut off; a bad file changes nothing and is told by line and key; a renewed
    certificate is shown at once, and one that comes with a bad file not before the next good one.
    """
    times, shown_after = ground.pick(12, 100), []
    authority = Authority(ground.directory / "authority")
    issued = made = authority.issue()
    tls = {"certificate": str(authority.chain), "key": str(authority.private)}
    with ground.server({"tls": tls}) as server, Crowd(server, 5) as crowd:
        good = json.loads((server.directory / "settings.json").read_text())
        logins = [person.logins for person in crowd.people]
        with crowd.talking(120):
            crowd.flowing()
            health = Health(ground, server)
            for number in range(times):
                bad, renewed = number % 3 == 1, number % 4 == 1
                good["limits"] = {**good.get("limits", {}), "rooms": 100 + number}
                _replace(server, WRONG if bad else json.dumps(good))
                made = authority.issue() if renewed else made
                took = _reload(server, number + 1)
                issued = issued if bad else made
                since = time.monotonic()
                check(_shown(server.port) == issued, "another certificate than the one that holds")
                if renewed and not bad:
                    shown_after.append(took + time.monotonic() - since)
            check(logins == [person.logins for person in crowd.people], "somebody was cut off")
            crowd.cut(crowd.people[0])  # who comes back is taken in behind the new certificate
            wait_for(lambda: crowd.people[0].logins > logins[0], "who was cut comes back")
            crowd.flowing()
        figure, log = crowd.check(), log_of(server)
        check(
            log.count(TOLD) == log.count(REFUSED) == len(range(1, times, 3)), "a bad file was not told by line and key"
        )
        health.check(line="changed: limits.rooms")
    ground.within(max(shown_after), 1.0, "a new certificate was shown")
    return (
        f"{times} times, {log.count(REFUSED)} refused, 0 cut off, certificate after {max(shown_after):.2f} s, {figure}"
    )


def _replace(server: ServerProgram, text: str) -> None:
    new = server.directory / "new.json"
    new.write_text(text)
    new.replace(server.directory / "settings.json")


def _reload(server: ServerProgram, times: int) -> float:
    """Asks, and waits until there have been so many answers. Gives how long it took, in seconds."""
    since = time.monotonic()
    os.kill(server.pid, signal.SIGHUP)
    wait_for(lambda: log_of(server).count(TAKEN) + log_of(server).count(REFUSED) == times, "an answer in the log")
    return time.monotonic() - since


def _shown(port: int) -> x509.Certificate:
    """The certificate that a new connection is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 60)) as connection:
        return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
