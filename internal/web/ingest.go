package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/httpx"
	"github.com/belfryhq/belfry/internal/ingest"
	"github.com/belfryhq/belfry/webhook"
)

// IngestPath is where signed webhooks are posted to.
const IngestPath = "/api/dashboard/notify-update"

// bodyTime is how long a webhook's body may take to arrive.
const bodyTime = 10 * time.Second

// IngestConfig is what the door for signed webhooks needs. All are required.
type IngestConfig struct {
	// Address gives the client's address; (*gate.Gate).Address does.
	Address func(r *http.Request) netip.Addr
	// Take takes a webhook; (*ingest.Ingest).Take does.
	Take func(ctx context.Context, r ingest.Received) (ingest.Result, error)
}

// NewIngest makes the handler of POST /api/dashboard/notify-update. The
// signature alone counts: cookies and tokens are not looked at, and so neither
// are origins. It is safe for concurrent use.
func NewIngest(cfg IngestConfig) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+IngestPath, cfg.post)
	mux.HandleFunc(IngestPath, methods(http.MethodPost))
	mux.HandleFunc("/", notFound)
	return mux
}

func (cfg IngestConfig) post(w http.ResponseWriter, r *http.Request) {
	// A body that never ends costs its sender a connection, not the server one.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // in a test there is none to set
	body, err := io.ReadAll(io.LimitReader(r.Body, webhook.MaxBody+1))
	if errors.Is(err, os.ErrDeadlineExceeded) { // a sender tries again after this one
		writeJSON(w, http.StatusRequestTimeout, gate.Problem{Error: "the body did not arrive within " + bodyTime.String() + ": send it again", Code: "timeout"})
		return
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, gate.Problem{Error: "the body could not be read to its end", Code: belfry.CodeInvalid})
		return
	}
	result, err := cfg.Take(r.Context(), ingest.Received{Header: r.Header, Body: body, From: cfg.Address(r)})
	if err == nil {
		writeJSON(w, http.StatusOK, result)
		return
	}
	status, problem := explainIngest(err)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", httpx.RetryAfter(err))
	}
	writeJSON(w, status, problem)
}

// explainIngest is gate.Explain with the codes of webhooks.
func explainIngest(err error) (int, gate.Problem) {
	status, problem := gate.Explain(err)
	e, ok := errors.AsType[*belfry.Error](err)
	if !ok {
		return status, problem
	}
	switch e.Code {
	case ingest.CodeMissing, ingest.CodeWrong, ingest.CodeOld, ingest.CodeReplayed:
		status = http.StatusForbidden
	case ingest.CodeNoSecret:
		status = http.StatusInternalServerError
	default:
		return status, problem
	}
	return status, gate.Problem{Error: e.Message + "; " + e.Hint, Code: e.Code}
}
