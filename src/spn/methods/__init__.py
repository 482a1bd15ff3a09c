"""Methods: what each changes in the network and what it trains on."""
