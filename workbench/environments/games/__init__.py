"""What board games share: graphs of their cells, and small games as tables."""
