"""Cases, one for each way to end: journals written by hand, folded as the product folds them."""

from __future__ import annotations

from killswitch.model.action import Layer
from killswitch.model.case import Case
from killswitch.model.event import What
from killswitch.model.plan import Blank, Mode
from tests.report.journal import KEYS, LOCK, SEAT, SESSIONS, SUSPEND, Story, at, change, item

EVERYTHING = [SUSPEND, SESSIONS, *KEYS, LOCK]


def _contained(mode: Mode) -> Story:
    story = Story(mode).planned(EVERYTHING).evidence().approved()
    story.layer(Layer.IDENTITY, 40, 52)
    story.contained(SUSPEND, 40, 45).contained(SESSIONS, 45, 51).done()
    story.layer(Layer.CREDENTIALS, 52, 66)
    for n, key in enumerate(KEYS):
        story.contained(key, 52 + n, 58 + n * 3)
    story.done().layer(Layer.REPOSITORIES, 66, 75).contained(LOCK, 66, 74).done()
    return story.settled("contained", 76)


def contained(mode: Mode = Mode.LIVE) -> Case:
    """Everything read back twice; a sweep found a key; the watch saw nothing."""
    story = _contained(mode)
    story.add(What.WATCHED, 376, round=1, ok=True, reverted=[])
    return story.case()


def partial() -> Case:
    """Okta is late and still being tried; one seat must be removed by hand; one key is unread."""
    found = KEYS[2].model_copy(update={"swept": True})
    story = Story().planned(
        [SUSPEND, SESSIONS, *KEYS[:2], SEAT, LOCK],
        blanks=[
            Blank(use="entra.user.disable", connection="entra", why="not connected", required=True)
        ],
    )
    story.evidence()
    story.add(
        What.GAP,
        60,
        connection="claude",
        collector="claude.transcripts",
        why="cc-80a4d1: the vendor answered 503 until the deadline",
        volatile=True,
    )
    story.add(What.STORED, 61, item=item("late.jsonl", 900, "claude", 61))
    story.approved().layer(Layer.IDENTITY, 40, 130, late=(SUSPEND.id,))
    story.held(SUSPEND, 40).applying(SUSPEND, 40)
    story.state(SUSPEND, "retrying", 130, detail="503 from Okta, tried 6 times")
    story.contained(SESSIONS, 41, 51).done().layer(Layer.CREDENTIALS, 130, 150)
    story.contained(KEYS[0], 130, 138).held(KEYS[1], 131).applying(KEYS[1], 131)
    story.state(KEYS[1], "unverified", 146, detail="two reads disagree")
    story.state(SEAT, "manual", 131, detail="no API")
    story.add(What.FOUND, 147, change=found.model_dump(mode="json"))
    story.contained(found, 147, 149)
    story.add(
        What.NOT_SWEPT,
        149,
        layer="credentials",
        connection="aws",
        action="aws.access_keys.deactivate",
        why="the limit of 100 credentials is reached",
    )
    story.done().layer(Layer.REPOSITORIES, 150, 160).contained(LOCK, 150, 158).done()
    left = [SUSPEND.id, KEYS[1].id, SEAT.id, "entra/entra.user.disable"]
    return story.settled("partial", 161, left).case()


def denied() -> Case:
    """An engineering leader said no."""
    story = Story().planned(EVERYTHING).evidence().opened()
    story.pressed("lee@corp.example", "deny", 71).shut("denied", 71)
    return story.settled("denied", 72).case()


def aborted() -> Case:
    """A responder stopped it before anything was changed."""
    story = Story().planned(EVERYTHING).evidence().opened()
    story.add(What.ABORTED, 30, by="sol@corp.example", reason="wrong Jo").shut("aborted", 30)
    return story.settled("aborted", 31).case()


def stopped() -> Case:
    """A responder stopped it after the first change."""
    story = Story().planned(EVERYTHING).evidence().approved().layer(Layer.IDENTITY, 40, 47)
    story.contained(SUSPEND, 40, 45)
    story.add(What.ABORTED, 46, by="sol@corp.example", reason="wrong Jo").done()
    return story.settled("partial", 48, [c.id for c in EVERYTHING[1:]]).case()


def refused() -> Case:
    """The subject is protected."""
    story = Story(detected_at="")
    return story.add(
        What.REFUSED, 2, why="the subject is protected", kind="Protected", hint="ask a director"
    ).case()


def restored(state: str = "restored") -> Case:
    """Given back, but for what is gone, kept by another case, or changed by somebody else."""
    story = _contained(Mode.LIVE)
    story.add(What.RESTORE_ASKED, 4000, by="sol@corp.example", reason="cause fixed", only=[])
    for one in (LOCK, KEYS[1], KEYS[2], SUSPEND):
        story.applying(one, 4010, undo=True)
    for one in (LOCK, KEYS[1], SUSPEND):
        story.state(one, "restored", 4020, reads=[at(4018), at(4020)])
    story.state(KEYS[0], "kept", 4021, detail="case K-1130 holds it")
    story.state(KEYS[2], "drifted", 4021, detail="somebody deleted it on 14 March")
    story.state(SESSIONS, "reissue", 4022, detail="ended sessions cannot be given back")
    return story.add(What.RESTORED, 4030, state=state, open=[], reissue=[SESSIONS.id]).case()


def hostile() -> Case:
    """Strangers' text wherever a stranger can put it."""
    bad = "<script>alert(1)</script> | `x` [a](javascript:alert(1)) \u202egnp.exe\u2066 \n# big"
    named = change(
        "okta.user.suspend",
        f"id-{bad}",
        bad + "A" * 10_000,
        before={bad: bad, "names": [bad]},
        goal={bad: "x" * 10_000},
        what=bad,
        seconds=60,
        source="javascript:alert(1)",
        manual=bad,
        impact=bad,
    )
    story = Story(reason=bad, link="javascript:alert(1)", requester=bad, door=bad)
    story.planned([named], blanks=[Blank(use="a.b", connection=bad, why=bad, required=True)])
    story.add(What.STORED, 7, item=item(bad, 3, "okta", 7, note=bad))
    story.add(What.GAP, 8, connection=bad, collector=bad, why=bad, volatile=False)
    story.add(What.COLLECTING, 7, connection=bad, collector=bad, volatile=False)
    story.opened().pressed(bad, "approve", 9).shut("approved", 9)
    story.add(What.TURNED_AWAY, 10, gate="lead", person=bad, why=bad)
    story.add(What.JOINED, 10, by=bad, door=bad, reason=bad)
    story.layer(Layer.IDENTITY, 10, 20).held(named, 10).applying(named, 10)
    probe = {"refused": None, "how": bad}
    story.state(named, "failed", 15, detail=bad, reads=[], probe=probe).done()
    story.add(What.NOT_SWEPT, 16, layer=bad, connection=bad, action=bad, why=bad)
    story.settled("partial", 20, [named.id, f"{bad}/a.b"])
    story.add(What.RESTORE_ASKED, 30, by=bad, reason=bad, only=[bad])
    return story.add(What.RESTORED, 31, state="partial", open=[bad], reissue=[bad]).case()


ALL = {
    "contained": contained,
    "partial": partial,
    "denied": denied,
    "aborted": aborted,
    "stopped": stopped,
    "refused": refused,
    "restored": restored,
    "hostile": hostile,
}
