"""``python -m chatserv`` is the command ``chatserv``."""

from chatserv.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
