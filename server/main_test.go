package server_test

import (
	"testing"

	"go.uber.org/goleak"
)

// certmagic keeps one limiter of requests for each authority and account, for
// as long as the process lives; it cannot be stopped.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/caddyserver/certmagic.(*RingBufferRateLimiter).permit"))
}
