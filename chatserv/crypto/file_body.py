"""The body of a file's message (docs/rooms.rst 7.4): where its sealed bytes are, what opens them, what it is called."""

from dataclasses import dataclass, field
from typing import Final

from chatserv.crypto.checks import check_id, made_text, read_list, read_text
from chatserv.crypto.encoding import Reader, u8, u32, u64, v8, v16, v32
from chatserv.errors import Reject

FILE_KEY_BYTES: Final = 32
FILE_HASH_BYTES: Final = 32
MAX_FILE_BYTES: Final = 2**40
MAX_FILE_NAME_BYTES: Final = 1024
MAX_MIME_BYTES: Final = 127
MAX_PREVIEW_BYTES: Final = 8192
MAX_PIXELS: Final = 2**31 - 1
"""Of a picture's width, and of its height."""
MAX_WORDS_BYTES: Final = 2048

_MEASURES: Final = 1
_PREVIEW: Final = 2
_WORDS: Final = 3
_KNOWN: Final = frozenset({_MEASURES, _PREVIEW, _WORDS})


@dataclass(frozen=True)
class File:
    """A file that members of the room can get from the server, sealed (docs/crypto.rst, "Files").

    Nothing of it is to be shown or obeyed as it stands: whoever sent it has made all of it up.

    Attributes:
        blob_id: What the server calls the sealed bytes, 16 bytes.
        key: Opens them, 32 bytes.
        hash: SHA-256 of the sealed bytes, 32 bytes.
        size: Of the file, in bytes, at most `MAX_FILE_BYTES`.
        name: In NFC, at most `MAX_FILE_NAME_BYTES`.
        mime: What kind of file the sender calls it.
        width: Of a picture, in pixels; 0 where it is none.
        height: Likewise.
        preview: A small picture of it, at most `MAX_PREVIEW_BYTES`; empty where there is none.
        words: What is said beside it, at most `MAX_WORDS_BYTES`.
        later: What this version does not know, by kind, in order.
    """

    blob_id: bytes
    key: bytes = field(repr=False)
    hash: bytes
    size: int
    name: str = field(repr=False)
    mime: str = field(default="", repr=False)
    width: int = 0
    height: int = 0
    preview: bytes = field(default=b"", repr=False)
    words: str = field(default="", repr=False)
    later: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Normalises the texts. Raises `Reject` for what cannot be."""
        check_id(self.blob_id, "file")
        if len(self.key) != FILE_KEY_BYTES or len(self.hash) != FILE_HASH_BYTES:
            raise Reject("file: a key or a hash of another length")
        if not 0 <= self.size <= MAX_FILE_BYTES:
            raise Reject(f"file: more than {MAX_FILE_BYTES} bytes")
        if any(kind in _KNOWN for kind, _ in self.later):
            raise Reject("file: a part that is known")
        if not (0 <= self.width <= MAX_PIXELS and 0 <= self.height <= MAX_PIXELS) or (self.width > 0) != (
            self.height > 0
        ):
            raise Reject("file: a picture that cannot be")
        if len(self.preview) > MAX_PREVIEW_BYTES:
            raise Reject(f"file: a preview of {len(self.preview)} bytes, at most {MAX_PREVIEW_BYTES}")
        object.__setattr__(self, "name", made_text(self.name, "file name", MAX_FILE_NAME_BYTES))
        object.__setattr__(self, "mime", made_text(self.mime, "file type", MAX_MIME_BYTES))
        object.__setattr__(self, "words", made_text(self.words, "words beside a file", MAX_WORDS_BYTES))

    def encode(self) -> bytes:
        """``blob_id[16]; key[32]; hash[32]; u64 size; name<V16>; mime<V8>; { u8 kind; value<V16> } ext<V32>``."""
        measures = u32(self.width) + u32(self.height) if self.width else b""
        known = ((_MEASURES, measures), (_PREVIEW, self.preview), (_WORDS, self.words.encode()))
        more = sorted([(kind, value) for kind, value in known if value] + list(self.later))
        fixed = self.blob_id + self.key + self.hash + u64(self.size)
        ext = b"".join(u8(kind) + v16(value) for kind, value in more)
        return fixed + v16(self.name.encode()) + v8(self.mime.encode()) + v32(ext)

    @classmethod
    def decode(cls, data: bytes) -> "File":
        """Parses strictly; what this version does not know of the last part is passed over. Raises `Reject`."""
        reader = Reader(data, "file")
        blob_id, key, digest = reader.take(16), reader.take(FILE_KEY_BYTES), reader.take(FILE_HASH_BYTES)
        size, name, mime = reader.u64(), read_text(reader.v16(), "file name"), read_text(reader.v8(), "file type")
        more = read_list(reader.v32(), "file", lambda each: (each.u8(), each.v16()))
        reader.end()
        kinds = [kind for kind, _ in more]
        if kinds != sorted(set(kinds)):
            raise Reject("file: parts out of order, or doubled")
        known = {kind: value for kind, value in more if kind in _KNOWN}
        width = height = 0
        if _MEASURES in known:
            measures = Reader(known[_MEASURES], "file: measures")
            width, height = measures.u32(), measures.u32()
            measures.end()
            if not width or not height:
                raise Reject("file: a picture without a size")
        if b"" in known.values():
            raise Reject("file: an empty part")
        words = read_text(known.get(_WORDS, b""), "words beside a file")
        later = tuple((kind, value) for kind, value in more if kind not in _KNOWN)
        return cls(blob_id, key, digest, size, name, mime, width, height, known.get(_PREVIEW, b""), words, later)
