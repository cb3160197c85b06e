"""The configured tenants: warm before anybody is in a hurry."""

from __future__ import annotations

from structlog.testing import capture_logs

from killswitch.model.plan import Mode
from tests.drill import Drill


async def test_warming_asks_every_tenant_who_we_are_and_a_kill_then_need_not(tmp_path):
    async with Drill.of(tmp_path) as drill:
        await drill.house.connections.warm()
        asked = {vendor: len(sim.record()) for vendor, sim in drill.sims.sims.items()}
        assert min(asked.values()) > 0
        for connection in drill.house.connections:
            await connection.call(connection.ourselves)
        assert asked == {vendor: len(sim.record()) for vendor, sim in drill.sims.sims.items()}
        await drill.closed(await drill.start(mode=Mode.PLAN))


async def test_a_tenant_that_does_not_answer_is_logged_and_holds_nothing_up(tmp_path):
    async with Drill.of(tmp_path) as drill:
        drill.sims["claude"].fault("status", status=503)
        with capture_logs() as logs:
            await drill.house.connections.warm()
        warned = {line["connection"] for line in logs if line["log_level"] == "warning"}
        assert warned == {"claude"}
        await drill.closed(await drill.start(mode=Mode.PLAN))
