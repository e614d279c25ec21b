package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/api"
	"github.com/belfryhq/belfry/internal/hub"
)

func occupied(subscriptions, users int) hub.ChannelState {
	return hub.ChannelState{Occupied: true, ChannelInfo: hub.ChannelInfo{Subscriptions: subscriptions, Users: users}}
}

// HTTP-11, HTTP-20, HTTP-84: a publish is answered with 200 and an empty object.
func TestHTTP20_Publish(t *testing.T) { bothWays(t, testHTTP20_Publish) }

func testHTTP20_Publish(t *testing.T, by way) {
	f := by.start(t)
	w := f.post("/events", `{"name":"order.shipped","channels":["private-orders.42","orders"],"data":"{\"id\":42}","socket_id":"4321.98765"}`)
	want(t, w, 200, `{}`)
	if id := w.Header().Get("X-Belfry-Event-Id"); id != "event-0-0" {
		t.Errorf("X-Belfry-Event-Id %q", id)
	}
	got := f.hub.events()
	if len(got) != 1 || got[0].Name != "order.shipped" || string(got[0].Data) != `"{\"id\":42}"` ||
		got[0].SocketID != "4321.98765" || !slices.Equal(got[0].Channels, []string{"private-orders.42", "orders"}) {
		t.Errorf("published %+v", got)
	}
}

// HTTP-11, HTTP-12: the content type is not looked at, unknown members are
// ignored.
func TestHTTP11_ContentTypeIsNotEnforced(t *testing.T) {
	bothWays(t, testHTTP11_ContentTypeIsNotEnforced)
}

func testHTTP11_ContentTypeIsNotEnforced(t *testing.T, by way) {
	f := by.start(t)
	body := `{"name":"e","channel":"c","data":"","later":{"a":[1]},"receipt":"yes"}`
	for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", ""} {
		want(t, f.send("POST", f.target("POST", base+"/events", body), body, "Content-Type: "+kind), 200, `{}`)
	}
}

// HTTP-21: channels wins over channel; a channel named twice counts once.
func TestHTTP21_Channels(t *testing.T) { bothWays(t, testHTTP21_Channels) }

func testHTTP21_Channels(t *testing.T, by way) {
	f := by.start(t)
	want(t, f.post("/events", `{"name":"e","channel":"one","data":"1"}`), 200, `{}`)
	want(t, f.post("/events", `{"name":"e","channel":"one","channels":["a","b","a"],"data":"1"}`), 200, `{}`)
	got := f.hub.events()
	if !slices.Equal(got[0].Channels, []string{"one"}) || !slices.Equal(got[1].Channels, []string{"a", "b"}) {
		t.Errorf("published to %v and %v", got[0].Channels, got[1].Channels)
	}
}

// HTTP-22: a string passes as it stands, another value is serialised once.
func TestHTTP22_Data(t *testing.T) { bothWays(t, testHTTP22_Data) }

func testHTTP22_Data(t *testing.T, by way) {
	for in, token := range map[string]string{
		`""`:                       `""`,
		`"caf\u00e9 \/"`:           `"caf\u00e9 \/"`,
		`{ "a" : [1, 2.50, "x"] }`: `"{\"a\":[1,2.50,\"x\"]}"`,
		`7`:                        `"7"`,
		`false`:                    `"false"`,
	} {
		f := by.start(t)
		want(t, f.post("/events", `{"name":"e","channel":"c","data":`+in+`}`), 200, `{}`)
		if got := f.hub.events(); string(got[0].Data) != token {
			t.Errorf("data %s became %s, want %s", in, got[0].Data, token)
		}
	}
}

// HTTP-22, LIMIT-03: the limit counts the bytes of the string; over it is a 413.
func TestHTTP22_DataLimit(t *testing.T) { bothWays(t, testHTTP22_DataLimit) }

func testHTTP22_DataLimit(t *testing.T, by way) {
	f := by.start(t)
	event := func(data string) string { return `{"name":"big","channel":"c","data":"` + data + `"}` }
	want(t, f.post("/events", event(strings.Repeat(`\u00e9`, 5120))), 200, `{}`)
	refused(t, f.post("/events", event(strings.Repeat("x", 10241))), 413, "content of this event", "big", `\"c\"`, "10241", "10240")
	if len(f.hub.events()) != 1 {
		t.Error("the event over the limit was published")
	}
	wantLimits(t, f, "near event_data big c 10240 10240", "over event_data big c 10241 10240")
}

func wantLimits(t *testing.T, f *fixture, want ...string) {
	t.Helper()
	if !slices.Equal(f.limits, want) {
		t.Errorf("Limit was told %q, want %q", f.limits, want)
	}
}

