"""The style `world`: any place on any day before any camera, for networks that must work everywhere.

A frame draws a place, a day and a camera (`tables.py`), which change the style; a street or an open road is
planned with what is rare elsewhere (`plan.py`), and drawn with surfaces of natural statistics (`render.py`).
"""
