"""Alerting. MODES of NEXTRADE_ALERTING:

embedded: alertd evaluates and tells. alertmanager: alertd evaluates, an Alertmanager tells. prometheus: a Prometheus
evaluates and its Alertmanager tells; alertd writes down what they found.
"""

MODES = ("embedded", "alertmanager", "prometheus")
