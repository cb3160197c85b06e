"""One sealed piece of evidence, as the manifest lists it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Item(BaseModel):
    """An artifact in the vault: where it came from, when, with what, and its digest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    size: int
    name: str
    media_type: str
    collector: str
    connection: str
    volatile: bool
    source: str = ""
    query: str = ""
    request_id: str = ""
    window_since: str = ""
    window_until: str = ""
    collected_at: str = ""
    tool: str = ""  # killswitch and its version
    truncated: bool = False
    note: str = ""
