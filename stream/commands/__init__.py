"""The commands of `tidemark`, each imported only when it is called: help must not wait for river."""
