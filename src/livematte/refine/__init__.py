"""Refiners: a matte goes in, a better one comes out. One file each."""
