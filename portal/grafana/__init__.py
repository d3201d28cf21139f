"""Amazon Managed Grafana: the client, its errors, and (in ``sandbox``) a stand-in for AWS."""
