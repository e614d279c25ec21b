import os
import pathlib
import subprocess
import tempfile
import unittest

from belfry import sign, sign_standard
from belfry._sign import parse_secrets

BODY = '{"reason": "check-in, é", "stats": null, "range": "this_week"}'.encode()
PROGRAM = os.environ.get("BELFRY") or pathlib.Path(__file__).resolve().parents[3] / "bin" / "belfry"


class Sign(unittest.TestCase):
    def test_plain_equals_openssl(self):
        out = subprocess.run(["openssl", "dgst", "-sha256", "-hmac", "s3cret", "-r"], input=BODY, capture_output=True, check=True)
        self.assertEqual(sign("s3cret", BODY), out.stdout.split()[0].decode())

    def test_both_equal_the_program(self):
        for secret in ("s3cret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"):
            with tempfile.TemporaryDirectory() as folder:
                env = {**os.environ, "SERVICES_WEBHOOK_SHARED_SECRET": secret, "BELFRY_DATA_DIR": folder}

                def belfry(*args):
                    command = [str(PROGRAM), "webhook:sign", "-", *args]
                    return subprocess.run(command, input=BODY, capture_output=True, check=True, env=env, cwd=folder).stdout.decode()

                self.assertEqual(belfry(), f"X-Webhook-Signature: {sign(secret, BODY)}\n")
                standard = belfry("--scheme", "standard", "--id", "msg_1", "--timestamp", "1700000000")
                self.assertIn("Webhook-Signature: " + sign_standard(secret, "msg_1", 1700000000, BODY) + "\n", standard)

    def test_standard_equals_the_published_example(self):
        made = sign_standard("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
        self.assertEqual(made, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")

    def test_a_secret_that_is_not_base64(self):
        for secret in ("whsec_", "whsec_not!"):
            with self.assertRaises(ValueError) as caught:
                sign_standard(secret, "msg_1", 1, BODY)
            self.assertNotIn("not!", str(caught.exception))

    def test_several_secrets(self):
        self.assertEqual(parse_secrets(" one ,, two\n"), ["one", "two"])
        self.assertEqual(parse_secrets(["one", " "]), ["one"])
