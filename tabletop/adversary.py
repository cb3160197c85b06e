"""The simulated adversary: what the agent or the suspect does while the drill runs.

Every act goes over HTTP to a simulator, with the suspect's own credentials, as the real one's
would. Each returns what came of it; none raises because access was refused. What an act mints is
tried too when the ground truth is found.
"""

from __future__ import annotations

from tabletop.acts import aws, claude, github, okta
from tabletop.acts.act import Act, Doing

__all__ = ["ACTS", "Act", "Doing"]

ACTS: dict[str, Doing] = {**okta.ACTS, **github.ACTS, **aws.ACTS, **claude.ACTS}
