"""Every generated file, by its path in the repository."""

from __future__ import annotations

from killswitch import playbooks
from killswitch.reference import commands, entries, keys

HEAD = "<!-- Written by `python -m killswitch.reference` from the code. Do not edit. -->\n\n"


def pages() -> dict[str, str]:
    """Path -> text."""
    documents = {
        "cli.md": commands.page(),
        "actions.md": entries.actions(),
        "collectors.md": entries.collectors(),
        "scopes.md": entries.scopes(),
        "playbook.md": keys.playbook(),
        "config.md": keys.config(),
    }
    written = {f"docs/reference/{name}": HEAD + text for name, text in documents.items()}
    return {**written, "playbooks/schema.json": playbooks.schema_text()}
