package control_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/pusher"
)

func TestPublishOnceCarriesTheEvent(t *testing.T) {
	dir, h := t.TempDir(), newFakeHub()
	start(t, dir, control.Backend{Hub: h})
	c := dial(t, dir)
	event := pusher.Event{Name: "a \"quoted\" name", Channels: []string{"private-a", "private-b"}, Data: []byte(`"{\"n\":1}"`), SocketID: "1.2"}
	p, err := c.PublishOnce(t.Context(), "7", "ev7", event)
	if err != nil {
		t.Fatal(err)
	}
	if p.ID != "ev7" || p.Receipt.Matched != 3 || p.Repeat {
		t.Errorf("answer %+v", p)
	}
	got := h.published[0]
	if got.Name != event.Name || len(got.Channels) != 2 || got.Channels[1] != "private-b" || string(got.Data) != string(event.Data) || got.SocketID != "1.2" {
		t.Errorf("the hub got %+v", got)
	}
	if p, err = c.PublishOnce(t.Context(), "7", "again", event); err != nil || !p.Repeat {
		t.Errorf("a repeat: %+v, %v", p, err)
	}
}

func TestPokesReachEveryWorkerProcess(t *testing.T) {
	dir, bell := t.TempDir(), &control.Bell{}
	var poked atomic.Int32
	stop := start(t, dir, control.Backend{Bell: bell, Poke: func() { poked.Add(1); bell.Ring() }})
	heard, ended := make(chan int, 100), make(chan error, 2)
	for i := range 2 {
		go func() { ended <- dial(t, dir).Pokes(context.Background(), func() { heard <- i }) }()
	}
	<-heard // each at its start
	<-heard
	if err := dial(t, dir).Poke(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, b := <-heard, <-heard; a == b || poked.Load() != 1 {
		t.Errorf("heard by %d and %d; the server was poked %d times", a, b, poked.Load())
	}
	stop()
	for range 2 {
		if err := <-ended; err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("the server's end: %v", err)
		}
	}
}
