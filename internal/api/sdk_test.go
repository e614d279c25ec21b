package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/api"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/pusher"
	sdk "github.com/pusher/pusher-http-go/v5"
)

// outlet is the simplest one: it sends to each subscriber at once.
type outlet struct {
	slot  int
	conns sync.Map // *hub.Client to *client
}

func (o *outlet) send(s *hub.Subscription, m []byte) {
	conn, _ := o.conns.Load(s.Client)
	conn.(*client).Send(m)
}

func (o *outlet) list(t *hub.Topic) []*hub.Subscription {
	l, _ := t.Slots[o.slot].([]*hub.Subscription)
	return l
}

func (o *outlet) Join(s *hub.Subscription, first [][]byte) {
	for _, m := range first {
		o.send(s, m)
	}
	s.Topic.Slots[o.slot] = append(o.list(s.Topic), s)
}

func (o *outlet) Leave(s *hub.Subscription) {
	s.Topic.Slots[o.slot] = slices.DeleteFunc(o.list(s.Topic), func(x *hub.Subscription) bool { return x == s })
}

func (o *outlet) Publish(t *hub.Topic, d hub.Delivery) (r hub.Receipt) {
	for _, s := range o.list(t) {
		if !d.Skips(s.Client) {
			r.Matched++
			r.Written++
			o.send(s, d.Message)
		}
	}
	return r
}

func (*outlet) Reserve(context.Context, *hub.Topic, int) error { return nil }
func (*outlet) Release(*hub.Topic, int)                        {}

// client is a connection that keeps what it was sent.
type client struct {
	hub.Client
	mu     sync.Mutex
	got    []string
	closed pusher.CloseCode
}

func (c *client) Send(m []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, string(m))
}

func (c *client) Close(code pusher.CloseCode, _ string, _ []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = code
}

// last gives the latest message.
func (c *client) last() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.got) == 0 {
		return ""
	}
	return c.got[len(c.got)-1]
}

// world is a real hub behind a real listener.
type world struct {
	testing.TB
	hub    *hub.Hub
	server *httptest.Server
	outlet *outlet
	sdk    *sdk.Client
}

func live(t testing.TB, change func(*belfry.App)) *world {
	t.Helper()
	app := demoApp()
	if change != nil {
		change(app)
	}
	w := &world{TB: t, hub: hub.New(hub.Config{}), outlet: &outlet{}}
	w.outlet.slot = w.hub.AddOutlet(w.outlet)
	w.hub.SetApps([]*belfry.App{app})
	w.server = httptest.NewServer(api.New(api.Config{Hub: w.hub}))
	t.Cleanup(w.server.Close)
	w.sdk = &sdk.Client{AppID: appID, Key: key, Secret: secret, Host: w.server.Listener.Addr().String(),
		HTTPClient: w.server.Client()}
	return w
}

// connect adds a connection on the given channels; presence members and users
// bear the name user.
func (w *world) connect(user string, channels ...string) *client {
	w.Helper()
	c := &client{}
	w.outlet.conns.Store(&c.Client, c)
	if r := w.hub.Connect(&c.Client, c, w.outlet.slot, hub.Handshake{Key: key, Protocol: "7", HasProtocol: true}); r != nil {
		w.Fatalf("refused: %+v", r)
	}
	w.Cleanup(c.Disconnect)
	id := c.ID().String()
	if user != "" {
		data := fmt.Sprintf(`{"id":%q}`, user)
		w.say(c, "pusher:signin", map[string]string{"user_data": data, "auth": key + ":" + pusher.Sign(secret, pusher.UserText(id, data))})
	}
	for _, channel := range channels {
		data := map[string]string{"channel": channel}
		switch kind := pusher.KindOf(channel); {
		case kind.Is(pusher.Presence):
			data["channel_data"] = fmt.Sprintf(`{"user_id":%q}`, user)
			data["auth"] = key + ":" + pusher.Sign(secret, pusher.ChannelText(id, channel, data["channel_data"], true))
		case kind.NeedsAuth():
			data["auth"] = key + ":" + pusher.Sign(secret, pusher.ChannelText(id, channel, "", false))
		}
		w.say(c, "pusher:subscribe", data)
		if got := c.last(); strings.Contains(got, "error") {
			w.Fatalf("subscribe %s: %s", channel, got)
		}
	}
	return c
}

