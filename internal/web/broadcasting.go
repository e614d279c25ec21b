package web

import (
	"context"
	"net/http"
	"net/url"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/gate"
)

// maxQuestion bounds the body of a question about a channel.
const maxQuestion = 64 << 10

// Authorizer answers who may listen; *authz.Authorizer is one.
type Authorizer interface {
	Channel(ctx context.Context, ask authz.Ask) (authz.Answer, authz.Decision, error)
	User(ctx context.Context, ask authz.Ask) (authz.Answer, error)
}

// broadcasting is where pages ask for the channels that they may listen to, as
// Laravel Echo and pusher-js do.
type broadcasting struct {
	gate *gate.Gate
	// authorizer is nil while there is none.
	authorizer func() Authorizer
	// app gives the app that a socket belongs to, nil when there is no app.
	app     func(socketID string) *belfry.App
	limiter *gate.Limiter
}

func (b broadcasting) routes(mux *http.ServeMux) {
	for path, answer := range map[string]func(context.Context, Authorizer, authz.Ask) (authz.Answer, error){
		"/broadcasting/auth": func(ctx context.Context, a Authorizer, ask authz.Ask) (authz.Answer, error) {
			answer, _, err := a.Channel(ctx, ask)
			return answer, err
		},
		"/broadcasting/user-auth": func(ctx context.Context, a Authorizer, ask authz.Ask) (authz.Answer, error) {
			return a.User(ctx, ask)
		},
	} {
		mux.Handle("POST "+path, b.gate.CORS(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, got, err := b.answer(w, r, answer)
			if err != nil {
				b.gate.Fail(w, r, c, err)
				return
			}
			writeJSON(w, http.StatusOK, got)
		})))
		mux.Handle("OPTIONS "+path, b.gate.CORS(http.HandlerFunc(notFound)))
	}
}

func (b broadcasting) answer(w http.ResponseWriter, r *http.Request, answer func(context.Context, Authorizer, authz.Ask) (authz.Answer, error)) (gate.Caller, authz.Answer, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxQuestion)
	a := b.authorizer()
	if a == nil {
		return gate.Caller{}, authz.Answer{}, &belfry.Error{Code: belfry.CodeUnavailable, Message: "the database has not been reached yet: nobody can be authorized"}
	}
	c, err := b.gate.Caller(r)
	if err != nil {
		return c, authz.Answer{}, err
	}
	if err := b.limiter.Take(c.Key()); err != nil {
		return c, authz.Answer{}, err
	}
	form, err := questionOf(r)
	if err != nil {
		return c, authz.Answer{}, err
	}
	socket := form.Get("socket_id")
	got, err := answer(r.Context(), a, authz.Ask{
		App: b.app(socket), SocketID: socket, Channel: form.Get("channel_name"), User: c.User, SessionID: c.SessionID(),
		Address: c.Address.String(), Header: r.Header, Form: form,
	})
	return c, got, err
}

// questionOf reads a form, or a JSON object of texts.
func questionOf(r *http.Request) (url.Values, error) {
	form := url.Values{}
	object := map[string]any{}
	if err := readFields(r, &object, func(func(string) string) { form = r.PostForm }); err != nil {
		return nil, err
	}
	for name, value := range object {
		if text, ok := value.(string); ok {
			form.Set(name, text)
		}
	}
	return form, nil
}
