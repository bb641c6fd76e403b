"""What things are: channels, events, publications, jobs, principals, codes.

Pure values and functions, no I/O. Imports nothing of ours but ``config``.
"""
