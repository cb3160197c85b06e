"""``python -m killswitch`` is ``agent-kill``."""

from killswitch.cli.main import main

if __name__ == "__main__":
    main()