// HTTP-21 to HTTP-25: what is wrong is named, and nothing is published.
func TestHTTP21_RefusedEvents(t *testing.T) { bothWays(t, testHTTP21_RefusedEvents) }

func testHTTP21_RefusedEvents(t *testing.T, by way) {
	long := strings.Repeat("n", 201)
	many := `"c` + strings.Join(strings.Split(strings.Repeat("x", 101), ""), `","c`) + `"`
	cases := map[string]struct{ body, says string }{
		"empty":             {``, "JSON"},
		"not JSON":          {`{"name":`, "JSON"},
		"not an object":     {`[]`, "object"},
		"trailing":          {`{"name":"e","channel":"c","data":""} x`, "JSON"},
		"invalid UTF-8":     {"{\"name\":\"e\",\"channel\":\"c\",\"data\":\"\xff\"}", "UTF-8"},
		"no name":           {`{"channel":"c","data":""}`, `\"name\" is missing`},
		"empty name":        {`{"name":"","channel":"c","data":""}`, `\"name\" is empty`},
		"name not a string": {`{"name":1,"channel":"c","data":""}`, `\"name\" must be a string`},
		"long name":         {`{"name":"` + long + `","channel":"c","data":""}`, "201"},
		"reserved":          {`{"name":"pusher:x","channel":"c","data":""}`, "reserved"},
		"internal":          {`{"name":"pusher_internal:x","channel":"c","data":""}`, "reserved"},
		"no data":           {`{"name":"e","channel":"c"}`, `\"data\" is missing`},
		"null data":         {`{"name":"e","channel":"c","data":null}`, `\"data\" is missing`},
		"no channel":        {`{"name":"e","data":""}`, `\"channels\" is missing`},
		"no channels":       {`{"name":"e","channels":[],"data":""}`, `\"channels\" is empty`},
		"many channels":     {`{"name":"e","channels":[` + many + `],"data":""}`, "101 channels"},
		"channel a number":  {`{"name":"e","channels":[7],"data":""}`, "channels"},
		"illegal channel":   {`{"name":"e","channels":["good","b:d"],"data":""}`, "b:d"},
		"long channel":      {`{"name":"e","channel":"` + long + `","data":""}`, "201"},
		"illegal user":      {`{"name":"e","channel":"#server-to-user-a b","data":""}`, "#server-to-user-a b"},
		"other hash":        {`{"name":"e","channel":"#x","data":""}`, "#x"},
		"socket id":         {`{"name":"e","channel":"c","data":"","socket_id":"1"}`, "socket_id"},
		"info not a string": {`{"name":"e","channel":"c","data":"","info":["user_count"]}`, "info"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := by.start(t)
			refused(t, f.post("/events", c.body), 400, c.says)
			f.nothing()
		})
	}
}

// HTTP-23, HTTP-24, HTTP-25, HTTP-27: what is odd but legal.
func TestHTTP23_AcceptedEvents(t *testing.T) { bothWays(t, testHTTP23_AcceptedEvents) }

func testHTTP23_AcceptedEvents(t *testing.T, by way) {
	for _, body := range []string{
		`{"name":"App\\Events\\Shipped","channel":"c","data":""}`,
		`{"name":"client-typing","channel":"private-c","data":""}`,
		`{"name":"` + strings.Repeat("é", 200) + `","channel":"` + strings.Repeat("c", 200) + `","data":""}`,
		`{"name":"e","channel":"#server-to-user-7","data":""}`,
		`{"name":"e","channel":"#server-to-user-` + strings.Repeat("u", 199) + `","data":""}`,
		`{"name":"e","channel":"c","data":"","socket_id":""}`,
		`{"name":"e","channel":"c","data":"","socket_id":null,"info":null,"channels":null}`,
		`{"name":"e","channels":["private-encrypted-a","b"],"data":""}`,
	} {
		want(t, by.start(t).post("/events", body), 200, `{}`)
	}
}

// CH-03: strict naming caps channel names at 164 characters.
func TestCH03_StrictNames(t *testing.T) { bothWays(t, testCH03_StrictNames) }

func testCH03_StrictNames(t *testing.T, by way) {
	f := by.start(t, func(a *belfry.App, _ *api.Config) { a.StrictNames = true })
	refused(t, f.post("/events", `{"name":"e","channel":"`+strings.Repeat("c", 165)+`","data":""}`), 400, "165", "164")
}

// HTTP-26, HTTP-47: info gives an entry for each distinct channel and leaves
// out what does not apply.
func TestHTTP26_Info(t *testing.T) { bothWays(t, testHTTP26_Info) }

