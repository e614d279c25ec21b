package pusher_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/pusher"
)

// The short way of computing the signature is crypto/hmac's, whatever the
// lengths.
func TestSignIsHMAC(t *testing.T) {
	for _, n := range []int{0, 1, 31, 63, 64, 65, 200, 511, 512, 513, 5000} {
		for _, m := range []int{0, 1, 20, 63, 64, 65, 200} {
			secret, text := strings.Repeat("s", m), strings.Repeat("t", n)
			h := hmac.New(sha256.New, []byte(secret))
			h.Write([]byte(text))
			if got, want := pusher.Sign(secret, text), hex.EncodeToString(h.Sum(nil)); got != want {
				t.Errorf("secret of %d, text of %d: %s, want %s", m, n, got, want)
			}
		}
	}
}
