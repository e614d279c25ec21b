// Package webhook signs, verifies and sends webhooks.
//
// Two schemes are known. Plain is one header, X-Webhook-Signature, with the
// hex HMAC-SHA256 of the raw body; it does not stop a replay. Standard is
// Standard Webhooks: the headers webhook-id, webhook-timestamp and
// webhook-signature, where the signature covers all of them. Several secrets
// may be in force at once, so that one can replace another without a gap.
//
// A Verifier checks what was received, and Diagnose says which common mistake
// would explain a wrong signature. A Sender tells a dashboard that something
// changed: the first change at once, those that follow quickly as one, the
// last always; with retries, and an outbox on disk that outlives the process.
//
// The package needs nothing but the standard library and reads the environment
// only in FromEnv.
package webhook
