"""The after-action report and improvement plan (AAR/IP) of a drill."""
