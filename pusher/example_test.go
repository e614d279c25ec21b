package pusher_test

import (
	"fmt"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// An application's authorization endpoint answers with a signature over the
// socket id and the channel.
func ExampleSign() {
	text := pusher.ChannelText("4321.98765", "private-orders.42", "", false)
	fmt.Println("demo-key-a1b2c3d4e5:" + pusher.Sign("demo-secret-9f8e7d6c5b4a", text))
	// Output:
	// demo-key-a1b2c3d4e5:f26922ff91294f698a09263aa1238c232bc108a94088201c6a4ade013450048b
}

// A webhook's receiver checks the X-Pusher-Signature header against the body.
func ExampleVerify() {
	body := `{"time_ms":1767225600123,"events":[{"name":"channel_occupied","channel":"orders"}]}`
	header := "5dda290306a701de38af900ba51f2945d563bcd3752dd7b3591024930a52c063"
	fmt.Println(pusher.Verify([]string{"demo-secret-9f8e7d6c5b4a"}, body, header))
	// Output: true
}

func ExampleKindOf() {
	for _, name := range []string{"news", "private-orders", "presence-cache-room", "my-cache-x"} {
		kind := pusher.KindOf(name)
		fmt.Println(name, kind, kind.NeedsAuth(), kind.Is(pusher.Cache))
	}
	// Output:
	// news public false false
	// private-orders private true false
	// presence-cache-room presence-cache true true
	// my-cache-x public false false
}

func ExampleParseMessage() {
	m, err := pusher.ParseMessage([]byte(`{"event":"pusher:subscribe","data":{"channel":"news","auth":""}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := pusher.ParseSubscribe(m)
	fmt.Println(m.Event, s.Channel, err)
	// Output: pusher:subscribe news <nil>
}

func ExampleAppendError() {
	fmt.Printf("%s\n", pusher.AppendError(nil, pusher.CloseNoApp, "there is no app with this key"))
	// Output: {"event":"pusher:error","data":{"code":4001,"message":"there is no app with this key"}}
}

func ExampleParseEvent() {
	naming := pusher.Naming{Limits: belfry.DefaultLimits()}
	e, err := pusher.ParseEvent([]byte(`{"name":"shipped","channel":"orders","data":"{\"id\":42}"}`), naming)
	fmt.Println(e.Name, e.Channels, string(e.Data), e.Size, err)

	_, err = pusher.ParseEvent([]byte(`{"name":"shipped","channel":"all orders","data":""}`), naming)
	fmt.Println(err)
	// Output:
	// shipped [orders] "{\"id\":42}" 9 <nil>
	// channel "all orders" is not a legal name: use 1 to 200 letters, digits and _-=@,.; only
}

func ExampleRequest_Verify() {
	r := pusher.Request{
		Method: "GET",
		Paths:  []string{"/apps/730041/channels/orders"},
		RawQuery: "info=subscription_count&auth_key=demo-key-rotated-0002&auth_timestamp=1767225600&auth_version=1.0" +
			"&auth_signature=3ac56ea2b888aac15954efcf2e83df3d4c642d4abd8f9fb84ec57e177e948650",
	}
	secrets := func(string) []string { return []string{"demo-secret-rotated-0002"} }
	query, err := r.Verify(time.Unix(1767225600, 0), secrets)
	fmt.Println(query.Get("info"), err)

	_, err = r.Verify(time.Unix(1767229200, 0), secrets)
	fmt.Println(err)
	// Output:
	// subscription_count <nil>
	// auth_timestamp 1767225600 is outside the window: it is 3600 s from the server's clock (1767229200), at most 600 s are allowed; set the sender's clock
}
