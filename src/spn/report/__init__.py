"""Tables and figures from results and sample images alone; loads neither networks nor datasets."""
