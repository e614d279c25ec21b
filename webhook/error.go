package webhook

// Reason says why a webhook was not accepted.
type Reason string

// The reasons of Verify.
const (
	ReasonNoSecret  Reason = "no_secret" // the receiver has no secret to check with
	ReasonMissing   Reason = "missing"   // there is no signature
	ReasonMalformed Reason = "malformed" // a header is not of the scheme's form
	ReasonWrong     Reason = "wrong"     // the signature is of another body or secret
	ReasonStale     Reason = "stale"     // the signature is right, and too old or from the future
)

// VerifyError is why a webhook was not accepted. Its text holds nothing that is
// secret, nor anything that the sender wrote.
type VerifyError struct {
	Reason  Reason
	Scheme  Scheme // that was tried; empty when none was
	Message string
}

func (e *VerifyError) Error() string { return "webhook: " + e.Message }
