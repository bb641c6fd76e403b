"""Programs that publish as the users of each contender do, each in a process of its own."""
