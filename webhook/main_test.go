package webhook_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/webhook"
)

// asHelper makes this test's program a process that takes a change and then
// waits to be killed.
const asHelper = "WEBHOOK_TEST_OUTBOX"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asHelper); dir != "" {
		notifyAndWait(dir, os.Getenv("WEBHOOK_TEST_URL"))
	}
	goleak.VerifyTestMain(m)
}

func notifyAndWait(dir, url string) {
	s, err := webhook.NewSender(webhook.Config{URL: url, Secrets: []string{"s3cret"}, Outbox: dir})
	if err == nil {
		err = s.Notify("before the kill")
	}
	fmt.Println("noted:", err)
	select {}
}
