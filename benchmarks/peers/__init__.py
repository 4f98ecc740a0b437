"""The same searches by other libraries, each in a process of its own."""
