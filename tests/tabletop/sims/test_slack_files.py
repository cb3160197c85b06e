"""Files: uploaded with the SDK's own three steps, shared where the app may post."""

from __future__ import annotations

import httpx

from tabletop.sims.slack import FakeSlack
from tests.tabletop.sims.slack_app import client
from tests.tabletop.sims.test_slack_api import error


async def test_a_report_is_uploaded_and_shared(slack: FakeSlack) -> None:
    api, channel = client(slack), slack.add_channel("kill-1", members=["dana"], private=True)
    ts = (await api.chat_postMessage(channel=channel, text="closed"))["ts"]
    await api.files_upload_v2(
        channel=channel,
        thread_ts=ts,
        filename="K-1.html",
        title="Report",
        content="<html>report</html>",
        initial_comment="The report",
    )
    [file] = slack.files()
    assert (file.name, file.title, file.content) == ("K-1.html", "Report", b"<html>report</html>")
    assert (file.channel, file.thread_ts) == (channel, ts)
    [reply] = slack.thread(slack.messages("kill-1")[0])
    assert reply["text"] == "The report"
    assert reply["files"][0]["name"] == "K-1.html"
    assert "(file: K-1.html)" in slack.transcript(visible_to="dana")


async def test_what_is_not_uploaded_whole_cannot_be_shared(slack: FakeSlack) -> None:
    api, channel = client(slack), slack.add_channel("kill-1", private=True)
    given = await api.files_getUploadURLExternal(filename="r.html", length=5)
    files = [{"id": given["file_id"]}]
    early = api.files_completeUploadExternal(files=files, channel_id=channel)
    assert await error(early) == "file_not_found"
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.post(given["upload_url"], content=b"1234")).status_code == 400
        assert (await http.post(given["upload_url"], content=b"12345")).text == "OK - 5"
        assert (await http.post(given["upload_url"], content=b"12345")).status_code == 404
    outside = slack.add_channel("board", members=["ceo"], private=True, app=False)
    hidden = api.files_completeUploadExternal(files=files, channel_id=outside)
    assert await error(hidden) == "channel_not_found"
    await api.files_completeUploadExternal(files=files, channel_id=channel)
    again = api.files_completeUploadExternal(files=files, channel_id=channel)
    assert await error(again) == "file_not_found"
    slack.space.scopes.discard("files:write")
    assert await error(api.files_getUploadURLExternal(filename="x", length=1)) == "missing_scope"
