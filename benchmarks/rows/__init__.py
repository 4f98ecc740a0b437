"""Rows of the benchmark. Every module here is one."""
