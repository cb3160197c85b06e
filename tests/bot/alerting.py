"""An office that takes alerts: they are delivered as a SIEM does, and the real worker decides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from killswitch.alerts.people import Waiting, waiting
from killswitch.alerts.run import Intake, running
from killswitch.alerts.store import Delivery
from tabletop.sims.slack import FakeSlack
from tests.alerts.support import ALERTS, ROLES, in_house
from tests.bot.office import Office, of_view
from tests.drill import DANA, SOL

Json = dict[str, Any]
LIST = "security-index"
NOBODY = "nobody in particular"  # no address: such an alert is left to people


class Alerting:
    """The office, its alerts, and the channel in which they are listed."""

    def __init__(self, office: Office, intake: Intake) -> None:
        self.office, self.slack, self.intake = office, office.slack, intake

    async def deliver(self, body: bytes, source: str = "in-house") -> int:
        """As the receiver keeps it; the alert's number."""
        signed = "hmac" if source == "in-house" else ""
        at = datetime.now(UTC)
        delivery = Delivery(source, body, "application/json", {}, at, signed)
        return (await self.intake.store.keep(delivery)).id

    async def alert(self, number: int = 1, user: Any = NOBODY, **more: Any) -> str:
        """One more alert, decided; what it is called."""
        kept = await self.deliver(in_house(number, user=user, **more))
        await self.office.wait(lambda: self.row(kept)["decided_at"])
        return f"A-{kept}"

    def row(self, number: int | str) -> Any:
        """What is known of an alert."""
        return self.intake.store.row(int(str(number).removeprefix("A-")))

    def queue(self) -> list[Waiting]:
        """What waits for people."""
        return waiting(self.intake.store, limit=500)

    def posts(self) -> list[Json]:
        """The messages about alerts in their channel, oldest first."""
        found = self.slack.messages(LIST)
        return [m for m in found if "alert" in (of_view(m) + m["text"]).lower()]

    def shown(self) -> str:
        """What the newest of them says."""
        posts = self.posts()
        return of_view(posts[-1]) if posts else ""

    async def says(self, text: str) -> Json:
        """The newest list, as soon as it says so."""
        await self.office.wait(lambda: text in self.shown())
        return self.posts()[-1]

    async def review(self, user: str, alert: str) -> None:
        """Press Review at that alert in the list, and wait until the form is filled."""
        await self.slack.click(user, self.posts()[-1], "alert.review", label=f"Review {alert}")
        await self.office.wait(lambda: not self.office.shows(user, "One moment"))

    async def form(self, user: str, action: str, field: str) -> None:
        """Go on from the review to one of its forms."""
        await self.slack.click(user, self.slack.view(user) or {}, action)
        await self.office.wait(lambda: self.office.has_form(user, field))


@asynccontextmanager
async def alerting(
    folder: Path,
    slack: FakeSlack,
    *,
    private: bool = True,
    members: Iterable[str] = (DANA, SOL),
    every: float = 0.2,
    **more: Any,
) -> AsyncIterator[Alerting]:
    """An office with a channel for the list, and the worker beside the bot as in ``serve``.

    ``every``: seconds between two edits; the product's own are longer than most tests wait.
    """
    index = slack.add_channel(LIST, members=list(members), private=private)
    given = {"alerts": ALERTS, "roles": ROLES, **more}
    async with (
        Office.of(folder, slack, bot={"index_channel": index}, **given) as office,
        running(office.drill.config, office.drill.api, doors=False) as intake,
    ):
        office.parts.notifier.budget.every = every
        yield Alerting(office, intake)
