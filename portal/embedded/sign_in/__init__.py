"""An OpenID provider for the sandbox: choose a person, and be signed in as them.

It checks no password. It runs beside the sandbox alone, on the loopback address, and knows nothing
of Django: it stands for another company's server.
"""
