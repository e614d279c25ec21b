package ingest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/webhook"
)

// Dashboards are what a call is for. Its methods are called concurrently, the
// second inside a transaction: both must return at once and leave the database
// alone.
type Dashboards interface {
	// Resolve gives the dashboard and the range that are meant, where "" is the
	// default one. It fails with CodeNotFound or CodeInvalid.
	Resolve(dashboard, rangeName string) (string, string, error)
	// Changed has the dashboard computed anew and broadcast.
	Changed(dashboard, rangeName, reason string) error
}

// Config is what an Ingest is made of. DB and Dashboards are required.
type Config struct {
	DB         *store.DB
	Dashboards Dashboards
	// Limit counts a call that was refused for its signature or size, and gives
	// the error that the caller is answered with instead when there were too many
	// from there; default: no limit.
	Limit func(from netip.Addr) error
	// Others gives secrets that a sender may have taken by mistake, such as the
	// apps'; default none. It is called for calls that are being diagnosed.
	Others func() []webhook.Other
	// DiagnoseEvery is the time between two diagnoses; default 250 ms.
	DiagnoseEvery time.Duration
	Now           func() time.Time // default: time.Now
	Logger        *slog.Logger     // default: nothing is logged
}

// Ingest takes calls. Make one with New; Run must run. Its methods may be called
// concurrently.
type Ingest struct {
	cfg      Config
	log      *slog.Logger
	suspects chan suspect // calls to be diagnosed

	secrets secrets
	front   front
	recent  recent

	mu    sync.Mutex // guards stats
	stats Stats
}

// New makes an Ingest that has no secret yet and so takes nothing: see
// SetSecrets.
func New(cfg Config) *Ingest {
	if cfg.Limit == nil {
		cfg.Limit = func(netip.Addr) error { return nil }
	}
	if cfg.Others == nil {
		cfg.Others = func() []webhook.Other { return nil }
	}
	cfg.DiagnoseEvery = cmp.Or(cfg.DiagnoseEvery, 250*time.Millisecond)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Ingest{
		cfg: cfg, log: cfg.Logger, suspects: make(chan suspect, maxSuspects),
		front: front{byID: map[string]seen{}}, stats: Stats{Calls: emptyCounts()},
	}
}

// Received is a call as it came.
type Received struct {
	Header http.Header
	// Body is the raw body. Of one that is longer than webhook.MaxBody the first
	// byte beyond is enough. It must not change afterwards.
	Body []byte
	From netip.Addr // the caller's; may be the zero Addr
}

// Result is what became of a call that was taken.
type Result struct {
	Status    string `json:"status"` // ok, or duplicate: taken before, and not carried out again
	Dashboard string `json:"dashboard"`
	Range     string `json:"range"`
	ID        string `json:"id"` // of the call; a duplicate has the first one's
}

// The values of Result.Status.
const (
	StatusOK        = "ok"
	StatusDuplicate = "duplicate"
)

// Codes of calls that are not taken, beside those of belfry.
const (
	CodeMissing  belfry.Code = "signature_missing"
	CodeWrong    belfry.Code = "signature_wrong"
	CodeOld      belfry.Code = "signature_old" // or from the future
	CodeReplayed belfry.Code = "replayed"      // the id was used with another body
	CodeNoSecret belfry.Code = "no_secret"     // here, to check with
)

// Take takes one call, or gives the error to answer with: one of the codes
// above, or CodeInvalid (not JSON, unknown range), CodeNotFound (unknown
// dashboard), CodeTooLarge, CodeRateLimited, or CodeUnavailable when the
// database with the ids cannot be reached; then nothing was carried out. It logs
// what it refuses.
func (in *Ingest) Take(ctx context.Context, r Received) (Result, error) {
	began := in.cfg.Now()
	e := Entry{ID: belfry.NewID(began), At: began.UTC(), Address: addressText(r.From), Size: len(r.Body), Count: 1}
	result, suspicious, err := in.take(ctx, r, &e)
	e.Milliseconds = float64(in.cfg.Now().Sub(began).Microseconds()) / 1000
	e.Result = outcome(result, err)
	if err != nil {
		e.Error = belfry.Public(err)
	}
	in.count(e)
	kept, fresh := in.recent.add(e)
	switch {
	case err == nil:
		in.log.Debug("webhook taken", e.attrs()...)
	case suspicious && in.suspect(suspect{entry: kept, header: r.Header.Clone(), body: r.Body}):
		// Run logs it with the diagnosis.
	case suspicious:
		in.recent.diagnosed(kept, notDiagnosed)
		e.Diagnosis = notDiagnosed
		in.logRefusal(e, err)
	case fresh:
		in.logRefusal(e, err)
	}
	return result, err
}

// take decides. suspicious says that the signature may deserve a diagnosis.
func (in *Ingest) take(ctx context.Context, r Received, e *Entry) (result Result, suspicious bool, err error) {
	if len(r.Body) > webhook.MaxBody {
		return result, false, in.refuse(r.From, belfry.Errorf(belfry.CodeTooLarge, "the body is larger than %d KB", webhook.MaxBody>>10))
	}
	list := in.secrets.current()
	verifier := webhook.Verifier{Secrets: list}
	v, err := verifier.Verify(r.Header, r.Body, in.cfg.Now())
	e.Scheme = string(v.Scheme)
	if err != nil {
		coded, scheme, suspicious := explain(err)
		e.Scheme = scheme
		if coded.Code == CodeNoSecret {
			return result, false, coded
		}
		err := in.refuse(r.From, coded)
		return result, suspicious && belfry.CodeOf(err) == coded.Code, err
	}
	if len(list) > 1 {
		e.Secret = v.Secret + 1
	}
	e.WebhookID = v.ID
	call, err := readCall(r.Body)
	e.Dashboard, e.Range, e.Reason = tidy(call.dashboard, maxName), tidy(call.rangeName, maxName), call.reason
	if err != nil {
		return result, false, err
	}
	result = Result{Status: StatusOK, ID: e.ID}
	result.Dashboard, result.Range, err = in.cfg.Dashboards.Resolve(call.dashboard, call.rangeName)
	if err != nil {
		return Result{}, false, err
	}
	e.Dashboard, e.Range = result.Dashboard, result.Range
	if v.ID == "" {
		err = in.cfg.Dashboards.Changed(result.Dashboard, result.Range, call.reason)
	} else {
		result, err = in.once(ctx, v, seen{digest: sha256.Sum256(r.Body), result: result, until: v.Until}, call.reason)
		if belfry.CodeOf(err) == CodeReplayed {
			err = in.refuse(r.From, err)
		}
	}
	if err != nil {
		return Result{}, false, err
	}
	return result, false, nil
}

// refuse counts a refused call against its address, and gives what to answer.
func (in *Ingest) refuse(from netip.Addr, err error) error {
	if limited := in.cfg.Limit(from); limited != nil {
		return limited
	}
	return err
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
