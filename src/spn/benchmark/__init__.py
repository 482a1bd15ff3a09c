"""Many trainings from one file: methods × seeds × domains."""