func testHTTP26_Info(t *testing.T, by way) {
	f := by.start(t)
	f.hub.states["presence-a"] = occupied(3, 2)
	f.hub.states["b"] = occupied(5, 0)
	body := `{"name":"e","channels":["presence-a","b","gone","#server-to-user-7","b"],"data":"","info":%q}`
	want(t, f.post("/events", fmt.Sprintf(body, "user_count, subscription_count")), 200,
		`{"channels":{"presence-a":{"user_count":2,"subscription_count":3},"b":{"subscription_count":5},"gone":{"subscription_count":0},"#server-to-user-7":{}}}`)
	want(t, f.post("/events", fmt.Sprintf(body, "user_count")), 200,
		`{"channels":{"presence-a":{"user_count":2},"b":{},"gone":{},"#server-to-user-7":{}}}`)
	want(t, f.post("/events", fmt.Sprintf(body, "cache,nonsense")), 200,
		`{"channels":{"presence-a":{},"b":{},"gone":{},"#server-to-user-7":{}}}`)
}

// A receipt is added where it is asked for.
func TestReceipt(t *testing.T) { bothWays(t, testReceipt) }

func testReceipt(t *testing.T, by way) {
	f := by.start(t)
	f.hub.receipt = hub.Receipt{Matched: 4, Written: 2, Waiting: 1, Dropped: 1}
	const receipt = `"receipt":{"matched":4,"written":2,"waiting":1,"dropped":1}`
	want(t, f.post("/events", `{"name":"e","channel":"c","data":"","receipt":true}`), 200, `{"id":"event-0-0",`+receipt+`}`)
	want(t, f.post("/events", `{"name":"e","channel":"c","data":"","receipt":true,"info":"subscription_count"}`), 200,
		`{"channels":{"c":{"subscription_count":0}},"id":"event-1-0",`+receipt+`}`)
	w := f.post("/batch_events", `{"batch":[{"name":"e","channel":"c","data":"","receipt":true,"info":"subscription_count"},{"name":"e","channel":"c","data":""}]}`)
	want(t, w, 200, `{"batch":[{"subscription_count":0,"id":"event-2-0",`+receipt+`},{}]}`)
	if got := w.Header().Get("X-Belfry-Event-Id"); got != "event-2-0,event-2-1" {
		t.Errorf("X-Belfry-Event-Id %q", got)
	}
}

// HTTP-30, HTTP-31: a batch, and an empty one.
func TestHTTP31_Batch(t *testing.T) { bothWays(t, testHTTP31_Batch) }

func testHTTP31_Batch(t *testing.T, by way) {
	f := by.start(t)
	want(t, f.post("/batch_events", `{"batch":[]}`), 200, `{}`)
	f.nothing()
	want(t, f.post("/batch_events", `{"batch":[{"name":"a","channel":"x","data":"1","socket_id":"1.2"},{"name":"b","channel":"y","data":"2"}]}`), 200, `{}`)
	got := f.hub.events()
	if len(got) != 2 || got[0].Name != "a" || got[0].SocketID != "1.2" || got[1].Channels[0] != "y" {
		t.Errorf("published %+v", got)
	}
}

func batchOf(n int) string {
	return `{"batch":[` + strings.TrimSuffix(strings.Repeat(`{"name":"e","channel":"c","data":""},`, n), ",") + `]}`
}

// HTTP-31, LIMIT-05: ten events, or what the app allows.
func TestHTTP31_BatchTooLarge(t *testing.T) { bothWays(t, testHTTP31_BatchTooLarge) }

func testHTTP31_BatchTooLarge(t *testing.T, by way) {
	f := by.start(t)
	want(t, f.post("/batch_events", batchOf(10)), 200, `{}`)
	refused(t, f.post("/batch_events", batchOf(11)), 400, "Batch too large", "11", "10")
	wantLimits(t, f, "near batch_size   10 10", "over batch_size   11 10")
	f.app.Limits.BatchSize = belfry.Unlimited
	want(t, f.post("/batch_events", batchOf(50)), 200, `{}`)
	f.app.Limits.BatchSize = 0
	refused(t, f.post("/batch_events", batchOf(1)), 403, "limits.batch_size is 0")
}

// HTTP-32: all or nothing; the text of the 413 is hosted's.
func TestHTTP32_AllOrNothing(t *testing.T) { bothWays(t, testHTTP32_AllOrNothing) }

