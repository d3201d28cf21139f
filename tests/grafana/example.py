"""The account, workspace and key that the client's tests speak of. None of them exists."""

WORKSPACE = "g-1a2b3c4d5e"
ACCOUNT = "17"
ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
"""AWS's own example."""
REGION = "eu-west-1"
KEY = "glsa_bJ0qYl3mZ8sV5tN1xR7wC2dF9gH4kP6a_1c5e0f7b"
