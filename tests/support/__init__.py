"""What tests share: a whole hub of real processes, and clients of every kind."""
