"""`multimodal-pulse studio`: starts the page and opens it in a browser."""

import secrets
import socket
import sys
import threading
import webbrowser
from pathlib import Path

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.studio.guard import LOOPBACK


def serve(host: str, port: int, browser: bool, outputs: Path) -> None:
    """Serves the studio until Ctrl-C.

    Args:
        host: the address to listen on.
        port: the port; 0: a free one.
        browser: whether a browser is opened.
        outputs: the folder of runs.

    Raises:
        UserError: the extra is not installed, or the port is taken.
    """
    try:
        import uvicorn

        from multimodal_pulse.studio.app import make_app
    except ModuleNotFoundError as error:
        raise UserError(
            f"The studio needs {error.name}, which is not installed: pip install 'multimodal-pulse[studio]', or in a"
            " checkout pip install -e '.[studio]'."
        ) from error
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    # Only this machine reaches a loopback address; on any other one a stranger must not.
    token = None if host in LOOPBACK else secrets.token_urlsafe(16)
    app = make_app(outputs, host, token, (socket.gethostname(),))
    named = socket.gethostname() if host in ("0.0.0.0", "::") else host
    address = f"http://{f'[{named}]' if ':' in named else named}:{port}/"
    if token is not None:
        address += f"?token={token}"
    print(f"studio: {address}   (Ctrl-C ends it)", file=sys.stderr, flush=True)
    if browser:
        threading.Timer(0.5, webbrowser.open, [address]).start()
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2, ws="none")
    uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)  # whoever comes before the studio is ready waits for it
    except OSError as error:
        listening.close()
        raise UserError(f"{host}:{port} cannot be listened on ({error.strerror}): choose another --port.") from error
    return listening