func (w *world) say(c *client, event string, data map[string]string) {
	w.Helper()
	m, err := json.Marshal(map[string]any{"event": event, "data": data})
	if err != nil {
		w.Fatal(err)
	}
	if !c.Receive(m, func() {}) {
		w.Fatalf("%s was not handled at once", event)
	}
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// last checks a client's latest message.
func (w *world) last(c *client, want string) {
	w.Helper()
	if got := c.last(); got != want {
		w.Errorf("got %s\nwant %s", got, want)
	}
}

// HTTP-20 to HTTP-33 as the official Go SDK uses them.
func TestSDK_Publish(t *testing.T) {
	w := live(t, nil)
	a, b := w.connect("7", "one", "two", "#server-to-user-7"), w.connect("8", "one", "presence-a")

	w.ok(w.sdk.Trigger("one", `App\Events\It`, map[string]string{"hello": "wörld"}))
	for _, c := range []*client{a, b} {
		w.last(c, `{"event":"App\\Events\\It","channel":"one","data":"{\"hello\":\"wörld\"}"}`)
	}
	w.ok(w.sdk.TriggerMulti([]string{"one", "two"}, "multi", "plain"))
	w.last(a, `{"event":"multi","channel":"two","data":"plain"}`)
	w.last(b, `{"event":"multi","channel":"one","data":"plain"}`)

	//lint:ignore SA1019 older applications still call it
	w.ok(w.sdk.TriggerExclusive("one", "exclusive", "", a.ID().String()))
	w.last(a, `{"event":"multi","channel":"two","data":"plain"}`)
	w.last(b, `{"event":"exclusive","channel":"one","data":""}`)

	w.ok(w.sdk.SendToUser("7", "personal", 1))
	w.last(a, `{"event":"personal","channel":"#server-to-user-7","data":"1"}`)

	info := "user_count,subscription_count"
	list, err := w.sdk.TriggerMultiWithParams([]string{"one", "presence-a", "nobody"}, "e", "", sdk.TriggerParams{Info: &info})
	w.ok(err)
	if one, p, n := list.Channels["one"], list.Channels["presence-a"], list.Channels["nobody"]; len(list.Channels) != 3 ||
		*one.SubscriptionCount != 2 || one.UserCount != nil || *p.UserCount != 1 || *p.SubscriptionCount != 1 || *n.SubscriptionCount != 0 {
		t.Errorf("info: %+v", list)
	}
	none, err := w.sdk.TriggerWithParams("one", "e", "", sdk.TriggerParams{})
	w.ok(err)
	if len(none.Channels) != 0 {
		t.Errorf("info although none was asked for: %+v", none)
	}
}

// HTTP-30 to HTTP-33 with the official Go SDK.
func TestSDK_Batch(t *testing.T) {
	w := live(t, nil)
	c := w.connect("", "one")
	info := "subscription_count"
	batch, err := w.sdk.TriggerBatch([]sdk.Event{
		{Channel: "one", Name: "first", Data: "1", Info: &info}, {Channel: "two", Name: "e", Data: "2"}, {Channel: "one", Name: "last", Data: "3"},
	})
	w.ok(err)
	if len(batch.Batch) != 3 || *batch.Batch[0].SubscriptionCount != 1 || batch.Batch[1].SubscriptionCount != nil {
		t.Errorf("batch info: %+v", batch)
	}
	if got := c.got[len(c.got)-2:]; !strings.Contains(got[0], "first") || !strings.Contains(got[1], "last") {
		t.Errorf("order: %s", got)
	}
	_, err = w.sdk.TriggerBatch(nil)
	w.ok(err)
	_, err = w.sdk.TriggerBatch(make11())
	if err == nil || !strings.Contains(err.Error(), "Batch too large") || !strings.Contains(err.Error(), "Status Code: 400") {
		t.Errorf("11 events: %v", err)
	}
	w.sdk.OverrideMaxMessagePayloadKB = 20
	_, err = w.sdk.TriggerBatch([]sdk.Event{{Channel: "one", Name: "big", Data: strings.Repeat("x", 11<<10)}})
	if err == nil || !strings.Contains(err.Error(), "content of this event") || !strings.Contains(err.Error(), "413") {
		t.Errorf("oversized event: %v", err)
	}
}

func make11() (events []sdk.Event) {
	for range 11 {
		events = append(events, sdk.Event{Channel: "c", Name: "e", Data: ""})
	}
	return events
}

// AUTH-08, CH-44: encrypted events pass untouched.
func TestSDK_Encrypted(t *testing.T) {
	w := live(t, nil)
	w.sdk.EncryptionMasterKeyBase64 = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	c := w.connect("", "private-encrypted-a")
	w.ok(w.sdk.Trigger("private-encrypted-a", "secret", "hush"))
	var event struct{ Event, Data string }
	w.ok(json.Unmarshal([]byte(c.last()), &event))
	var box struct{ Nonce, Ciphertext []byte }
	w.ok(json.Unmarshal([]byte(event.Data), &box))
	if event.Event != "secret" || len(box.Nonce) != 24 || len(box.Ciphertext) == 0 || strings.Contains(event.Data, "hush") {
		t.Errorf("got %s", c.last())
	}
}

// HTTP-40 to HTTP-51 as the official Go SDK reads them.
func TestSDK_State(t *testing.T) {
	w := live(t, nil)
	w.connect("7", "one", "presence-a")
	w.connect("7", "presence-a")
	w.connect("8", "presence-a", "presence-b")

	all, err := w.sdk.Channels(sdk.ChannelsParams{})
	w.ok(err)
	if len(all.Channels) != 3 {
		t.Errorf("channels: %+v", all)
	}
	prefix, count := "presence-", "user_count"
	some, err := w.sdk.Channels(sdk.ChannelsParams{FilterByPrefix: &prefix, Info: &count})
	w.ok(err)
	if len(some.Channels) != 2 || some.Channels["presence-a"].UserCount != 2 || some.Channels["presence-b"].UserCount != 1 {
		t.Errorf("presence channels: %+v", some)
	}
	both := "user_count,subscription_count"
	one, err := w.sdk.Channel("presence-a", sdk.ChannelParams{Info: &both})
	w.ok(err)
	if !one.Occupied || one.UserCount != 2 || one.SubscriptionCount != 3 {
		t.Errorf("presence-a: %+v", one)
	}
	gone, err := w.sdk.Channel("private-a-_=@,.;Z9", sdk.ChannelParams{})
	w.ok(err)
	if gone.Occupied {
		t.Errorf("never used: %+v", gone)
	}
	users, err := w.sdk.GetChannelUsers("presence-a")
	w.ok(err)
	slices.SortFunc(users.List, func(a, b sdk.User) int { return strings.Compare(a.ID, b.ID) })
	if !slices.Equal(users.List, []sdk.User{{ID: "7"}, {ID: "8"}}) {
		t.Errorf("users: %+v", users)
	}
	_, err = w.sdk.GetChannelUsers("one")
	if err == nil || !strings.Contains(err.Error(), "Status Code: 400") {
		t.Errorf("users of a public channel: %v", err)
	}
	w.sdk.Secret = "wrong"
	if _, err = w.sdk.Channels(sdk.ChannelsParams{}); err == nil || !strings.Contains(err.Error(), "Status Code: 401") || strings.Contains(err.Error(), secret) {
		t.Errorf("wrong secret: %v", err)
	}
}

// do sends one signed request to the real listener.
func (w *world) do(method, path, body string, params ...string) (int, string) {
	w.Helper()
	r, err := http.NewRequest(method, w.server.URL+signed(method, path, body, time.Now(), params...), strings.NewReader(body))
	w.ok(err)
	answer, err := w.server.Client().Do(r)
	w.ok(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	w.ok(err)
	return answer.StatusCode, string(text)
}

// HTTP-60, USER-30: terminate closes the signed-in user's connections.
func TestHTTP60_TerminateClosesConnections(t *testing.T) {
	w := live(t, nil)
	seven, eight, anonymous := w.connect("7"), w.connect("8"), w.connect("")
	for _, user := range []string{"7", "nobody"} {
		if status, body := w.do("POST", base+"/users/"+user+"/terminate_connections", "{}"); status != 200 || body != "{}" {
			t.Errorf("terminate %s: %d %s", user, status, body)
		}
	}
	if seven.closed != 4009 || eight.closed != 0 || anonymous.closed != 0 {
		t.Errorf("closed with %d, %d, %d; want 4009, 0, 0", seven.closed, eight.closed, anonymous.closed)
	}
}

// HTTP-46, CH-40: what a cache channel keeps is given with its time to live.
func TestHTTP46_CacheOfARealHub(t *testing.T) {
	w := live(t, nil)
	if _, body := w.do("GET", base+"/channels/cache-a", "", "info=cache"); body != `{"occupied":false,"cache":null}` {
		t.Errorf("before: %s", body)
	}
	w.ok(w.sdk.Trigger("cache-a", "e", `{"a":1}`))
	_, body := w.do("GET", base+"/channels/cache-a", "", "info=cache")
	if !strings.HasPrefix(body, `{"occupied":false,"cache":{"data":"{\"a\":1}","ttl":`) || !(strings.HasSuffix(body, ":1800}}") || strings.HasSuffix(body, ":1799}}")) {
		t.Errorf("after: %s", body)
	}
}

// A receipt of the real hub, and its id in the header.
func TestReceipt_OfARealHub(t *testing.T) {
	w := live(t, nil)
	w.connect("", "one")
	w.connect("", "one", "two")
	_, body := w.do("POST", base+"/events", `{"name":"e","channels":["one","two"],"data":"","receipt":true}`)
	if !strings.HasPrefix(body, `{"id":"`) || !strings.HasSuffix(body, `","receipt":{"matched":3,"written":3,"waiting":0,"dropped":0}}`) {
		t.Errorf("receipt: %s", body)
	}
	_, body = w.do("POST", base+"/events", `{"name":"e","channel":"nobody","data":"","receipt":true}`)
	if !strings.HasSuffix(body, `"receipt":{"matched":0,"written":0,"waiting":0,"dropped":0}}`) {
		t.Errorf("receipt without subscribers: %s", body)
	}
}

// HTTP-80: over the day's quota a publish is refused with 403, and no one is
// disconnected.
func TestHTTP80_DailyQuota(t *testing.T) {
	w := live(t, func(a *belfry.App) { a.Limits.MessagesPerDay = 3 })
	c := w.connect("", "one")
	status, body := 200, ""
	for range 4 {
		if status, body = w.do("POST", base+"/events", `{"name":"e","channel":"one","data":""}`); status != 200 {
			break
		}
	}
	if status != 403 || c.closed != 0 {
		t.Errorf("over the quota: %d %s, closed %d", status, body, c.closed)
	}
}

// HTTP-11: connections are kept alive, after refusals too.
func TestHTTP11_KeepAlive(t *testing.T) {
	w := live(t, nil)
	reused := 0
	trace := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if i.Reused {
			reused++
		}
	}})
	body := `{"name":"e","channel":"c","data":""}`
	for _, target := range []string{
		signed("POST", base+"/events", body, time.Now()), signed("POST", base+"/events", body, time.Now().Add(-time.Hour)),
		"/apps/none/events", "/nowhere", base + "/channels", signed("POST", base+"/events", body, time.Now()),
	} {
		r, err := http.NewRequestWithContext(trace, "POST", w.server.URL+target, strings.NewReader(body))
		w.ok(err)
		answer, err := w.server.Client().Do(r)
		w.ok(err)
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	if reused != 5 {
		t.Errorf("%d of 5 requests reused the connection", reused)
	}
}
