package hubcast_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"testing"

	"golang.org/x/crypto/nacl/secretbox"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/broadcast/hubcast"
	"github.com/belfryhq/belfry/pusher"
)

type published struct {
	app, id string
	e       pusher.Event
}

// hub keeps what was published, and delivers an id once.
type hub struct {
	all []published
	err error
}

func (h *hub) PublishEvent(_ context.Context, app, id string, e pusher.Event) (belfry.Receipt, bool, error) {
	if h.err != nil {
		return belfry.Receipt{}, false, h.err
	}
	for _, p := range h.all {
		if p.id == id {
			return belfry.Receipt{}, true, nil
		}
	}
	h.all = append(h.all, published{app, id, e})
	return belfry.Receipt{Matched: 2, Written: 2}, false, nil
}

func (h *hub) Occupied(_ context.Context, app string, channels []string) (bool, error) {
	return app == "1" && channels[0] == "full", h.err
}

type link struct{ hub }

func (*link) Check(context.Context) error { return errors.New("no server") }

var key = []byte("0123456789abcdef0123456789abcdef")

func apps(id string) *belfry.App {
	return map[string]*belfry.App{
		"":  {ID: "1", Limits: belfry.DefaultLimits()},
		"1": {ID: "1", Limits: belfry.DefaultLimits()},
		"2": {ID: "2", Limits: belfry.DefaultLimits(), EncryptionMasterKey: key},
	}[id]
}

func TestEventsReachTheHubUnderTheirID(t *testing.T) {
	h := &hub{}
	d := hubcast.New(h, apps)
	b := broadcast.New(broadcast.Config{Driver: d, Apps: apps})
	for data, want := range map[string]string{
		`{"a": "<é>", "n": 1.50}`: `{"a":"<é>","n":1.50}`,
		`"plain \"text\""`:        `plain "text"`,
		`null`:                    `null`,
		`[1, 2]`:                  `[1,2]`,
		``:                        `{}`,
	} {
		out, err := b.Publish(t.Context(), belfry.Event{Name: "e", Channels: []string{"a", "b"}, Data: json.RawMessage(data), ExcludeSocket: "1.2"})
		if err != nil || out.Receipt == nil || out.Receipt.Matched != 2 {
			t.Fatalf("%s: %+v, %v", data, out, err)
		}
		got := h.all[len(h.all)-1]
		if got.app != "1" || got.id != out.ID || got.e.Name != "e" || len(got.e.Channels) != 2 || got.e.SocketID != "1.2" || pusher.StringValue(got.e.Data) != want {
			t.Errorf("%s: published %+v with data %s", data, got, got.e.Data)
		}
	}
}

func TestARepeatIsSkippedAndAFailureTold(t *testing.T) {
	h := &hub{}
	d := hubcast.New(h, apps)
	e := belfry.Event{ID: "x", App: "1", Name: "e", Channels: []string{"a"}, Data: json.RawMessage("1")}
	f := e
	f.ID = "y"
	outs, err := d.Send(t.Context(), []belfry.Event{e, e, f})
	if err != nil || len(outs) != 3 || outs[0].Skipped != "" || outs[1].Skipped == "" || outs[1].Receipt != nil || outs[2].Receipt == nil {
		t.Fatalf("%+v, %v", outs, err)
	}
	h.err = belfry.Errorf(belfry.CodeUnavailable, "behind")
	if outs, err := d.Send(t.Context(), []belfry.Event{e}); !errors.Is(err, h.err) || len(outs) != 0 {
		t.Errorf("%+v, %v", outs, err)
	}
	if yes, _ := d.Occupied(t.Context(), "1", []string{"full"}); !yes {
		t.Error("not occupied")
	}
	if d.Check(t.Context()) != nil || hubcast.New(&link{}, apps).Check(t.Context()) == nil {
		t.Error("checks")
	}
}

func TestEncryptedChannelsGetWhatTheirSubscribersCanRead(t *testing.T) {
	h := &hub{}
	d := hubcast.New(h, apps)
	b := broadcast.New(broadcast.Config{Driver: d, Apps: apps})
	const channel = "private-encrypted-a"
	if _, err := b.Publish(t.Context(), belfry.Event{App: "2", Name: "e", Channels: []string{channel}, Data: json.RawMessage(`{"secret":1}`)}); err != nil {
		t.Fatal(err)
	}
	if got := open(t, channel, pusher.StringValue(h.all[0].e.Data)); got != `{"secret":1}` {
		t.Errorf("subscribers read %s", got)
	}
	own := broadcast.Seal(key, channel, "mine")
	if _, err := b.Publish(t.Context(), belfry.Event{App: "1", Name: "e", Channels: []string{channel}, Data: own}); err != nil {
		t.Fatal(err)
	}
	if got := open(t, channel, pusher.StringValue(h.all[1].e.Data)); got != "mine" {
		t.Errorf("subscribers read %s", got)
	}
	// The key went away after the event was accepted.
	_, err := d.Send(t.Context(), []belfry.Event{{ID: "z", App: "1", Name: "e", Channels: []string{channel}, Data: json.RawMessage("1")}})
	if !broadcast.Permanent(err) {
		t.Errorf("error %v", err)
	}
}

// open decrypts as a client does.
func open(t *testing.T, channel, data string) string {
	t.Helper()
	var m struct{ Nonce, Ciphertext []byte }
	if err := json.Unmarshal([]byte(data), &m); err != nil {
		t.Fatal(err)
	}
	shared := sha256.Sum256(append([]byte(channel), key...))
	text, ok := secretbox.Open(nil, m.Ciphertext, (*[24]byte)(m.Nonce), &shared)
	if !ok {
		t.Fatal("cannot be decrypted")
	}
	return string(text)
}
