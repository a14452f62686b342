"""A copy of a PostgreSQL database and of its files, made and put back by the lines of ``docs/cluster.rst``."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict
from twisted.trial.unittest import SynchronousTestCase

from chatserv.blob_directory import BlobDirectory
from chatserv.testing.postgres import programs
from chatserv.testing.processes import ServerProgram, register_two, run_client
from tests.faults.commanding import command
from tests.support.postgres import cluster

DOCUMENT = Path(__file__).parents[2] / "docs" / "cluster.rst"
NEWER = bytes([9]) * 16


class CopyTests(SynchronousTestCase):
    """The drill of whoever has lost everything but the copies."""

    def lines(self) -> list[str]:
        """The four lines that the document has, without what explains them."""
        text = DOCUMENT.read_text().partition("\nCopies\n")[2]
        found = re.findall(r"(?m)^   \$ ((?:pg_dump|cp|createdb) .*?)(?:  +#.*)?$", text)
        self.assertEqual(4, len(found), found)
        return found

    def do(self, line: str, place: Path, blobs: Path, url: str, name: str) -> None:
        """A line, with this run's own places and names."""
        line = line.replace("/srv/chat/blobs", str(blobs)).replace("postgresql://chat@db1/chat", url)
        line = line.replace("createdb chat", f"createdb --host={cluster().directory} --username=chat {name}")
        environment = {**os.environ, "PATH": f"{programs()}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["/bin/sh", "-ec", line],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr)

    def test_drill(self) -> None:
        """What was sent before the dump is read after it was put back; what only the files have is gone after a sweep."""
        url = cluster().create()
        place = Path(self.mktemp()).absolute()
        (place / "again").mkdir(parents=True)
        blobs, data = place / "blobs", os.urandom(300_000)
        (place / "report.bin").write_bytes(data)
        dump, copy, copy_back, create = self.lines()
        settings = {"blobs": {"directory": str(blobs)}, "store": {"url": url}}
        with ServerProgram(place, settings) as server:
            register_two(server, "ann", "bob")
            run_client(place, "ann", "--file", str(place / "report.bin"))
            self.do(dump, place, blobs, url, "")
            BlobDirectory(blobs).write(NEWER, 0, b"came after the dump")
            self.do(copy, place, blobs, url, "")
            server.kill()
        shutil.rmtree(blobs)
        cluster().execute(f"DROP DATABASE {conninfo_to_dict(url)['dbname']} WITH (FORCE)")
        name = "chat_put_back"
        settings["store"] = {"url": cluster().url(name)}
        other = ServerProgram(place / "again", settings, port=server.port)
        other.state.mkdir(0o700)
        for key in ("identity.pem", "tls.key", "tls.crt"):
            shutil.copy(server.state / key, other.state)
        for line in (copy_back, create):
            self.do(line, place, blobs, cluster().url(name), name)
        checks = {
            each["text"]
            for each in json.loads(
                command(other, "--config", str(other.directory / "settings.json"), "--json", "doctor")[0]
            )["checks"]
        }
        self.assertIn(f"{blobs}: 1 files that people have sent, 0 MB", checks)
        self.assertEqual([NEWER], BlobDirectory(blobs).shelf(9))
        with other:
            (place / "saved").mkdir()
            run_client(place, "bob", "--save", str(place / "saved"), "--count", "1")
            saved = (place / "saved" / "report.bin").read_bytes()
            self.assertEqual(hashlib.sha256(data).hexdigest(), hashlib.sha256(saved).hexdigest())
        self.assertEqual([], BlobDirectory(blobs).shelf(9))
