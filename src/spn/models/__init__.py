"""Networks: encoder, prompts, decoder, and the builder that puts them together."""
