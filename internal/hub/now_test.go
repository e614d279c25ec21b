package hub_test

import (
	"errors"
	"testing"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/hub/hubtest"
	"github.com/belfryhq/belfry/pusher"
)

// PublishNow does nothing at all where Publish would wait, and otherwise the same.
func TestPublishNow(t *testing.T) {
	w := newWorld(nil)
	c := hubtest.Connect(t, w.Hub, key)
	c.Subscribe("free")
	c.Subscribe("full")
	c.Drain()
	w.notices.Take(hub.NoticePublished, hub.NoticeLimit)
	event := func(channel string) pusher.Event {
		return pusher.Event{Name: "e", Channels: []string{channel}, Data: []byte(`"d"`), Size: 1}
	}
	w.outlet.Full = func(topic *hub.Topic) error {
		if topic.Name == "full" {
			return hub.ErrTight
		}
		return nil
	}
	if done, err := w.PublishNow("1", []pusher.Event{event("free"), event("full")}); !errors.Is(err, hub.ErrWouldWait) || done != nil {
		t.Errorf("%v, %v", done, err)
	}
	c.ExpectNothing()
	if told := w.notices.Take(hub.NoticePublished, hub.NoticeLimit); len(told) != 0 {
		t.Errorf("told of %v", told)
	}
	if done, err := w.PublishNow("1", []pusher.Event{event("free")}); err != nil || len(done) != 1 || done[0].Receipt.Written != 1 {
		t.Errorf("%v, %v", done, err)
	}
	c.Expect("e")
	if _, err := w.PublishNow("7", []pusher.Event{event("free")}); err == nil {
		t.Error("published to an app that there is not")
	}
}
