"""From the journal into the logs: ``plan`` decides (pure), ``batch`` carries out, ``worker`` reads
the partitions it holds leases of.
"""
