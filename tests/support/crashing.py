"""A program of a world in memory dies: nothing is said to the server, and nothing more is stored."""

from pathlib import Path

from chatserv.testing.world import Person


def crash(person: Person) -> None:
    """Its files stay as they are at this moment; `Person.come_back` starts it again."""
    directory = Path(person.profile.directory)
    files = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    person.world.server.cut()
    person.client.stop()
    for path in directory.iterdir():
        if path.is_file():
            path.unlink()
    for name, data in files.items():
        (directory / name).write_bytes(data)
        (directory / name).chmod(0o600)
