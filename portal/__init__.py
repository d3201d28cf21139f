"""A self-service portal for Amazon Managed Grafana service-account tokens."""
