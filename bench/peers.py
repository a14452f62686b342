"""``python -m bench.peers PART...``: our server and two IRC servers under the same load, in turns, and the ratios.

The others are those of Debian, installed or fetched from its archive (``apt-get download``); over TLS, and with nothing
bounded that would be in the way. They keep nothing of what is said, and seal it once.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import count, product
from pathlib import Path
from typing import Final

from bench.__main__ import PARTS, pinned
from bench.figures import surroundings
from bench.ground import Opened, Ours
from bench.irc import Daemon, IrcServer
from bench.options import checked, parser
from bench.server import BenchError
from bench.table import Line, rst, table, text

HERE: Final = "chatserv"
QUICK: Final = ("s1", "s2", "s3", "s4", "s5", "s6")
FETCHED: Final = Path(__file__).parents[1] / "build" / "peers"
PACKAGES: Final = ("ngircd", "inspircd", "libident")
NGIRCD: Final = Daemon(
    "ngircd",
    ("{root}/usr/sbin/ngircd", "-n", "-f", "{directory}/ngircd.conf"),
    "ngircd.conf",
    f"""
[Global]
Name = irc.test
Info = bench
MotdPhrase = hi
Listen = 127.0.0.1
Ports = 0
PidFile = {{directory}}/ngircd.pid
ServerUID = {os.getuid()}
ServerGID = {os.getgid()}
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxPenaltyTime = 0
MaxNickLength = 32
PingTimeout = 600
PongTimeout = 600
[Options]
DNS = no
Ident = no
PAM = no
ChrootDir =
DefaultUserModes = F
[SSL]
CertFile = {{cert}}
KeyFile = {{key}}
Ports = {{port}}
""",
)
INSPIRCD: Final = Daemon(
    "inspircd",
    (
        "{root}/usr/sbin/inspircd",
        "--nofork",
        *(["--runasroot"] if os.getuid() == 0 else []),
        "--config",
        "{directory}/inspircd.conf",
    ),
    "inspircd.conf",
    """
<server name="irc.test" description="bench" network="bench">
<admin name="a" nick="a" email="a@b.test">
<bind address="127.0.0.1" port="{port}" type="clients" sslprofile="p">
<module name="ssl_gnutls">
<sslprofile name="p" provider="gnutls" certfile="{cert}" keyfile="{key}" priority="NORMAL">
<connect name="main" allow="*" timeout="60" pingfreq="10m" hardsendq="67108864" softsendq="33554432"
  recvq="1048576" threshold="1000000000" commandrate="1000000000" fakelag="no" localmax="20000" globalmax="20000"
  limit="20000" maxconnwarn="no" maxchans="100" resolvehostnames="no" useident="no">
<performance netbuffersize="65534" somaxconn="4096" softlimit="20000" clonesonconnect="no">
<options defaultmodes="t" moronbanner="x">
<limits maxnick="32" maxline="512">
<pid file="{directory}/inspircd.pid">
<path datadir="{directory}" logdir="{directory}" runtimedir="{directory}" moduledir="{root}/usr/lib/inspircd/modules">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="{directory}/irc.log">
""",
)
DAEMONS: Final = (NGIRCD, INSPIRCD)


def sides() -> dict[str, Opened]:
    """Ours, and each of the others where it can be had. Raises `BenchError` where none can."""
    found: dict[str, Opened] = {HERE: Ours}
    root = Path("/") if all(Path(f"/usr/sbin/{each.name}").exists() for each in DAEMONS) else fetch()
    return found | {each.name: partial(IrcServer, each, root) for each in DAEMONS}


def fetch() -> Path:
    """The packages of the others, unpacked. Raises `BenchError`."""
    if not (FETCHED / "usr").exists():
        FETCHED.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=FETCHED, check=True, capture_output=True)
            for package in FETCHED.glob("*.deb"):
                subprocess.run(["dpkg", "-x", package.name, "."], cwd=FETCHED, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise BenchError(
                f"{', '.join(PACKAGES)} are neither installed nor to be had from Debian: {error}"
            ) from None
    return FETCHED


def in_turns(runs: Mapping[str, Iterator[Line]], first: int) -> Iterator[tuple[str, Line]]:
    """What each side has measured, one thing after the other; each time another side begins."""
    names = list(runs)
    for number in count(first):
        at = number % len(names)
        for side in names[at:] + names[:at]:
            line = next(runs[side], None)
            if line is None:
                return
            yield side, line


def main(words: Sequence[str]) -> int:
    """Runs everything and prints the table; 1 where something failed."""
    found = parser(
        "python -m bench.peers", "Our server, ngircd and InspIRCd under the same load; see bench/README.rst."
    )
    found.add_argument("parts", metavar="PART", nargs="*", default=QUICK, help=f"{', '.join(QUICK)} (all of them)")
    found.add_argument("--rst", action="store_true", help="the table as reStructuredText")
    values, failed = found.parse_args(words), False
    if unknown := set(values.parts) - set(QUICK):
        found.error(f"no such part: {', '.join(sorted(unknown))}")
    try:
        opened = sides()
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    lines: dict[str, list[Line]] = {side: [] for side in opened}
    with pinned(checked(found, values)) as options:
        for turn, name in product(range(options.runs), values.parts):
            print(f"bench: {name}, run {turn + 1} of {options.runs}", file=sys.stderr)
            try:
                for side, line in in_turns(
                    {side: PARTS[name].run(options, each) for side, each in opened.items()}, turn
                ):
                    print(json.dumps({"server": side, **line, **surroundings()}), flush=True)
                    lines[side].append(line)
            except BenchError as error:
                print(f"bench: {name}: {error}", file=sys.stderr)
                failed = True
    rows = table(lines, HERE)
    print(rst(rows) if values.rst else text(rows))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
