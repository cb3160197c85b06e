"""Alerts in: a SIEM's alert is kept, judged by rules and, at most, opens a case.

``receiver`` keeps what comes and answers; ``worker`` decides later, with the pure functions of
``decide``, and goes through ``killswitch.api`` like every other door.
"""
