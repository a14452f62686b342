"""What is fuzzed: functions that take any bytes, and raise where something else comes of them than what is documented."""

import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import msgspec
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from chatserv.backplane.bus_messages import BadNode, Sealer
from chatserv.backplane.nats import BadBus, NatsReader
from chatserv.backup.archive import read_archive, read_manifest
from chatserv.backup.importing import LineReader
from chatserv.backup.refusals import BackupError, Pace
from chatserv.backup.store_checks import check_store
from chatserv.client import LinkInvalid, parse_link
from chatserv.client.account.keyring import decode_keyring
from chatserv.config import Config
from chatserv.crypto.e2e.backup import BackupContent, Owner, SlotKind, open_backup, open_slots, seal_blob, slot_kinds
from chatserv.crypto.e2e.recovery_code import CodeMistyped, read_code, show_code
from chatserv.crypto.log_evidence import Evidence
from chatserv.crypto.session import RecordKey
from chatserv.errors import BadMessage, Reject, TooLarge, WireError
from chatserv.live_settings import LiveSettings
from chatserv.local_errors import SettingsError
from chatserv.net.control_socket import CREDENTIALS, LINE_BYTES, ControlSocket, Request
from chatserv.operations.table import OPERATIONS
from chatserv.private_files import PrivateFileError
from chatserv.settings_file import SettingsFile
from chatserv.settings_loading import load
from chatserv.settings_sources import Sources
from chatserv.store.database import DatabaseRefused, prepare, refusals, writing_engine
from chatserv.wire import handshake
from chatserv.wire.codec import Decoder, Refused, client_decoder, encode_message, join, server_decoder
from chatserv.wire.framing import DELIMITER, LineSplitter, line_to_record, record_to_line
from chatserv.wire.link import format_link
from chatserv.wire.records import RecordLayer, RekeyLimits
from chatserv.wire.session import receive_open
from clients.irc.lines import MAX_LINE_BYTES, Line, LineInvalid, format_line, parse_line
from clients.irc.multiline import BatchReader
from clients.irc.settings import Bounds
from clients.shared.links import link, links
from clients.window.pictures.child import HEAD, SHOW, answer
from clients.window.pictures.png import SIGNATURE as PNG
from clients.window.pictures.rows import NoPictureError

SECRET: Final = bytes(range(32))
OWNER: Final = Owner(SECRET, "alice")
FILE: Final = Path("/fuzzed")
SHORT_LINE: Final = 1024
MANY_PIXELS: Final = 1_000_000  # more take too long to be tried often


def _layer() -> RecordLayer:
    return RecordLayer(RecordKey(SECRET), RecordKey(SECRET), LINE_BYTES, RekeyLimits(), float)


def record(data: bytes) -> None:
    """A stream of lines: the same lines however it is cut into pieces; each one taken by an open session, or refused."""
    lines = list(_lines(data, len(data) or 1))
    assert lines == list(_lines(data, 7))
    for line in lines:
        with suppress(Reject):
            assert record_to_line(line_to_record(line)) == line + DELIMITER
        with suppress(WireError):
            receive_open(_layer(), line)
    kind, plaintext = (data or b"\0")[0], data[1:]
    with suppress(WireError):
        receive_open(_layer(), _layer().control(kind, plaintext).removesuffix(DELIMITER))  # type: ignore[arg-type]


def _lines(data: bytes, piece: int) -> Iterator[bytes]:
    splitter = LineSplitter(SHORT_LINE)
    with suppress(TooLarge):
        for at in range(0, len(data), piece):
            splitter.feed(data[at : at + piece])
            while (line := splitter.next_line()) is not None:
                yield line
            assert splitter.pending <= SHORT_LINE + 1


def _message(decoder: Decoder[Any], data: bytes) -> None:
    with suppress(BadMessage):
        taken = [each for each in decoder.decode(data) if not isinstance(each, Refused)]
        again = decoder.decode(join([encode_message(each) for each in taken]))
        assert _in_order(again) == _in_order(taken)


def _in_order(found: list[Any]) -> bytes:
    """Bytes that are the same for what is the same: a NaN is itself, and sets have one order."""
    return msgspec.msgpack.encode(found, order="deterministic")


def client_message(data: bytes) -> None:
    """A record of what clients send."""
    _message(client_decoder, data)


def server_message(data: bytes) -> None:
    """A record of what the server sends."""
    _message(server_decoder, data)


