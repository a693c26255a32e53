"""Tested building blocks; import each from its module."""
