"""Journals written by hand, seen as a drill sees them. The drill begins with its alert."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from killswitch.model.action import Layer
from killswitch.model.case import fold
from killswitch.model.event import What
from killswitch.model.plan import Mode
from tabletop.measures import measure, why_not
from tabletop.seen import Seen
from tests.report.journal import KEYS, LOCK, SESSIONS, START, SUSPEND, Story, at

ALERT = 95.0  # seconds from the alert to the request, as the stories have it
BEGAN = START - timedelta(seconds=ALERT)
JO, LEE, RIA, DANA = (f"{name}@corp.example" for name in ("jo", "lee", "ria", "dana"))
CHANGES = [SUSPEND, *KEYS, LOCK]


def of(text: str) -> float:
    return (datetime.fromisoformat(text) - BEGAN).total_seconds()


def seen(*stories: Story, **more: Any) -> Seen:
    """The stories as cases K-1127, K-1128 and so on, of one journal."""
    told = [
        [replace(e, case=f"K-{1127 + n}", seq=e.seq + 1000 * n) for e in story.entries]
        for n, story in enumerate(stories)
    ]
    known: dict[str, Any] = {"suspects": [JO], "alerts": [0.0], **more}
    entries = [entry for entries in told for entry in entries]
    return Seen(entries=entries, cases=[fold(entries) for entries in told], of=of, **known)


def asked(**request: Any) -> Story:
    return Story(Mode.DRILL, **request)


def planned(**request: Any) -> Story:
    """Requested at 0 s, planned at 6 s."""
    return asked(**request).planned(CHANGES, blanks=[])


def layers(story: Story) -> Story:
    """Identity from 40 s to 52 s, credentials to 66 s, repositories to 75 s; settled at 76 s."""
    story.layer(Layer.IDENTITY, 40, 52).contained(SUSPEND, 40, 45).done()
    story.layer(Layer.CREDENTIALS, 52, 66)
    for n, key in enumerate(KEYS):
        story.contained(key, 52 + n, 58 + n * 3)
    story.done().layer(Layer.REPOSITORIES, 66, 75).contained(LOCK, 66, 74).done()
    return story.settled("contained", 76)


def contained(**request: Any) -> Story:
    """Sealed at 22.5 s, asked at 6.5 s, approved at 38 s, contained at 74 s."""
    return layers(planned(**request).evidence().approved())


def restored(state: str = "restored") -> Story:
    """Asked back at 200 s and settled at 260 s."""
    story = contained()
    story.add(What.RESTORE_ASKED, 200, by=DANA, reason="cause fixed", only=[])
    story.applying(SUSPEND, 230, undo=True).state(SUSPEND, "restored", 250)
    return story.add(What.RESTORED, 260, state=state, open=[], reissue=[])


def unknown(name: str, drill: Seen, why: str) -> bool:
    """Whether the measure cannot be said, and says why."""
    return measure(name, drill) is None and why in why_not(name, drill)


__all__ = ["KEYS", "LOCK", "SESSIONS", "SUSPEND", "What", "at"]
