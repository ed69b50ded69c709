"""What every resource shares: problems, cursors, parameters, pages, freshness, the database, the middleware."""
