package service

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of a request.
const (
	maxBody      = 16 << 10
	defaultLimit = 50
	maxLimit     = 200
	patience     = 10 * time.Second // for the database
)

// problem is a refusal.
type problem struct {
	status  int
	code    string
	message string
	fields  invalid
}

func (p *problem) Error() string { return p.message }

func refuse(status int, code, format string, args ...any) *problem {
	return &problem{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// routes has a handler for each path and method, and answers every other
// request as JSON too.
func (s *Service) routes() http.Handler {
	mux := http.NewServeMux()
	add := func(path string, methods map[string]http.HandlerFunc) {
		for method, do := range methods {
			mux.HandleFunc(method+" "+path, do)
		}
		var allowed []string
		for method := range methods {
			if allowed = append(allowed, method); method == http.MethodGet {
				allowed = append(allowed, http.MethodHead)
			}
		}
		slices.Sort(allowed)
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			s.fail(w, r, refuse(http.StatusMethodNotAllowed, "method_not_allowed", "%s is not for this path: it takes %s", clip(r.Method, 20), strings.Join(allowed, ", ")))
		})
	}
	all := resources()
	for i := range all {
		r := &all[i]
		add("/api/"+r.path, map[string]http.HandlerFunc{"GET": s.list(r), "POST": s.create(r)})
		add("/api/"+r.path+"/{id}", map[string]http.HandlerFunc{"GET": s.read(r), "PATCH": s.change(r, true), "PUT": s.change(r, false), "DELETE": s.remove(r)})
	}
	add("/up", map[string]http.HandlerFunc{"GET": s.up})
	add("/openapi.json", map[string]http.HandlerFunc{"GET": s.openAPI(all)})
	add("/docs", map[string]http.HandlerFunc{"GET": s.docs(all)})
	add("/docs.css", map[string]http.HandlerFunc{"GET": s.style})
	add("/{$}", map[string]http.HandlerFunc{"GET": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/docs", http.StatusSeeOther) }})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, refuse(http.StatusNotFound, "not_found", "there is nothing at this path: see /docs"))
	})
	// No other site's page may change anything through a browser on this machine.
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, refuse(http.StatusForbidden, "cross_origin", "requests of other sites' pages are not taken"))
	}))
	return guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		mux.ServeHTTP(w, r.WithContext(ctx))
	}))
}

func (s *Service) answer(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		s.log.Error("an answer cannot be written", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(append(text, '\n'))
}

// failure is the body of a refusal.
type failure struct {
	Error  string  `json:"error"`
	Code   string  `json:"code"`
	Fields invalid `json:"fields,omitempty"`
}

// fail answers with what went wrong. What is not the caller's doing is logged,
// and the caller is told no more than that.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p *problem
	var bad invalid
	switch {
	case errors.As(err, &p):
	case errors.As(err, &bad):
		p = &problem{status: http.StatusUnprocessableEntity, code: "invalid", message: "some fields have faults: " + bad.Error(), fields: bad}
	case errors.Is(err, errNone):
		p = refuse(http.StatusNotFound, "not_found", "there is nothing with this id")
	case r.Context().Err() != nil:
		p = refuse(http.StatusServiceUnavailable, "unavailable", "the database takes too long: try again")
		w.Header().Set("Retry-After", "1")
	default:
		s.log.Error("a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		p = refuse(http.StatusInternalServerError, "internal", "something went wrong here: the service's log says what")
	}
	s.answer(w, p.status, failure{p.message, p.code, p.fields})
}

// body reads the members of a JSON object.
func (s *Service) body(w http.ResponseWriter, r *http.Request) (members map[string]json.RawMessage, err error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return nil, refuse(http.StatusUnsupportedMediaType, "unsupported_media_type", "send JSON, and say so: Content-Type: application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	err = d.Decode(&members)
	if err == nil && d.More() {
		err = errors.New("more than one value")
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, refuse(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than %d KB", maxBody>>10)
	}
	if err != nil || members == nil {
		return nil, refuse(http.StatusBadRequest, "bad_json", "the body is not a JSON object")
	}
	return members, nil
}

func pathID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, errNone
	}
	return id, nil
}

func (s *Service) create(r *resource) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		row, err := func() (*record, error) {
			members, err := s.body(w, req)
			if err != nil {
				return nil, err
			}
			values, err := r.check(members, false)
			if err != nil {
				return nil, err
			}
			return s.db.add(req.Context(), s.db.write, r, values, s.now())
		}()
		if err != nil {
			s.fail(w, req, err)
			return
		}
		s.changed(r.one + " created")
		w.Header().Set("Location", "/api/"+r.path+"/"+strconv.FormatInt(row.id, 10))
		s.answer(w, http.StatusCreated, row)
	}
}

