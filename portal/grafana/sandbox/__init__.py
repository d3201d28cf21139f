"""A stand-in for Amazon Managed Grafana's control plane that boto3 and the AWS CLI take for it.

Start it:

    export SANDBOX_SECRET_ACCESS_KEY=...        # any text; or --secret-file FILE
    python -m portal.grafana.sandbox --port 9100 --data FILE.sqlite3

and use it with the same pair of credentials (the access key is ``SANDBOX`` unless
``--access-key`` says otherwise) and region (``eu-west-1`` unless ``--region``):

    AWS_ENDPOINT_URL_GRAFANA=http://127.0.0.1:9100 aws grafana list-workspaces

One explicit pair is known, and its signatures are verified: a client that signs wrongly must fail
here as it would at AWS. Session tokens are accepted unread, but must be signed.

What differs from AWS, on purpose: there is no TLS, so a workspace's ``endpoint`` carries its scheme
(``http://127.0.0.1:9100/grafana/g-...``, where ``GET /api/org`` tells whether a key works); there
is no IAM, so AccessDeniedException comes only from an injected fault; and ids of accounts and
tokens count from the start in each workspace, as they do in each Grafana: alone they name nothing.

What a request meets, in order: its route, its signature, rate limits, latency (and whether it is
held), faults, validation, effect. Limits, latency, faults and the clock are steered under
``/_sandbox/``, without credentials and from this machine only: `steering.py` lists what can be said
there, `settings.py` and `faults.py` in which words. `seed.py` documents the file that ``--seed``
takes.

The package imports nothing but the standard library, and keeps the SHA-256 of a key, never the key.
"""
