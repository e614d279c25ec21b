package ingest

import (
	"errors"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/webhook"
)

// Where a caller is to look.
const (
	hintMissing = "send X-Webhook-Signature with the hexadecimal HMAC-SHA256 of the raw body, made with SERVICES_WEBHOOK_SHARED_SECRET"
	hintWrong   = "compare SERVICES_WEBHOOK_SHARED_SECRET here and at the sender, and sign the very bytes that are sent; the log of this server names the likely mistake"
	hintOld     = "compare the clocks of both machines, and send a signature within five minutes"
	hintSecret  = "set SERVICES_WEBHOOK_SHARED_SECRET on the server, the same as at the sender"
)

// explain gives the error of a signature that was not accepted. suspicious says
// that a mistake of the sender may explain it.
func explain(err error) (coded *belfry.Error, scheme string, suspicious bool) {
	refusal, ok := errors.AsType[*webhook.VerifyError](err)
	if !ok {
		return &belfry.Error{Code: belfry.CodeInternal, Message: "the signature could not be checked", Err: err}, "", false
	}
	coded = &belfry.Error{Code: CodeWrong, Message: refusal.Message, Hint: hintWrong}
	switch refusal.Reason {
	case webhook.ReasonMissing:
		coded.Code, coded.Hint = CodeMissing, hintMissing
	case webhook.ReasonStale:
		coded.Code, coded.Hint = CodeOld, hintOld
	case webhook.ReasonNoSecret:
		coded.Code, coded.Hint = CodeNoSecret, hintSecret
	}
	return coded, string(refusal.Scheme), coded.Code == CodeWrong || coded.Code == CodeMissing
}
