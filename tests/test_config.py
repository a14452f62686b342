"""The settings: what a file may say, and the one line about everything else."""

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.config import Config, Logging, Monitoring, Server
from chatserv.limits import Limits
from chatserv.local_errors import SettingsError
from chatserv.settings_loading import CROWD, Loaded, load
from chatserv.settings_sources import Sources
from chatserv.settings_words import Impossible
from chatserv.units import is_loopback, parse_duration, parse_size, split_address

SEED = Path(__file__).parent / "data" / "seed-settings.json"
ANY = "0.0.0.0"  # noqa: S104 - every interface, as the seed listens
TABLES = [*get_type_hints(Config), "sever", ""]
KEYS = [name for struct in get_type_hints(Config).values() for name in struct.__struct_fields__]


class Files(SynchronousTestCase):
    """Writes settings files for tests."""

    def write(self, text: str | bytes, suffix: str = ".json") -> Path:
        """A settings file with this content."""
        path = Path(self.mktemp() + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def load(self, **tables: Mapping[str, object]) -> Loaded:
        """What these tables, written as JSON, are read as."""
        return load(Sources(self.write(json.dumps(tables))))

    def refused(self, path: Path) -> SettingsError:
        """The error for a file, which must be one line of four parts."""
        error: SettingsError = self.assertRaises(SettingsError, load, Sources(path))
        self.assertRegex(error.file, rf"^{re.escape(str(path))}(:\d+)?$")
        self.assertEqual(f"{error.file}: {error.key}: {error.message}: {error.hint}", str(error))
        self.assertEqual([str(error)], str(error).splitlines())
        return error

    def refused_value(self, table: str, key: str, value: object) -> SettingsError:
        """The error for one bad value, which must name its key."""
        error = self.refused(self.write(json.dumps({table: {key: value}})))
        self.assertEqual(f"{table}.{key}", error.key)
        return error


class SeedTests(Files):
    """The seed's settings file."""

    def test_every_key(self) -> None:
        """The seed's file is taken unchanged, and each of its keys arrives where it acts."""
        config = load(Sources(SEED)).config
        self.assertEqual((ANY, 5000, 10), (config.server.host, config.server.port, config.server.max_connections))
        self.assertEqual((3072, 256), (config.security.rsa_key_size, config.security.aes_key_size))
        logging = config.logging
        self.assertEqual(("INFO", "logs/server.log", 10_485_760), (logging.level, logging.file, logging.max_size))
        self.assertEqual((10.0, True), (config.monitoring.interval, config.monitoring.show_python_processes))

    def test_rsa_2048_is_raised(self) -> None:
        """RSA of 2048 bits becomes 3072 with one warning that says why; 3072 has none."""
        (warning,) = load(Sources(SEED)).warnings
        self.assertIn("rsa_key_size: 2048 is raised to 3072", warning)
        self.assertIn("112 bits", warning)
        self.assertEqual((), self.load(security={"rsa_key_size": 3072}).warnings)

    def test_toml_twin(self) -> None:
        """The same settings as TOML give the same config."""
        lines = []
        for table, values in json.loads(SEED.read_text()).items():
            lines += [f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
        self.assertEqual(load(Sources(SEED)).config, load(Sources(self.write("\n".join(lines), ".toml"))).config)


class AcceptedTests(Files):
    """Settings that work."""

    def test_nothing_set(self) -> None:
        """No file and empty files give the defaults without a warning."""
        for path in (None, self.write("{}"), self.write("", ".toml"), self.write(b"\xef\xbb\xbf{}")):
            self.assertEqual(Loaded(Config()), load(Sources(path)))

    def test_units(self) -> None:
        """Sizes and durations may be numbers or text with a unit."""
        config = self.load(
            logging={"max_size": "1GB"},
            monitoring={"interval": "30s", "silence_seconds": "1min"},
            retention={"age": "90d", "bytes": "10GB"},
            limits={"sendq_soft_bytes": "128 KiB", "idle_seconds": "2min", "rekey_seconds": 60},
        ).config
        self.assertEqual((90 * 86_400.0, 10 * 2**30), (config.retention.age, config.retention.bytes))
        self.assertEqual(
            (2**30, 30.0, 60.0),
            (config.logging.max_size, config.monitoring.interval, config.monitoring.silence_seconds),
        )
        limits = config.limits
        self.assertEqual((131_072, 120.0, 60.0), (limits.sendq_soft_bytes, limits.idle_seconds, limits.rekey_seconds))

    def test_listen(self) -> None:
        """Endpoint strings come as a tuple; a loopback address for plain TCP needs no permission."""
        server = self.load(server={"listen": ["tcp:0", "unix:/run/chat"], "listen_plain": "[::1]:5001"}).config.server
        self.assertEqual(("tcp:0", "unix:/run/chat"), server.listen)
        self.assertEqual(("::1", 5001), server.plain_address)
        self.assertIsNone(Server().plain_address)

    def test_plain_network(self) -> None:
        """Plain TCP for the network works with explicit permission, and warns."""
        loaded = self.load(server={"listen_plain": f"{ANY}:5001", "allow_plain_network": True})
        self.assertEqual((ANY, 5001), loaded.config.server.plain_address)
        self.assertIn("without TLS", loaded.warnings[0])

    def test_metrics(self) -> None:
        """Figures are at an address of this machine, at a UNIX socket, or nowhere; elsewhere where that is said in words."""
        given = ("", "127.0.0.1:9464", "[::1]:9464", "unix:figures")
        found = [self.load(metrics={"listen": each}).config.metrics.address for each in given]
        self.assertEqual(["", ("127.0.0.1", 9464), ("::1", 9464), "figures"], found)
        self.load(metrics={"listen": f"{ANY}:9464", "allow_network": True})

    def test_levels(self) -> None:
        """Every level of the seed's logging module is a level here."""
        for level in ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL"):
            self.assertEqual(level, self.load(logging={"level": level}).config.logging.level)


class RefusedFileTests(Files):
    """Files that are no settings."""

    def test_unreadable(self) -> None:
        """A missing file, a directory and an impossible path are reported as such."""
        directory = Path(self.mktemp() + ".json")
        directory.mkdir(parents=True)
        for path in (directory, directory / "none.json"):
            self.assertIn("cannot be read", self.refused(path).message)
        self.assertIn("not a usable path", self.assertRaises(SettingsError, load, Sources(Path("a\0.json"))).message)

    def test_broken(self) -> None:
        """Broken JSON and TOML are reported with the line."""
        for suffix, text, line in (
            (".json", '{\n"server": {,}}', "line 2, column 12"),
            (".json", '{\n"server": {}', "line 2, column 13"),
            (".toml", "[server]\nport = = 1", "line 2, column 8"),
            (".toml", "[server]\nport = 1\nport = 2", "line 3"),
            (".toml", '[server]\nhost = "', "line 2"),
        ):
            self.assertIn(line, self.refused(self.write(text, suffix)).key)
        self.assertEqual("line 2", self.refused(self.write(b"{\n\xff")).key)

    def test_repeated_key(self) -> None:
        """A JSON key that stands twice is named with its table."""
        self.assertEqual("server.port", self.refused(self.write('{"server": {"port": 1, "port": 2}}')).key)
        self.assertEqual("server", self.refused(self.write('{"server": {}, "server": {}}')).key)

    def test_numbers_that_are_none(self) -> None:
        """NaN, infinities and endless integers are refused with their key where the parser gets that far."""
        for text in ("NaN", "Infinity", "-Infinity", "1e400", "9" * 400):
            error = self.refused(self.write(f'{{"monitoring": {{"interval": {text}}}}}'))
            self.assertEqual("monitoring.interval", error.key)
        self.refused(self.write(f'{{"monitoring": {{"interval": {"9" * 5000}}}}}'))
        self.assertEqual("server.port", self.refused(self.write("[server]\nport = nan", ".toml")).key)

    def test_wrong_shapes(self) -> None:
        """Too deep, too large, no table, a table that is none and an unknown suffix each have their own text."""
        for text, message in (
            ("[" * 100_000, "nested too deeply"),
            ('{"a":' * 100_000, "nested too deeply"),
            (" " * (2**20 + 1), "larger than 1 MiB"),
            ("[]", "not a table"),
            ('{"server": []}', "not a table"),
        ):
            self.assertIn(message, self.refused(self.write(text)).message)
        self.assertIn("deep", self.refused(self.write("a = " + "[" * 50_000, ".toml")).message)
        self.assertIn("neither JSON nor TOML", self.refused(self.write("", ".ini")).message)


class CrowdTests(Files):
    """Places for who has not logged in."""

    def test_several_nodes(self) -> None:
        """There are more where a node may die beside this one, unless it is said how many."""
        store, bus = {"url": "postgresql:///chat"}, {"bus": ["nats://127.0.0.1:4222"]}
        cases: list[tuple[dict[str, Any], int]] = [
            ({}, 200),
            ({"store": store, "cluster": {"name": "chat"}}, 200),
            ({"store": store, "cluster": bus}, CROWD),
            ({"store": store, "cluster": bus, "limits": {"unauthenticated_connections": 7}}, 7),
        ]
        for tables, wanted in cases:
            self.assertEqual(self.load(**tables).config.limits.unauthenticated_connections, wanted)


class RefusedValueTests(Files):
    """Files with something wrong in them."""

    def test_unknown_key(self) -> None:
        """An unknown key is refused with the nearest known one, or with the list of all."""
        self.assertEqual("did you mean port?", self.refused_value("server", "prot", 1).hint)
        self.assertIn("host, port", self.refused_value("server", "zzz", 1).hint)
        self.assertEqual("did you mean server?", self.refused(self.write('{"sever": {}}')).hint)
        self.assertIn("unknown", self.refused(self.write('{"server": {"a\\nb\\u001b\\ud800": 1}}')).message)

    def test_wrong_type(self) -> None:
        """A value of the wrong type is refused with the expected type, the value and the default."""
        error = self.refused_value("server", "port", "5000")
        self.assertEqual('expected a whole number from 1 to 65535, found "5000"', error.message)
        self.assertEqual("the default is 5000", error.hint)
        for table, key, value in (
            ("server", "port", True),
            ("server", "port", 1.5),
            ("server", "host", None),
            ("server", "listen", [1]),
            ("server", "allow_plain_network", 1),
            ("security", "aes_key_size", "256"),
            ("monitoring", "interval", True),
        ):
            self.refused_value(table, key, value)

    def test_words(self) -> None:
        """What a setting takes is told in words: the values of an enumeration, and no names of Python's types."""
        for table, key, value, message in (
            ("security", "registration", "anyone", '"invite", "open" or "closed", found "anyone"'),
            ("security", "aes_key_size", "256", '256, found "256"'),
            ("logging", "level", "loud", '"DEBUG", "INFO", "WARN", "WARNING", "ERROR" or "CRITICAL", found "loud"'),
            ("logging", "keep_files", 1.5, "a whole number from 1 to 1000, found 1.5"),
            ("server", "allow_plain_network", "yes", 'true or false, found "yes"'),
            ("server", "port", None, "a whole number from 1 to 65535, found null"),
            ("server", "listen", [True], "a list of at most 64, each text of 1 to 4096 characters, found [true]"),
            ("server", "listen_plain", 5001, "text of at most 4096 characters, found 5001"),
            ("monitoring", "interval", True, "a number from 0.1 to 86400, found true"),
            ("monitoring", "enabled", 1, "true or false, found 1"),
            ("limits", "idle_seconds", [], "a number from 0.01 to 604800, found []"),
        ):
            self.assertEqual(f"expected {message}", self.refused_value(table, key, value).message)

    def test_words_for_all(self) -> None:
        """Every setting has words that name no type of Python's and no expression."""
        for table, struct in get_type_hints(Config).items():
            for name in struct.__struct_fields__:
                error = self.refused_value(table, name, {"a": 1})
                self.assertNotRegex(error.message, r"\b(int|float|bool|str|array|tuple|object|regex|enum|None)\b", name)

    def test_impossible_values(self) -> None:
        """Values outside their bounds, or that contradict each other, are refused."""
        for table, key, value in (
            ("server", "port", 0),
            ("server", "port", 65_536),
            ("server", "max_connections", 0),
            ("server", "host", ""),
            ("server", "host", "a b"),
            ("server", "host", "a\n"),
            ("server", "listen", [""]),
            ("server", "listen_plain", "10.0.0.1:5001"),
            ("retention", "age", "3599s"),
            ("store", "url", "db1/chat"),
            ("store", "url", "mysql://db1/chat"),
            ("store", "readers", 0),
            ("cluster", "name", "a.b"),
            ("cluster", "name", ""),
            ("cluster", "bus", "nats://a"),
            ("cluster", "bus", ["http://a"]),
            ("cluster", "bus", ["nats://"]),
            ("cluster", "bus", ["nats://a/subject"]),
            ("cluster", "advertise", ["::"]),
            ("cluster", "advertise", ["a b"]),
            ("cluster", "poll_seconds", 0),
            ("cluster", "store_seconds", "0.5s"),
            ("cluster", "idle_room_seconds", 29),
            ("retention", "bytes", 16 * 2**20 - 1),
            ("metrics", "listen", "10.0.0.1:9464"),
            ("metrics", "listen", "0.0.0.0:9464"),
            ("metrics", "listen", "localhost"),
            ("metrics", "listen", "unix:"),
            ("server", "listen_plain", "127.0.0.1"),
            ("server", "listen_plain", "127.0.0.1:0"),
            ("security", "rsa_key_size", 1024),
            ("security", "rsa_key_size", 4096),
            ("security", "rsa_key_size", 2048.0),
            ("security", "aes_key_size", 128),
            ("security", "registration", "anyone"),
            ("logging", "level", "LOUD"),
            ("logging", "max_size", "10 parsecs"),
            ("logging", "max_size", "0MB"),
            ("logging", "file", "logs/"),
            ("logging", "file", "logs/connections.log"),
            ("logging", "file", "logs/crash.log"),
            ("logging", "journal", "some"),
            ("logging", "file", "a\0"),
            ("logging", "keep_files", 0),
            ("monitoring", "interval", 0),
            ("monitoring", "interval", "10 moons"),
            ("monitoring", "silence_seconds", 1),
            ("monitoring", "restart_backoff_min_seconds", 61),
            ("limits", "sendq_soft_bytes", 1_048_576),
            ("limits", "tls_handshake_seconds", 31),
            ("limits", "store_batch", 10_001),
        ):
            self.refused_value(table, key, value)

    def test_store(self) -> None:
        """A bound of bytes is refused beside a PostgreSQL database; no password is in an error, or in what is shown."""
        url = "postgresql://chat:geheim@db1/chat"
        together = {"store": {"url": url}, "retention": {"bytes": "1GB"}}
        self.assertEqual("retention.bytes", self.refused(self.write(json.dumps(together))).key)
        for wrong in ("geheim://" + url, url + "x" * 5000):
            self.assertNotIn("geheim", str(self.refused_value("store", "url", wrong)))
        config = self.load(store={"url": url}).config
        self.assertEqual(url, config.store.url)
        self.assertIn("Store(url='postgresql://chat:***@db1/chat', readers=2)", repr(config))

    def test_cluster(self) -> None:
        """Nodes need a database that they can share; what the bus lets them in by is in no error, and not shown."""
        bus = ["nats://chat:geheim@a", "tls://geheim@[2001:db8::1]:4223", "nats://c"]
        alone = self.refused(self.write(json.dumps({"cluster": {"bus": bus}})))
        self.assertEqual(("cluster.bus", "not without store.url"), (alone.key, alone.message))
        for wrong in ([*bus, "geheim"], "nats://geheim@a", ["nats://geheim@a" + "x" * 5000]):
            self.assertNotIn("geheim", str(self.refused_value("cluster", "bus", wrong)))
        shared = {"store": {"url": "postgresql://db1/chat"}, "server": {"advertise": "me.example"}}
        config = self.load(
            **shared, cluster={"bus": bus, "advertise": ["a.example", "me.example", "b.example:5001"]}
        ).config
        places = [("me.example", 5000), ("a.example", 5000), ("b.example", 5001)]
        self.assertEqual((config.cluster.is_set, list(config.addresses)), (True, places))
        shown = "Cluster(name='chat', bus=['nats://***@a:4222', 'tls://***@[2001:db8::1]:4223', 'nats://c:4222'])"
        self.assertIn(shown, repr(config))
        self.assertFalse(self.load().config.cluster.is_set)

    def test_hosts(self) -> None:
        """Hosts that mean something to some systems only, or nothing to others, are refused with what to write."""
        for host in ("127.1", "0", "2130706433", "0x7f000001", "fe80::1%eth0", "[::1]", "a b", "x:5000", "-a", "a..b"):
            error = self.refused_value("server", "host", host)
            self.assertEqual(f'"{host}" cannot be listened on', error.message)
            self.assertIn("127.0.0.1", error.hint)
            if host not in {"[::1]", "x:5000"}:
                error = self.refused_value("server", "advertise", host)
                self.assertEqual(f'"{host}" leads nowhere', error.message)
                self.assertIn("192.0.2.1:5000", error.hint)
        for host in ("0.0.0.0", "::", "chatserv://x", "0.0.0.0:1", "[::]:1"):  # noqa: S104 - not bound to
            self.refused_value("server", "advertise", host)
        for host in ("::1", "127.0.0.1", "localhost", "chat.example.org.", "xn--mnchen-3ya.example"):
            self.load(server={"host": host, "advertise": host})

    def test_several_addresses(self) -> None:
        """What is advertised may be several, with ports of their own; one alone may be an IPv6 address without brackets."""
        for text, addresses in (
            ("", ()),
            ("chat.example", (("chat.example", 5001),)),
            ("Chat.Example:443", (("chat.example", 443),)),
            ("::1", (("::1", 5001),)),
            ("a.example, b.example:5002 ,[2001:DB8::1],A.example", (
                ("a.example", 5001), ("b.example", 5002), ("2001:db8::1", 5001),
            )),
        ):  # fmt: skip
            config = self.load(server={"port": 5001, "advertise": text}).config
            self.assertEqual((addresses, addresses), (config.server.addresses, config.addresses), text)
        for text in (
            "a.example,",
            "a.example,,b.example",
            "a.example b.example",
            "a.example,::1",
            "a.example,0.0.0.0",
            ",",
        ):
            self.refused_value("server", "advertise", text)
        eight = ",".join(f"h{number}.example" for number in range(8))
        self.assertEqual(8, len(self.load(server={"advertise": eight}).config.server.addresses))
        self.assertIn("8 at most", self.refused_value("server", "advertise", f"{eight},h8.example").hint)

    def test_limits_contradict(self) -> None:
        """Limits that exclude each other are refused also where a program makes them."""
        for wrong in (
            {"login_line_bytes": 4096, "login_total_bytes": 4095},
            {"line_bytes": 4096, "envelope_bytes": 4096},
            {"line_bytes": 65_536, "sendq_soft_bytes": 1024, "sendq_hard_bytes": 65_536},
        ):
            self.assertRaises(Impossible, lambda wrong=wrong: Limits(**wrong))
        self.assertRaises(Impossible, Logging, file="..")
        self.assertRaises(Impossible, Monitoring, restart_backoff_min_seconds=2, restart_backoff_max_seconds=1)


class LimitTests(Files):
    """Every number of the settings has a lower and an upper bound."""

    def test_one_beyond(self) -> None:
        """Each bound is taken on its own, and one beyond it is refused."""
        checked = 0
        for table, struct in get_type_hints(Config).items():
            for name, annotation in get_type_hints(struct, include_extras=True).items():
                meta = next((item for item in get_args(annotation) if isinstance(item, msgspec.Meta)), None)
                if meta is None or meta.ge is None:
                    continue
                assert meta.le is not None, f"{table}.{name} has no upper bound"
                for bound, step in ((meta.ge, -1), (meta.le, 1)):
                    self.check_accepted(table, name, bound)
                    self.refused_value(table, name, bound + step)
                    checked += 1
        self.assertGreater(checked, 60)

    def check_accepted(self, table: str, name: str, bound: float) -> None:
        """The bound is a legal value, though other settings may have to move with it."""
        try:
            self.load(**{table: {name: bound}})
        except SettingsError as error:
            self.assertNotIn("expected", error.message)


class UnitsTests(SynchronousTestCase):
    """The units of people."""

    def test_sizes(self) -> None:
        """KB, MB and GB are powers of 1024, with or without the i, in any case."""
        for text, size in (("7", 7), ("7 b", 7), ("2KB", 2048), ("2kib", 2048), ("1 MB", 2**20), ("3GiB", 3 * 2**30)):
            self.assertEqual(size, parse_size(text))
        for text in ("", "MB", "-1", "1.5MB", "1TB", "٣"):
            self.assertRaises(ValueError, parse_size, text)

    def test_durations(self) -> None:
        """Durations have units from milliseconds to days."""
        for text, seconds in (
            ("2", 2.0),
            ("250ms", 0.25),
            ("1.5 s", 1.5),
            ("2min", 120.0),
            ("1h", 3600.0),
            ("1d", 86400.0),
        ):
            self.assertAlmostEqual(seconds, parse_duration(text))
        for text in ("", "s", "-1s", "1e3", "nan", "inf", "2 M"):
            self.assertRaises(ValueError, parse_duration, text)

    def test_addresses(self) -> None:
        """Addresses have a host and a port; loopback is told by the address."""
        self.assertEqual(("::1", 1), split_address("[::1]:1"))
        for text in ("", ":1", "a:", "a:65536", "::1:1", "a:1\n"):
            self.assertRaises(ValueError, split_address, text)
        for host, loopback in (
            ("127.9.9.9", True),
            ("::1", True),
            ("localhost", True),
            (ANY, False),
            ("example", False),
        ):
            self.assertIs(loopback, is_loopback(host))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["10MB", "30s", "WARN"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
NEARLY = st.dictionaries(
    st.sampled_from(TABLES), JSON | st.dictionaries(st.sampled_from(KEYS) | st.text(), JSON, max_size=4)
)


class PropertyTests(SynchronousTestCase):
    """Whatever a file holds."""

    def check(self, data: bytes, suffix: str) -> None:
        """The file gives a config, or one line."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / f"settings{suffix}"
            path.write_bytes(data)
            try:
                self.assertIsInstance(load(Sources(path)).config, Config)
            except SettingsError as error:
                self.assertEqual(1, len(str(error).splitlines()))
                str(error).encode()
                self.assertTrue(error.key)

    @settings(deadline=None)
    @given(JSON | NEARLY)
    def test_any_json(self, value: object) -> None:
        """Any JSON value gives a config or a one-line error."""
        self.check(json.dumps(value).encode(), ".json")

    @settings(deadline=None)
    @given(
        st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.sampled_from([".json", ".toml"]),
    )
    def test_any_bytes(self, data: bytes, suffix: str) -> None:
        """Any bytes give a config or a one-line error."""
        self.check(data, suffix)
