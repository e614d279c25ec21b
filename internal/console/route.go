package console

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/words"
)

const scope = identity.ScopeAdmin

// maxBody bounds a request's body.
const maxBody = 1 << 20

// route is one path. Its action names what it changes, for the log; empty where
// it changes nothing.
type route struct {
	method, path, action string
	handle               func(r *http.Request, c *call) (any, error)
}

// call is a request of an administrator, and what of it is written down.
type call struct {
	gate.Caller
	w       http.ResponseWriter
	status  int // of the answer
	subject string
	details map[string]any
}

// note adds to what is written down.
func (c *call) note(name string, value any) {
	if c.details == nil {
		c.details = map[string]any{}
	}
	c.details[name] = value
}

func (c *Console) routes() []route {
	return []route{
		{"GET", "overview", "", c.overview},
		{"GET", "connections", "", c.connections},
		{"GET", "connections/{socket}", "", c.connection},
		{"POST", "connections/{socket}/close", "connection.close", c.closeConnection},
		{"GET", "channels", "", c.channels},
		{"GET", "channels/{app}/{name}", "", c.channel},
		{"GET", "channels/{app}/{name}/members", "", c.members},
		{"POST", "events", "event.send", c.sendEvent},
		{"GET", "events/{id}", "", c.event},
		{"GET", "explain", "", c.explain},
		{"GET", "log", "", c.log},
		{"GET", "payloads", "", c.payloadViews},
		{"POST", "payloads", "payloads.begin", c.beginPayloads},
		{"POST", "payloads/{id}/end", "payloads.end", c.stopPayloads},
		{"GET", "denials", "", c.denials},
		{"GET", "webhooks/out", "", c.webhooksOut},
		{"POST", "webhooks/out/resend", "webhook.resend", c.resendMany},
		{"POST", "webhooks/out/{id}/resend", "webhook.resend", c.resend},
		{"GET", "webhooks/in", "", c.webhooksIn},
		{"GET", "queues", "", c.queues},
		{"POST", "queues/restart", "queue.restart", c.restart},
		{"POST", "queues/{name}/pause", "queue.pause", c.pause},
		{"POST", "queues/{name}/continue", "queue.continue", c.resume},
		{"POST", "queues/{name}/clear", "queue.clear", c.clear},
		{"GET", "failed", "", c.failed},
		{"GET", "failed/groups", "", c.failedGroups},
		{"GET", "failed/{id}", "", c.failedJob},
		{"POST", "failed/retry", "failed.retry", c.retryFailed},
		{"POST", "failed/forget", "failed.forget", c.forgetFailed},
		{"GET", "usage", "", c.usage},
		{"GET", "apps", "", c.apps},
		{"POST", "apps", "app.add", c.addApp},
		{"POST", "apps/{id}/rotate", "app.rotate", c.rotateApp},
		{"POST", "apps/{id}/retire", "app.retire", c.retireApp},
		{"DELETE", "apps/{id}", "app.remove", c.removeApp},
		{"GET", "health", "", c.health},
		{"POST", "doctor", "doctor.run", c.doctor},
		{"GET", "audit", "", c.auditLog},
	}
}

// serve asks who it is, calls the route, writes down what was changed, and
// answers.
func (c *Console) serve(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller, err := c.caller(r)
		if err != nil {
			c.cfg.Gate.Fail(w, r, caller, err)
			return
		}
		one := &call{Caller: caller, w: w, status: http.StatusOK}
		answer, err := rt.handle(r, one)
		if rt.action != "" {
			c.write(r.Context(), rt.action, one, err)
		}
		var faults fields
		switch {
		case errors.As(err, &faults):
			writeJSON(w, http.StatusUnprocessableEntity, fieldProblem{
				gate.Problem{Error: "some fields have faults: " + faults.Error(), Code: belfry.CodeInvalid}, faults})
		case err != nil:
			c.cfg.Gate.Fail(w, r, caller, err)
		default:
			writeJSON(w, one.status, answer)
		}
	}
}

// nothing answers for a path or method that there is not, but to administrators
// alone.
func (c *Console) nothing(w http.ResponseWriter, r *http.Request) {
	caller, err := c.caller(r)
	if err == nil {
		err = &belfry.Error{Code: belfry.CodeNotFound, Message: "the console has nothing at this path for " + r.Method,
			Hint: "GET " + Path + "overview begins"}
	}
	c.cfg.Gate.Fail(w, r, caller, err)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller is gone: nobody is left to tell
}

// fields says what is wrong with each field of a request.
type fields map[string]string

func (f fields) Error() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		all = append(all, name+": "+f[name])
	}
	return strings.Join(all, "; ")
}

func fault(field, message string) error { return fields{field: message} }

type fieldProblem struct {
	gate.Problem
	Fields fields `json:"fields"`
}

// read decodes a body into v, which may be empty.
func (c *call) read(r *http.Request, v any) error {
	text, err := io.ReadAll(http.MaxBytesReader(c.w, r.Body, maxBody))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return err
		}
		return belfry.Errorf(belfry.CodeInvalid, "the body could not be read to its end")
	}
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, v); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return fault(wrong.Field, "a "+wrong.Value+" does not fit here")
		}
		return belfry.Errorf(belfry.CodeInvalid, "the body is no JSON object")
	}
	return nil
}

// limit gives how many entries a list may have.
func limit(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return 100, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 500 {
		return 0, fault("limit", "write a number from 1 to 500")
	}
	return n, nil
}

// next is a cursor for an answer: null at the end.
func next(cursor string) *string {
	if cursor == "" {
		return nil
	}
	return &cursor
}

// list is never null in an answer.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// unknown is the answer for what there is not, with what is near it.
func unknown(what, name string, near []string) error {
	e := &belfry.Error{Code: belfry.CodeNotFound, Message: "there is no " + what + " " + strconv.Quote(clip(name, 200))}
	if len(near) > 0 {
		e.Hint = "near it: " + strings.Join(near, ", ")
	}
	return e
}

// printable makes a text of somebody else's fit to be shown on one line: what is
// no letter, mark, number, sign or space becomes U+FFFD.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// clip bounds a text.
func clip(s string, most int) string { return words.Clip(s, most) }
