"""`spn web`: a page in a browser that labels photographs and short videos. Needs Gradio (extra `web`)."""

LOOPBACK = "127.0.0.1"
"""The address that only this computer reaches."""