def hello(data: bytes) -> None:
    """The structures of the key exchange, both ways: the first byte says which; what is taken is written as it came."""
    kinds = (handshake.ClientHello, handshake.ServerHello, handshake.ServerAuth, handshake.ServerFinish)
    kind, rest = (data or b"\0")[0] % (len(kinds) + 2), data[1:]
    with suppress(WireError):
        if kind == len(kinds):
            assert handshake.decode_client_auth(rest).encode() == rest
        elif kind > len(kinds):
            handshake.decode_rotations(rest)
        else:
            assert kinds[kind].decode(rest).encode() == rest


class _InMemory(SettingsFile):
    """A settings file without a disk."""

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(Path(name))
        self._data = data

    def _bytes(self) -> bytes:
        return self._data


class _Given(Sources, frozen=True):
    """One file alone, in memory."""

    def files(self) -> Iterator[SettingsFile]:
        """It."""
        if self.file is not None:
            yield _InMemory(self.file.name, self.environ["data"].encode(errors="surrogateescape"))


def _settings(sources: Sources) -> None:
    try:
        loaded = load(sources)
    except SettingsError as error:
        said = [str(error)]
    else:
        said = [*loaded.warnings, *loaded.origin.values()]
    assert all(each.isprintable() for each in said)


def settings_toml(data: bytes) -> None:
    """A settings file in TOML."""
    _settings(_Given(FILE.with_suffix(".toml"), environ={"data": data.decode(errors="surrogateescape")}))


def settings_json(data: bytes) -> None:
    """A settings file in JSON."""
    _settings(_Given(FILE.with_suffix(".json"), environ={"data": data.decode(errors="surrogateescape")}))


def settings_environment(data: bytes) -> None:
    """The environment: ``NAME=value`` with NUL between, as the kernel keeps it (proc(5))."""
    pairs = [each.partition("=") for each in data.decode(errors="surrogateescape").split("\0")]
    _settings(_Given(environ={f"CHATSERV__{name}": value for name, _, value in pairs}))


def server_link(data: bytes) -> None:
    """A link to a server, as people paste it."""
    with suppress(LinkInvalid):
        found = parse_link(data.decode(errors="replace"))
        assert parse_link(format_link(found)) == found


def text_links(data: bytes) -> None:
    """Links in what people write: what is opened is plain ASCII of a scheme that is opened."""
    text = data.decode(errors="replace")
    end = 0
    for begin, after in links(text):
        assert end <= begin < after
        end = after
        found = link(text[begin:after])
        assert found is not None
        assert found.url.isascii()
        assert found.url.isprintable()
        assert " " not in found.url
        assert found.url.startswith(("http://", "https://", "mailto:"))


def archive(data: bytes) -> None:
    """A backup's archive, as it came and with the checksums of its headers put right."""
    for each in (data, _with_checksums(data)):
        with closing(os.fdopen(os.memfd_create("archive"), "w+b")) as file:
            file.write(each)
            file.seek(0)
            with suppress(BackupError):
                read_archive(FILE, file, BytesIO().write, Pace())


