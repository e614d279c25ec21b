package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/client"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/web"
)

// recorder takes every event and keeps the last request.
type recorder struct{ last broadcast.Request }

func (b *recorder) Accept(_ context.Context, r broadcast.Request) (broadcast.Accepted, error) {
	b.last = r
	return broadcast.Accepted{ID: "x", Status: "sent", Receipt: &belfry.Receipt{Matched: 4}, Replayed: true}, nil
}

func (*recorder) Find(string) (broadcast.Trace, bool) {
	return broadcast.Trace{ID: "x", Origin: "token 3 (app)", Steps: []broadcast.Step{{What: broadcast.StepSent, Receipt: &belfry.Receipt{Matched: 4}}}}, true
}

// oneToken is a gate that knows one token.
type oneToken struct{ t *testing.T }

func (g oneToken) Caller(r *http.Request) (gate.Caller, error) {
	if r.Header.Get("Authorization") != "Bearer belfry_3_x" {
		return gate.Caller{Kind: gate.Guest}, nil
	}
	owner := &belfry.User{ID: "7"}
	return gate.Caller{Kind: gate.Token, User: owner, Token: &identity.Token{ID: "3", Name: "app", User: owner, Scopes: []string{identity.ScopeEvents}}}, nil
}

func (g oneToken) Fail(w http.ResponseWriter, _ *http.Request, _ gate.Caller, err error) {
	status, problem := gate.Explain(err)
	http.Error(w, `{"error":"`+problem.Error+`","code":"`+string(problem.Code)+`"}`, status)
}

// What the client writes, the server's door reads, and the other way round.
func TestTheServersDoorUnderstandsTheClient(t *testing.T) {
	taken := &recorder{}
	server := httptest.NewServer(web.NewEvents(web.EventsConfig{Gate: oneToken{t}, Broadcast: taken, Apps: func(string) *belfry.App {
		return &belfry.App{ID: "1001", Limits: belfry.DefaultLimits()}
	}}))
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	open := func(token string) *client.Client {
		c, err := client.New(client.Config{URL: server.URL, Token: token, HTTPClient: &http.Client{Transport: transport}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open("belfry_3_x")
	done, err := c.Publish(t.Context(), client.Event{
		Name: "e", Channels: []string{"a", "b"}, Data: map[string]int{"n": 1}, App: "1001", Queue: "high", Delay: 90 * time.Second, Tries: 5,
		Now: true, ExcludeSocket: "1.2", ExpiresIn: time.Hour, WithID: true, Condition: "occupied", Key: "k",
	})
	if err != nil || done.ID != "x" || done.Status != "sent" || done.Receipt.Matched != 4 || !done.Replayed {
		t.Fatalf("%+v, %v", done, err)
	}
	got, e := taken.last, taken.last.Event
	if e.Name != "e" || len(e.Channels) != 2 || string(e.Data) != `{"n":1}` || e.App != "1001" || e.ExcludeSocket != "1.2" || !e.WithID || e.Condition != "occupied" ||
		e.Expires.Sub(e.Accepted) != time.Hour || !got.Now || got.How.Queue != "high" || got.How.Delay != 90*time.Second || got.How.Tries != 5 || got.Key != "k" {
		t.Errorf("the door read %+v", got)
	}
	state, err := c.Find(t.Context(), "x")
	if err != nil || state.Status != "sent" || state.Timeline[0].Receipt.Matched != 4 {
		t.Errorf("%+v, %v", state, err)
	}
	_, err = open("wrong").Publish(t.Context(), event)
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != 401 || e.Code != belfry.CodeUnauthenticated || e.Message == "" {
		t.Errorf("wrong token: %v", err)
	}
}
