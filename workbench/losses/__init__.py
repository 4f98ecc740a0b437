"""Terms of the objective. Every module here is one component."""
