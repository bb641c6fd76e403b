"""``python -m hub``: see ``python -m hub --help``."""

from hub.cli import main

if __name__ == "__main__":
    main()
