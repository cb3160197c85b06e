"""``python -m killswitch`` is ``agent-kill``."""

from killswitch.cli.main import main

main()
