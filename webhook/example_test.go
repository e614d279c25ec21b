package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/belfryhq/belfry/webhook"
)

func ExampleSign() {
	body := []byte(`{"reason":"checkin","stats":null,"range":"this_week"}`)
	fmt.Println("X-Webhook-Signature:", webhook.Sign("shared-secret", body))
	// Output: X-Webhook-Signature: d7f7bb2522ad7848a8e3846ae0cf639e1727468561ceab7b8c4c5e7e903cc2ba
}

// A receiver of webhooks.
func ExampleVerifier_Verify() {
	verifier := webhook.Verifier{Secrets: webhook.ParseSecrets("new-secret,old-secret")}
	http.HandleFunc("POST /hook", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, webhook.MaxBody))
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		if _, err := verifier.Verify(r.Header, body, time.Now()); err != nil {
			var why *webhook.VerifyError
			if errors.As(err, &why) && why.Reason == webhook.ReasonWrong {
				fmt.Println("hint:", webhook.Diagnose(r.Header, body, verifier.Secrets)) // for the log, never for the answer
			}
			http.Error(w, "wrong signature", http.StatusForbidden)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// A service that tells dashboards of its changes.
func ExampleSender() {
	cfg := webhook.FromEnv()
	cfg.Outbox = "/var/lib/checkins/outbox" // outlives a restart
	sender, err := webhook.NewSender(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		sender.Close(ctx)
	}()
	// After each commit:
	sender.Notify("checkin created")
}
