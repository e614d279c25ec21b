package ingest

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/webhook"
)

// maxSuspects is how many calls may wait to be diagnosed; each holds its body.
const maxSuspects = 8

// What Entry.Diagnosis says when there is none.
const (
	notDiagnosed = "not diagnosed: too many wrong calls at that time"
	noneKnown    = "no common mistake explains it: the sender has another secret, or the body changed on its way"
	nothingSent  = "no signature was sent"
)

// suspect is a refused call that a mistake of the sender may explain.
type suspect struct {
	entry  *Entry
	header http.Header
	body   []byte
}

// suspect has a call diagnosed by Run, unless too many wait. The caller never
// waits for it, so its time tells nothing either.
func (in *Ingest) suspect(s suspect) bool {
	select {
	case in.suspects <- s:
		return true
	default:
		return false
	}
}

// Run diagnoses refused calls and forgets ids that are out of date, until ctx
// ends.
func (in *Ingest) Run(ctx context.Context) error {
	old := time.NewTicker(pruneEvery)
	defer old.Stop()
	suspects := in.suspects
	rest := time.NewTimer(0)
	defer rest.Stop()
	in.prune(ctx)
	for {
		select {
		case s := <-suspects:
			in.diagnose(s)
			suspects = nil // until it has rested
			rest.Reset(in.cfg.DiagnoseEvery)
		case <-rest.C:
			suspects = in.suspects
		case <-old.C:
			in.prune(ctx)
		case <-ctx.Done():
			in.giveUp()
			return context.Cause(ctx)
		}
	}
}

// diagnose looks for the mistake behind a wrong signature.
func (in *Ingest) diagnose(s suspect) {
	list := in.secrets.current()
	others := append(in.cfg.Others(), in.secrets.formerly()...)
	found := webhook.Diagnose(s.header, s.body, list, others...)
	in.logDiagnosed(s, cmp.Or(found, noneFor(s)))
}

func noneFor(s suspect) string {
	if s.header.Get(webhook.HeaderSignature) == "" && s.header.Get(webhook.HeaderStandardSignature) == "" {
		return nothingSent
	}
	return noneKnown
}

// giveUp logs those that still wait when Run ends.
func (in *Ingest) giveUp() {
	for {
		select {
		case s := <-in.suspects:
			in.logDiagnosed(s, "not diagnosed: the server was stopped")
		default:
			return
		}
	}
}

func (in *Ingest) logDiagnosed(s suspect, found string) {
	e := in.recent.diagnosed(s.entry, found)
	in.logRefusal(e, errors.New(e.Error))
}

// logRefusal logs a call that was not taken: the server's own faults as errors.
func (in *Ingest) logRefusal(e Entry, err error) {
	attrs := append(e.attrs(), "error", err)
	switch e.Result {
	case string(CodeNoSecret):
		in.log.Error("a webhook cannot be checked: there is no usable secret; set SERVICES_WEBHOOK_SHARED_SECRET", attrs...)
	case string(belfry.CodeInternal):
		in.log.Error("a webhook was not taken", attrs...)
	default:
		in.log.Warn("a webhook was not taken", attrs...)
	}
}
