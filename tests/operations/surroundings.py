"""AMG and a mail server, for the installation that docs/OPERATIONS.md describes.

``python -m tests.operations.surroundings FOLDER``: the sandbox on port 9400 (a proxy ends TLS
before it) and SMTP with STARTTLS on port 587, until it is ended. FOLDER has certificate.pem and
key.pem; what AWS's client has to be told is written to FOLDER/aws.env, each mail to FOLDER/mails.
"""

import ssl
import sys
import time
from pathlib import Path

from tests.grafana.certificates import Certificate
from tests.grafana.sandbox_process import SandboxProcess
from tests.tls import MailServer

SANDBOX_PORT, MAIL_PORT = 9400, 587
TOLD = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def main() -> None:
    folder = Path(sys.argv[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    sandbox = SandboxProcess(folder)
    sandbox.port = SANDBOX_PORT
    certificate = Certificate(folder / "certificate.pem", context)
    with sandbox, MailServer(certificate, password="mail password", port=MAIL_PORT) as mail:
        lines = [f"{name}={sandbox.environment[name]}\n" for name in TOLD]
        (folder / "aws.env").write_text("".join(lines))
        while True:
            (folder / "mails").write_text("\n".join(mail.mails))
            time.sleep(0.5)


if __name__ == "__main__":
    main()