def _with_checksums(data: bytes) -> bytes:
    """What fuzzers cannot guess: the sum of each block that follows where a header may stand."""
    blocks = bytearray(data + bytes(-len(data) % tarfile.RECORDSIZE))
    at = 0
    while at < len(blocks) and any(header := blocks[at : at + tarfile.BLOCKSIZE]):
        header[148:156] = b" " * 8
        blocks[at + 148 : at + 156] = b"%06o\0 " % sum(header)
        size = header[124:135].rstrip(b"\0 ")
        length = int(size, 8) if size and not size.strip(b"01234567") else 0
        at += tarfile.BLOCKSIZE * (1 + -(-length // tarfile.BLOCKSIZE))
    return bytes(blocks)


def manifest(data: bytes) -> None:
    """What a backup says of itself."""
    with suppress(BackupError):
        read_manifest(FILE, data)


def sealed_backup(data: bytes) -> None:
    """A person's sealed backup: as a blob of the server's, and as what somebody with the key has put into it."""
    with suppress(Reject):
        open_backup(SECRET, data, OWNER, 1)
    with suppress(Reject):
        content = open_backup(SECRET, seal_blob(SECRET, data, OWNER.blob_context(1)), OWNER, 1)
        assert content.encode() == data
        with suppress(Reject):
            BackupContent.decode(content.fitting().encode())
    slots = tuple(data[at : at + 65] for at in range(0, min(len(data), 650), 65))
    slot_kinds(slots)
    open_slots(slots, SlotKind.CODE, SECRET[:20], OWNER)


def evidence(data: bytes) -> None:
    """A file of evidence against a server, as somebody sent it."""
    with suppress(Reject):
        found = Evidence.decode(data)
        assert Evidence.decode(found.encode()) == found
        found.judge()


def keyring(data: bytes) -> None:
    """The keyring in a profile's file."""
    with suppress(PrivateFileError):
        decode_keyring(data, FILE)


def recovery_code(data: bytes) -> None:
    """A recovery code, as somebody types it."""
    with suppress(CodeMistyped):
        code = read_code(data.decode(errors="replace"))
        assert read_code(show_code(code)) == code


@cache
def _empty_store() -> tuple[Any, Any]:
    directory = tempfile.TemporaryDirectory(prefix="chatserv-fuzz-")  # gone with the process
    database = Path(directory.name) / "chatserv.db"
    prepare(database)
    return writing_engine(database), directory


def export(data: bytes) -> None:
    """An export that is read into an empty store: taken whole, or refused by line; nothing of it stays."""
    engine, _directory = _empty_store()
    with suppress(BackupError, DatabaseRefused), refusals(FILE), engine.connect() as connection:
        connection.begin()
        try:
            LineReader(FILE, BytesIO(data), connection, Pace()).read()
            check_store(connection, FILE, Pace())
        finally:
            connection.rollback()


class _Peer(StringTransport):
    """A connection of the server's own user."""

    def getHandle(self) -> Any:
        """As the kernel tells who it is."""
        return SimpleNamespace(getsockopt=lambda *_: CREDENTIALS.pack(1, os.geteuid(), 0))


async def _check(request: Request) -> Mapping[str, Any]:
    operation = OPERATIONS.get(request.operation)
    return {"result": sorted(operation.read(request.arguments)) if operation is not None else None, "code": 0}


def control(data: bytes) -> None:
    """What is asked over the operator's socket: one answer at most, never ``internal``, and the place is given back."""
    clock = Clock()
    socket = ControlSocket(FILE, LiveSettings(Config()), _check, clock)
    protocol, peer = socket.buildProtocol(None), _Peer()
    protocol.makeConnection(peer)
    protocol.dataReceived(data)
    answers = peer.value().splitlines()
    assert len(answers) <= 1
    assert not answers or b'"internal"' not in answers[0]
    protocol.connectionLost()
    clock.advance(3600)
    assert not clock.getDelayedCalls()
    assert socket._busy == 0


def bus_server(data: bytes) -> None:
    """What a bus server says: the same however it is cut into pieces, or refused by name either way."""
    said = _of_bus(data, len(data) or 1)
    assert said == _of_bus(data, 7)


def _of_bus(data: bytes, size: int) -> list[Any] | None:
    reader, found = NatsReader(), []
    try:
        for at in range(0, len(data), size):
            found += reader.take(data[at : at + size])
    except BadBus:
        return None
    return found


def bus_message(data: bytes) -> None:
    """What another node says, of whatever version: a message of ours, none that is known, or refused by name."""
    sealer = Sealer(SECRET, "fuzz", b"")
    with suppress(BadNode):
        said = sealer.open("fuzz.log", data[:1] + sealer._mac("fuzz.log", data) + data[1:])
        assert said is None or sealer.open("fuzz.log", sealer.seal("fuzz.log", said)) == said


def picture(data: bytes) -> None:
    """A file that is to be shown: as many pixels as were asked for, or refused by name."""
    with suppress(NoPictureError):
        if not data.startswith(PNG) or int.from_bytes(data[16:20]) * int.from_bytes(data[20:24]) < MANY_PIXELS:
            found = answer(SHOW, 16, 16, data)
            _, _, width, height = HEAD.unpack_from(found)
            assert len(found) == HEAD.size + 3 * width * height


def irc_lines(data: bytes) -> None:
    """Lines of an IRC client, and batches of them: refused by name, or read; what is written of one is one line."""
    reader = BatchReader(Bounds(), Clock(), lambda _: None)
    for each in data.split(b"\n"):
        try:
            line = parse_line(each.removesuffix(b"\r"))
        except LineInvalid:
            continue
        taken = None if line is None else reader.take(line)
        if taken is None:
            continue
        assert len(taken.param(1).encode()) <= max(Bounds().multiline_bytes, MAX_LINE_BYTES)
        with suppress(ValueError):
            written = format_line(Line(taken.verb, taken.params, tags=taken.tags))
            assert written.endswith(b"\r\n")
            assert not any(byte in b"\r\n\0" for byte in written[:-2])


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    target.__name__: target
    for target in (
        record,
        client_message,
        server_message,
        hello,
        settings_toml,
        settings_json,
        settings_environment,
        server_link,
        text_links,
        archive,
        manifest,
        sealed_backup,
        evidence,
        keyring,
        recovery_code,
        export,
        control,
        bus_server,
        bus_message,
        picture,
        irc_lines,
    )
}
