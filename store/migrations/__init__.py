"""Migrations of the store's schema, by alembic: one module a revision in `versions`, never changed once released."""
