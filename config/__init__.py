"""Settings and logging. Imports nothing of ours; everything else may import it.

``settings.py`` reads and checks the environment (contract section 1), ``logs.py`` sets up logging;
deployment files (proxy, Prometheus, Grafana) live beside them.
"""
