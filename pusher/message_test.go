package pusher_test

import (
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

func TestWS10_ParseMessage(t *testing.T) {
	for _, c := range []struct{ in, event, channel, data string }{
		{`{"event":"pusher:ping"}`, "pusher:ping", "", ""},
		{`{"event":"pusher:ping","data":{}}`, "pusher:ping", "", "{}"},
		{`{"event":"pusher:pong","data":null}`, "pusher:pong", "", "null"},
		{" \t\r\n{ \"event\" : \"e\" , \"channel\" : \"c\" , \"data\" : [ 1 , 2 ] } \n", "e", "c", "[ 1 , 2 ]"},
		{`{"data":"{\"a\":1}","channel":"private-x","event":"client-x"}`, "client-x", "private-x", `"{\"a\":1}"`},
		{`{"event":"e","channel":null}`, "e", "", ""},
		{`{"event":"e","extra":{"event":5},"user_id":7}`, "e", "", ""},                                   // WS-13
		{`{"\u0065vent":"App\\Events\\\u00e9\ud83d\ude80\/"}`, `App\Events\é🚀/`, "", ""},                 // escapes
		{`{"event":""}`, "", "", ""},                                                                     // there, though empty
		{`{"Event":5,"EVENT":6,"event":"e"}`, "e", "", ""},                                               // names are compared exactly
		{`{"event":"a","event":"b","data":1,"data":2}`, "b", "", "2"},                                    // the last of two counts
		{`{"event":"e","data":1234567890123456789012345.000}`, "e", "", "1234567890123456789012345.000"}, // digits as they stand
	} {
		m, err := pusher.ParseMessage([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if m.Event != c.event || m.Channel != c.channel || string(m.Data) != c.data {
			t.Errorf("%s reads as %q %q %s", c.in, m.Event, m.Channel, m.Data)
		}
	}
}

func TestWS40_ParseMessageRefuses(t *testing.T) {
	for in, says := range map[string]string{
		``:                              "not valid JSON",
		` `:                             "not valid JSON",
		`hello`:                         "not valid JSON",
		`{`:                             "not valid JSON",
		`{"event":"e"`:                  "not valid JSON",
		`{"event":"e"}x`:                "not valid JSON",
		`{"event":"e"}{}`:               "not valid JSON",
		`{"event":"e",}`:                "not valid JSON",
		`{"event":"e" "data":1}`:        "not valid JSON",
		`{event:"e"}`:                   "not valid JSON",
		`{'event':'e'}`:                 "not valid JSON",
		`{"event":"e","data":01}`:       "not valid JSON",
		`{"event":"e","data":NaN}`:      "not valid JSON",
		`{"event":"e","data":"\x"}`:     "not valid JSON",
		`{"event":"e","data":"\u12g4"}`: "not valid JSON",
		"{\"event\":\"a\nb\"}":          "not valid JSON",
		"\ufeff{\"event\":\"e\"}":       "not valid JSON",
		"{\"event\":\"\xff\"}":          "not valid UTF-8",
		"{\"event\":\"\xed\xa0\x80\"}":  "not valid UTF-8",
		`[]`:                            "not a JSON object",
		`[{"event":"e"}]`:               "not a JSON object",
		`"{\"event\":\"e\"}"`:           "not a JSON object",
		`null`:                          "not a JSON object",
		`5`:                             "not a JSON object",
		`{}`:                            `"event" is missing`,
		`{"Event":"e"}`:                 `"event" is missing`,
		`{"event":null}`:                `"event" must be a string`,
		`{"event":5}`:                   `"event" must be a string`,
		`{"event":["e"]}`:               `"event" must be a string`,
		`{"event":"e","channel":5}`:     `"channel" must be a string`,
		`{"event":"e","channel":["c"]}`: `"channel" must be a string`,
	} {
		m, err := pusher.ParseMessage([]byte(in))
		if err == nil {
			t.Errorf("%q is accepted as %+v", in, m)
		} else if !strings.Contains(err.Error(), says) {
			t.Errorf("%q is refused with %q, which does not say %q", in, err, says)
		}
	}
}

func TestWS13_DataIsAnObjectOrAStringThatHoldsOne(t *testing.T) {
	object := `{"channel":"presence-x","auth":"k:s","channel_data":"{\"user_id\": 7}","other":[1]}`
	want := pusher.Subscribe{Channel: "presence-x", Auth: "k:s", ChannelData: `{"user_id": 7}`, HasData: true}
	for _, data := range []string{object, string(pusher.AppendString(nil, object))} {
		s, err := pusher.ParseSubscribe(message(t, data))
		if err != nil || s != want {
			t.Errorf("subscribe %s reads as %+v, %v", data, s, err)
		}
		channel, err := pusher.ParseUnsubscribe(message(t, data))
		if err != nil || channel != "presence-x" {
			t.Errorf("unsubscribe %s reads as %q, %v", data, channel, err)
		}
	}
	object = `{"auth":"k:s","user_data":"{\"id\":\"7\"}"}`
	for _, data := range []string{object, string(pusher.AppendString(nil, object))} {
		s, err := pusher.ParseSignin(message(t, data))
		if err != nil || s != (pusher.Signin{Auth: "k:s", UserData: `{"id":"7"}`}) {
			t.Errorf("signin %s reads as %+v, %v", data, s, err)
		}
	}
}

func TestCH10_SubscribeData(t *testing.T) {
	for data, want := range map[string]pusher.Subscribe{
		`{"channel":"x"}`:                                 {Channel: "x"},
		`{"channel":"x","auth":""}`:                       {Channel: "x"},
		`{"channel":"x","auth":null,"channel_data":null}`: {Channel: "x"},
		`{"channel":"x","auth":"a","channel_data":""}`:    {Channel: "x", Auth: "a", HasData: true},
		`{}`: {},
	} {
		if s, err := pusher.ParseSubscribe(message(t, data)); err != nil || s != want {
			t.Errorf("%s reads as %+v, %v", data, s, err)
		}
	}
	for _, data := range []string{"", `"x"`, `""`, `5`, `null`, `[]`, `"[]"`, `{"channel":5}`, `{"auth":5}`, `{"channel_data":{}}`, `"{\"channel\":"`} {
		m := pusher.Message{Event: "pusher:subscribe", Data: []byte(data)}
		if data == "" {
			m.Data = nil
		}
		if s, err := pusher.ParseSubscribe(m); err == nil {
			t.Errorf("%q is accepted as %+v", data, s)
		}
		if _, err := pusher.ParseSignin(m); err == nil && !strings.Contains(data, "channel") {
			t.Errorf("%q is accepted as a sign-in", data)
		}
		if _, err := pusher.ParseUnsubscribe(m); err == nil && !strings.Contains(data, "auth") && !strings.Contains(data, "channel_data") {
			t.Errorf("%q is accepted as an unsubscribe", data)
		}
	}
}

func message(t *testing.T, data string) pusher.Message {
	t.Helper()
	m, err := pusher.ParseMessage([]byte(`{"event":"e","data":` + data + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCH30_Member(t *testing.T) {
	for in, want := range map[string]pusher.Member{
		`{"user_id":"7"}`:                         {ID: "7"},
		`{"user_id":7}`:                           {ID: "7"},
		` { "user_id" : 7 } `:                     {ID: "7"},
		`{"user_id":-7}`:                          {ID: "-7"},
		`{"user_id":0}`:                           {ID: "0"},
		`{"user_id":"0"}`:                         {ID: "0"},
		`{"user_id":9007199254740993}`:            {ID: "9007199254740993"},
		`{"user_id":123456789012345678901234567}`: {ID: "123456789012345678901234567"},
		`{"user_id":1.50}`:                        {ID: "1.50"},
		`{"user_id":1e3}`:                         {ID: "1e3"},
		`{"user_id":"Zo\u00eb \ud83d\ude80"}`:     {ID: "Zoë 🚀"},
		`{"user_id":"a","user_info":null}`:        {ID: "a", Info: []byte(`null`)},
		`{"user_id":"a","user_info":true}`:        {ID: "a", Info: []byte(`true`)},
		`{"user_id":"a","user_info":""}`:          {ID: "a", Info: []byte(`""`)},
		`{"user_id":"a","user_info":{ "z":1.10, "a":12345678901234567890 },"x":1}`: {ID: "a", Info: []byte(`{ "z":1.10, "a":12345678901234567890 }`)},
	} {
		m, err := pusher.ParseMember(in)
		if err != nil || m.ID != want.ID || string(m.Info) != string(want.Info) || (m.Info == nil) != (want.Info == nil) {
			t.Errorf("%s reads as %q %s, %v", in, m.ID, m.Info, err)
		}
	}
	for _, in := range []string{
		``, `{}`, `[]`, `"7"`, `7`, `null`, `{"user_id":""}`, `{"user_id":null}`, `{"user_id":true}`, `{"user_id":{}}`,
		`{"user_id":["7"]}`, `{"user_id":07}`, `{"user_id":+7}`, `{"User_id":"7"}`, `{"user_id":"7"`, "{\"user_id\":\"\xff\"}",
	} {
		if m, err := pusher.ParseMember(in); err == nil {
			t.Errorf("%q is accepted as %+v", in, m)
		} else if !strings.HasPrefix(err.Error(), "channel_data: ") {
			t.Errorf("%q is refused with %q, which does not name channel_data", in, err)
		}
	}
}

func TestUSER02_User(t *testing.T) {
	u, err := pusher.ParseUser(`{"watchlist":["b","c"],"user_info":{ "n":1.0 },"id":"u-7","more":1}`, 199)
	if err != nil || u.ID != "u-7" || string(u.Info) != `{ "n":1.0 }` || strings.Join(u.Watchlist, " ") != "b c" {
		t.Errorf("reads as %+v, %v", u, err)
	}
	u, err = pusher.ParseUser(`{"id":"7","user_info":null,"watchlist":null}`, 199)
	if err != nil || u.ID != "7" || u.Info != nil || u.Watchlist != nil {
		t.Errorf("reads as %+v, %v", u, err)
	}
	if _, err := pusher.ParseUser(`{"id":"`+strings.Repeat("u", 199)+`"}`, 199); err != nil {
		t.Errorf("an id of 199 characters: %v", err)
	}
	if _, err := pusher.ParseUser(`{"id":"`+strings.Repeat("u", 500)+`"}`, belfry.Unlimited); err != nil {
		t.Errorf("an id of 500 characters without a limit: %v", err)
	}
	for in, says := range map[string]string{
		``:             "not valid JSON",
		`[]`:           "not a JSON object",
		`{}`:           `"id" is missing`,
		`{"id":""}`:    `"id" is missing`,
		`{"id":7}`:     `"id" must be a string`,
		`{"id":null}`:  `"id" must be a string`,
		`{"id":"a b"}`: "letters, digits",
		`{"id":"a:b"}`: "letters, digits",
		`{"id":"é"}`:   "letters, digits",
		`{"id":"` + strings.Repeat("u", 200) + `"}`: "at most 199",
		`{"id":"7","user_info":"Ada"}`:              `"user_info" must be an object`,
		`{"id":"7","user_info":[]}`:                 `"user_info" must be an object`,
		`{"id":"7","watchlist":"b"}`:                `"watchlist" must be an array of strings`,
		`{"id":"7","watchlist":[1]}`:                `"watchlist" must be an array of strings`,
		`{"id":"7","watchlist":{}}`:                 `"watchlist" must be an array of strings`,
	} {
		if u, err := pusher.ParseUser(in, 199); err == nil {
			t.Errorf("%s is accepted as %+v", in, u)
		} else if !strings.HasPrefix(err.Error(), "user_data: ") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s is refused with %q, which does not say %q", in, err, says)
		}
	}
	if _, err := pusher.ParseUser(`{"id":"a b"}`, belfry.Unlimited); err == nil || strings.Contains(err.Error(), "-1") {
		t.Errorf("refused with %v", err)
	}
}

func TestCE06_ClientEventDataBecomesAString(t *testing.T) {
	for in, want := range map[string]struct {
		token string
		size  int
	}{
		`"as it is"`:                    {`"as it is"`, 8},
		`"\u00e9\ud83d\ude80\n\/"`:      {`"\u00e9\ud83d\ude80\n\/"`, 8}, // unchanged, and counted as decoded
		`""`:                            {`""`, 0},
		`"\ud800"`:                      {`"\ud800"`, 3},
		`{ "a" : [ 1 , "x y\" z" ] }`:   {`"{\"a\":[1,\"x y\\\" z\"]}"`, 19},
		`12345678901234567890.10`:       {`"12345678901234567890.10"`, 23},
		`null`:                          {`"null"`, 4},
		`true`:                          {`"true"`, 4},
		"{\"t\":\t\"\\t\"\r\n,\"é\":1}": {`"{\"t\":\"\\t\",\"é\":1}"`, 17},
	} {
		token, size := pusher.ClientEventData(message(t, in))
		if string(token) != want.token || size != want.size {
			t.Errorf("%s becomes %s of %d bytes, want %s of %d", in, token, size, want.token, want.size)
		}
	}
}

func TestHTTP23_ReservedNames(t *testing.T) {
	for name, want := range map[string][2]bool{ // reserved, client event
		"pusher:x": {true, false}, "pusher_internal:x": {true, false}, "pusher:": {true, false},
		"pusher": {}, "pusherx:y": {}, "Pusher:x": {}, "client-x": {false, true}, "client-": {false, true},
		"client": {}, "x-client-": {}, "Client-x": {},
	} {
		if got := pusher.IsReserved(name); got != want[0] {
			t.Errorf("IsReserved(%q) is %t", name, got)
		}
		if got := pusher.IsClientEvent(name); got != want[1] {
			t.Errorf("IsClientEvent(%q) is %t", name, got)
		}
	}
}
