package nullcast_test

import (
	"encoding/json"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/broadcast/nullcast"
)

func TestEventsCountAsSent(t *testing.T) {
	b := broadcast.New(broadcast.Config{Driver: nullcast.Driver{}, Apps: func(string) *belfry.App {
		return &belfry.App{ID: "1", Limits: belfry.DefaultLimits()}
	}})
	out, err := b.Publish(t.Context(), belfry.Event{Name: "e", Channels: []string{"a"}, Data: json.RawMessage("1"), Condition: "occupied"})
	if err != nil || out.Skipped != "" || out.Receipt != nil || b.Check(t.Context()) != nil {
		t.Errorf("%+v, %v", out, err)
	}
}
