"""A receiver on this machine that checks signatures, for tests."""

import base64
import hashlib
import hmac
import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE = 30.0


class Receiver:
    def __init__(self, secret="s3cret", answers=(), port=0):
        self.secret = secret.encode()
        self.answers = list(answers)  # status codes of the next calls; then 200
        self.calls = queue.Queue()  # (status, headers, message)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.judge(self.headers, body)
                text = b"wrong\nsignature" if status == 403 else b"said"
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(text)
                outer.calls.put((status, self.headers, json.loads(body)))

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/api/dashboard/notify-update"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def judge(self, headers, body):
        plain = hmac.new(self.secret, body, hashlib.sha256).hexdigest()
        if "X-Webhook-Signature" in headers and headers["X-Webhook-Signature"] != plain:
            return 403
        if "webhook-signature" in headers:
            content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            right = base64.b64encode(hmac.new(self.secret, content, hashlib.sha256).digest()).decode()
            if "v1," + right not in headers["webhook-signature"].split():
                return 403
        return self.answers.pop(0) if self.answers else 200

    def next(self):
        return self.calls.get(timeout=PATIENCE)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