func (s *Service) read(r *resource) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		id, err := pathID(req)
		var row *record
		if err == nil {
			row, err = s.db.one(req.Context(), s.db.read, r, id)
		}
		if err != nil {
			s.fail(w, req, err)
			return
		}
		s.answer(w, http.StatusOK, row)
	}
}

// change changes the fields that the body has, or with PUT all of them.
func (s *Service) change(r *resource, part bool) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		row, err := func() (*record, error) {
			id, err := pathID(req)
			if err != nil {
				return nil, err
			}
			members, err := s.body(w, req)
			if err != nil {
				return nil, err
			}
			values, err := r.check(members, part)
			if err != nil {
				return nil, err
			}
			return s.db.change(req.Context(), r, id, values, s.now())
		}()
		if err != nil {
			s.fail(w, req, err)
			return
		}
		s.changed(r.one + " changed")
		s.answer(w, http.StatusOK, row)
	}
}

func (s *Service) remove(r *resource) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		id, err := pathID(req)
		if err == nil {
			err = s.db.remove(req.Context(), r, id)
		}
		if err != nil {
			s.fail(w, req, err)
			return
		}
		s.changed(r.one + " deleted")
		w.WriteHeader(http.StatusNoContent)
	}
}

// page is the answer to a list.
type page struct {
	Data []*record `json:"data"`
	Next *string   `json:"next_cursor"`
}

func (s *Service) list(r *resource) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		l, err := r.listing(req.URL)
		if err != nil {
			s.fail(w, req, err)
			return
		}
		rows, next, err := s.db.list(req.Context(), r, l)
		if err != nil {
			s.fail(w, req, err)
			return
		}
		answer := page{Data: rows}
		if next != nil {
			cursor := next.String()
			answer.Next = &cursor
		}
		s.answer(w, http.StatusOK, answer)
	}
}

// listing reads a list's query. The error is invalid.
func (r *resource) listing(u *url.URL) (l listing, err error) {
	bad := invalid{}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return l, invalid{"query": "cannot be read"}
	}
	l = listing{equal: map[string]any{}, limit: defaultLimit}
	for name, values := range query {
		value, fault := values[0], ""
		switch {
		case len(values) > 1:
			fault = "is there twice"
		case name == "limit":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > maxLimit {
				fault = fmt.Sprintf("must be a number from 1 to %d", maxLimit)
			}
			l.limit = n
		case name == "cursor":
			if l.before = readPlace(value); l.before == nil {
				fault = "is none that a list gave"
			}
		case name == "from" || name == "to":
			at, err := time.Parse(time.RFC3339, value)
			if err != nil || at.Year() < 1970 || at.Year() > 9998 {
				fault = "must be a time, such as 2026-11-22T08:00:00Z"
			}
			if name == "from" {
				l.from = at
			} else {
				l.to = at
			}
		case slices.Contains(r.filters, name):
			l.equal[name], fault = r.field(name).readFilter(value)
		default:
			fault = "is unknown: there are limit, cursor, from, to, " + strings.Join(r.filters, ", ")
		}
		if fault != "" && len(bad) < maxFaults {
			bad[clip(name, 50)] = fault
		}
	}
	if len(bad) > 0 {
		return l, bad
	}
	return l, nil
}

// String gives the place as a cursor.
func (p *place) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%d", p.at.UnixMilli(), p.id))
}

// readPlace gives nil for what is no cursor.
func readPlace(cursor string) *place {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	ms, id, _ := strings.Cut(string(text), ".")
	at, err2 := strconv.ParseInt(ms, 10, 64)
	n, err3 := strconv.ParseInt(id, 10, 64)
	if err != nil || err2 != nil || err3 != nil || at < 0 || at > 253_000_000_000_000 || n < 1 {
		return nil
	}
	return &place{time.UnixMilli(at), n}
}

// up says whether the database can be reached.
func (s *Service) up(w http.ResponseWriter, r *http.Request) {
	if err := s.db.write.PingContext(r.Context()); err != nil {
		s.answer(w, http.StatusServiceUnavailable, map[string]string{"status": "down", "error": "the database cannot be reached"})
		return
	}
	s.answer(w, http.StatusOK, map[string]string{"status": "ok"})
}
