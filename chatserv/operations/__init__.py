"""What an operator can do: one table of operations, each with the ways that lead to it."""
