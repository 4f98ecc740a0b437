"""Targets made from windows of experience. Every module here is one."""
