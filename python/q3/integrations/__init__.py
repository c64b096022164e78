"""Adapters to what other packages call an embedding model; each module needs the package of its name."""
