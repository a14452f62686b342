"""The store on PostgreSQL; imported only where ``store.url`` names a database."""