func testHTTP32_AllOrNothing(t *testing.T, by way) {
	for item, want := range map[string]int{
		`{"name":"e","channel":"b d","data":""}`: 400,
		`{"name":"e","channel":"c"}`:             400,
		`7`:                                      400,
		`{"name":"e","channel":"c","data":"` + strings.Repeat("x", 10241) + `"}`: 413,
	} {
		f := by.start(t)
		w := f.post("/batch_events", `{"batch":[{"name":"e","channel":"c","data":""},`+item+`]}`)
		refused(t, w, want, "event 1")
		if want == 413 && !strings.Contains(w.Body.String(), "content of this event") {
			t.Errorf("the 413 does not hold the words of HTTP-32: %s", w.Body)
		}
		f.nothing()
	}
	for _, body := range []string{``, `{}`, `[]`, `{"batch":{}}`, `{"batch":null}`} {
		f := by.start(t)
		refused(t, f.post("/batch_events", body), 400, "batch")
		f.nothing()
	}
}

// HTTP-33: with info in any item the answer is an array aligned by index.
func TestHTTP33_BatchInfo(t *testing.T) { bothWays(t, testHTTP33_BatchInfo) }

func testHTTP33_BatchInfo(t *testing.T, by way) {
	f := by.start(t)
	f.hub.states["presence-a"] = occupied(3, 2)
	want(t, f.post("/batch_events", `{"batch":[{"name":"e","channel":"c","data":""},`+
		`{"name":"e","channel":"presence-a","data":"","info":"user_count,subscription_count"},{"name":"e","channel":"c","data":"","info":"user_count"}]}`),
		200, `{"batch":[{},{"user_count":2,"subscription_count":3},{}]}`)
}

// HTTP-70: the deprecated publish of one event; the body is its data.
func TestHTTP70_ChannelEvents(t *testing.T) { bothWays(t, testHTTP70_ChannelEvents) }

func testHTTP70_ChannelEvents(t *testing.T, by way) {
	f := by.start(t)
	w := f.call("POST", base+"/channels/my-channel/events", `{"a":"é"}`, "name=App\\Event", "socket_id=1.2")
	want(t, w, 202, `{}`)
	got := f.hub.events()
	if len(got) != 1 || got[0].Name != `App\Event` || got[0].Channels[0] != "my-channel" ||
		string(got[0].Data) != `"{\"a\":\"é\"}"` || got[0].SocketID != "1.2" {
		t.Errorf("published %+v", got)
	}
	want(t, f.call("POST", base+"/channels/c/events", "", "name=e"), 202, `{}`)
	refused(t, f.call("POST", base+"/channels/c/events", "1"), 400, "name")
	refused(t, f.call("POST", base+"/channels/b%2Fd/events", "1", "name=e"), 400, "b/d")
	refused(t, f.call("POST", base+"/channels/c/events", "\xff", "name=e"), 400, "UTF-8")
	refused(t, f.call("POST", base+"/channels/c/events", strings.Repeat("x", 10241), "name=e"), 413, "10241")
}

// HTTP-80: once the event is out, a failure to count is not a failure to
// publish.
func TestHTTP80_InfoFailureIsNotAPublishFailure(t *testing.T) {
	bothWays(t, testHTTP80_InfoFailureIsNotAPublishFailure)
}

func testHTTP80_InfoFailureIsNotAPublishFailure(t *testing.T, by way) {
	f := by.start(t)
	f.hub.states["c"] = occupied(1, 0)
	f.hub.onPublish = nil
	broken := &infoFails{f.hub}
	f.Handler = api.New(api.Config{Hub: broken, Now: f.clock})
	want(t, f.post("/events", `{"name":"e","channel":"c","data":"","info":"subscription_count"}`), 200, `{"channels":{"c":{}}}`)
}

// limits of zero switch off, -1 lifts.
func TestLIMIT_ZeroIsOffAndMinusOneIsUnlimited(t *testing.T) {
	bothWays(t, testLIMIT_ZeroIsOffAndMinusOneIsUnlimited)
}

func testLIMIT_ZeroIsOffAndMinusOneIsUnlimited(t *testing.T, by way) {
	f := by.start(t)
	f.app.Limits.EventData, f.app.Limits.ChannelsPerEvent, f.app.Limits.EventNameLength = 0, 0, 0
	refused(t, f.post("/events", `{"name":"e","channel":"c","data":""}`), 403, "limits.event_name_length is 0")
	f.app.Limits.EventNameLength = belfry.Unlimited
	refused(t, f.post("/events", `{"name":"e","channel":"c","data":""}`), 403, "limits.channels_per_event is 0")
	f.app.Limits.ChannelsPerEvent = belfry.Unlimited
	refused(t, f.post("/events", `{"name":"e","channel":"c","data":"x"}`), 403, "limits.event_data is 0")
	f.app.Limits.EventData = belfry.Unlimited
	want(t, f.post("/events", `{"name":"`+strings.Repeat("n", 999)+`","channel":"c","data":"`+strings.Repeat("x", 99999)+`"}`), 200, `{}`)
}
