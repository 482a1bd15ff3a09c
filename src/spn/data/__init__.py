"""Readers of street datasets: a declaration per dataset, one behaviour for all of them."""
