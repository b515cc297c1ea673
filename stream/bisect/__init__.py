"""Bisect: which events made a model worse, found by replay from stored versions. It looks, and changes nothing."""
