"""Pure rules: names, roles, the hub of live sessions."""
