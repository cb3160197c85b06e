"""The command line: agent-kill."""
