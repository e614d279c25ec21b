package server_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/server"
)

// onBothEngines tests the console of a server with either engine.
func onBothEngines(t *testing.T, test func(a *application, c *consoleAdmin)) {
	for name, portable := range map[string]bool{"shards": false, "portable": true} {
		t.Run(name, func(t *testing.T) {
			a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) { c.PortableEngine = portable })
			test(a, a.console())
		})
	}
}

// shownConnection is a connection as the console shows it.
type shownConnection struct {
	Socket   string `json:"socket_id"`
	In       int64  `json:"bytes_in"`
	Out      int64  `json:"bytes_out"`
	Library  string
	Agent    string `json:"user_agent"`
	Channels []string
}

// shownPage is what a page said, as the console shows it.
type shownPage struct {
	Socket   string `json:"socket_id"`
	Handlers []struct {
		Channel string
		Events  []string
	}
	More     bool
	Since    time.Time
	Last     time.Time `json:"last_at"`
	Failed   int
	Failures []struct{ Channel, Event, Error string }
}

func (c *consoleAdmin) connection(socket string) (one shownConnection, page *shownPage) {
	c.t.Helper()
	var got struct {
		Connection shownConnection
		Page       *shownPage
	}
	c.ask("GET", "connections/"+socket, "", 200, &got)
	return got.Connection, got.Page
}

func (c *consoleAdmin) connections(query string) (sockets []string, more bool) {
	c.t.Helper()
	var got struct {
		Connections []shownConnection
		Next        *string `json:"next_cursor"`
	}
	c.ask("GET", "connections?"+query, "", 200, &got)
	for _, one := range got.Connections {
		sockets = append(sockets, one.Socket)
	}
	return sockets, got.Next != nil
}

func TestConsoleShowsBytesAndWhatConnectionsRunOn(t *testing.T) {
	onBothEngines(t, func(a *application, c *consoleAdmin) {
		hostile := "Mozilla/5.0 <img src=x onerror=alert(1)> \u202e" + strings.Repeat("x", 300)
		w := a.dial(testApp(), "/app/"+testApp().Keys[0].Key+"?protocol=7&client=%3Cb%3Ejs&version=8.6.0%1b", "User-Agent: "+hostile).established()
		quiet := a.connect(testApp())
		w.subscribe("orders")
		before, page := c.connection(w.id)
		if page != nil {
			t.Errorf("a page that said nothing: %+v", page)
		}
		if before.Library != "<b>js 8.6.0\uFFFD" || !strings.HasPrefix(before.Agent, "Mozilla/5.0 <img src=x onerror=alert(1)> \uFFFDxxx") || len(before.Agent) > 200 {
			t.Errorf("%+v", before)
		}
		w.send(`{"event":"pusher:ping","data":{}}`)
		w.expect("pusher:pong", "")
		c.ask("POST", "events", `{"app":"1001","channel":"orders","event":"moved","data":"`+strings.Repeat("x", 5000)+`"}`, 200, nil)
		w.expect("moved", "orders")
		var after shownConnection
		a.eventually("the bytes are counted", func() bool {
			after, _ = c.connection(w.id)
			return after.Out > before.Out+5000
		})
		if frame := int64(6 + len(`{"event":"pusher:ping","data":{}}`)); after.In != before.In+frame {
			t.Errorf("%d bytes in before, %d after a ping of %d", before.In, after.In, frame)
		}
		for query, want := range map[string]string{
			"order=sent": w.id + " " + quiet.id, "order=received": w.id + " " + quiet.id, "q=mozilla": w.id, "q=%3Cb%3Ejs": w.id,
			"order=sent&q=" + quiet.id: quiet.id, "order=sent&limit=1": w.id,
		} {
			if got, more := c.connections(query); strings.Join(got, " ") != want || more {
				t.Errorf("%s: %v, more: %v; want %s", query, got, more, want)
			}
		}
		for _, order := range []string{"waiting", "silent", "newest", "oldest"} {
			if got, _ := c.connections("order=" + order); len(got) != 2 {
				t.Errorf("%s: %v", order, got)
			}
		}
		if answer := c.ask("GET", "connections?order=money", "", 422, nil); !strings.Contains(answer, "received") {
			t.Error(answer)
		}
	})
}

func TestConsoleShowsWhatPagesReport(t *testing.T) {
	onBothEngines(t, func(a *application, c *consoleAdmin) {
		w := a.connect(testApp())
		w.subscribe("orders")
		report := func(body string) {
			t.Helper()
			path := "/app/" + testApp().Keys[0].Key + "/report"
			if status, answer := a.request(a.http, "POST", path, strings.ReplaceAll(body, "SOCKET", w.id), "Content-Type", "text/plain"); status != 204 {
				t.Fatalf("report: %d %s", status, answer)
			}
		}
		report(`{"socket_id":"SOCKET","handlers":{"orders":["<b>order.paid"],"news":["*"],"":["everywhere"]}}`)
		var sent struct{ ID string }
		c.ask("POST", "events", `{"app":"1001","channel":"orders","event":"order.paid"}`, 200, &sent)
		w.expect("order.paid", "orders")
		for i := range 12 {
			report(fmt.Sprintf(`{"socket_id":"SOCKET","handlers":{"orders":["<b>order.paid"],"news":["*"],"":["everywhere"]},
				"errors":[{"channel":"news","event":"posted","error":"fault %d"}]}`, i))
		}
		_, page := c.connection(w.id)
		if page == nil {
			t.Fatal("what the page reported is not there")
		}
		if got := fmt.Sprint(page.Handlers); got != "[{ [everywhere]} {news [*]} {orders [<b>order.paid]}]" {
			t.Error(got)
		}
		if page.Failed != 12 || len(page.Failures) != 10 || page.Failures[0].Error != "fault 11" || page.Since.IsZero() || page.Last.Before(page.Since) {
			t.Errorf("%+v", page)
		}
		var verdict struct {
			Code  string
			Pages []shownPage
		}
		answer := c.ask("GET", "explain?id="+sent.ID, "", 200, &verdict)
		if len(verdict.Pages) != 1 || verdict.Pages[0].Socket != w.id || fmt.Sprint(verdict.Pages[0].Handlers) != "[{ [everywhere]} {orders [<b>order.paid]}]" || len(verdict.Pages[0].Failures) != 0 {
			t.Errorf("explain of an event on orders: %s", answer)
		}
		// So it is of an event that arrived, where its receivers are many.
		c.ask("POST", "events", `{"app":"1001","channel":"orders","event":"<b>order.paid"}`, 200, &sent)
		w.expect("<b>order.paid", "orders")
		verdict.Pages = nil
		if answer := c.ask("GET", "explain?id="+sent.ID, "", 200, &verdict); verdict.Code != "delivered" || len(verdict.Pages) != 1 || verdict.Pages[0].Socket != w.id {
			t.Errorf("explain of an event that arrived: %s", answer)
		}
		// What was reported outlives the connection.
		w.close()
		a.eventually("gone", func() bool {
			one, _ := c.connection(w.id)
			return one.Socket == ""
		})
		if _, page := c.connection(w.id); page == nil || page.Failed != 12 {
			t.Errorf("%+v", page)
		}
	})
}

func TestConsoleShowsMembersPageByPage(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, nil)
	c := a.console()
	type page struct {
		Members []struct {
			User string `json:"user_id"`
			Info string `json:"user_info"`
			Size int    `json:"user_info_bytes"`
		}
		Total int
		Next  *string `json:"next_cursor"`
	}
	for i := range 5 {
		info := fmt.Sprintf(`{"name":"<b>Member%s %d</b>"}`, "\u202e", i)
		if i == 4 {
			info = `"` + strings.Repeat("ä", 400) + strings.Repeat("x", 200) + `"`
		}
		a.connect(testApp()).join("presence-room", fmt.Sprintf(`{"user_id":"u%d","user_info":%s}`, i, info))
	}
	a.connect(testApp()).join("presence-room", `{"user_id":"without"}`)
	a.connect(testApp()).join("presence-room", `{"user_id":"without"}`)
	const path = "channels/1001/presence-room/members"
	var ids []string
	for cursor := ""; ; {
		var got page
		c.ask("GET", path+"?limit=4&cursor="+url.QueryEscape(cursor), "", 200, &got)
		if got.Total != 6 {
			t.Errorf("%d in all", got.Total)
		}
		for _, m := range got.Members {
			ids = append(ids, m.User)
			switch m.User {
			case "u0":
				if m.Info != "{\"name\":\"<b>Member\uFFFD 0</b>\"}" {
					t.Errorf("%+v", m)
				}
			case "u4":
				if len(m.Info) > 510 || !strings.HasSuffix(m.Info, "…") || m.Size != 1002 {
					t.Errorf("%d bytes of %d: %q", len(m.Info), m.Size, m.Info)
				}
			case "without":
				if m.Info != "" || m.Size != 0 {
					t.Errorf("%+v", m)
				}
			}
		}
		if got.Next == nil {
			break
		}
		cursor = *got.Next
	}
	if strings.Join(ids, " ") != "u0 u1 u2 u3 u4 without" {
		t.Error(ids)
	}
	for query, want := range map[string]int{"?q=U3": 1, "?q=member": 4, "?q=nothing": 0} {
		var got page
		if c.ask("GET", path+query, "", 200, &got); len(got.Members) != want || got.Total != want {
			t.Errorf("%s: %+v", query, got)
		}
	}
	c.ask("GET", path+"?limit=501", "", 422, nil)
	c.ask("GET", "channels/1001/orders/members", "", 200, nil) // nobody is a member there
	if near := c.ask("GET", "channels/1002/presence-room/members", "", 404, nil); !strings.Contains(near, "1001") {
		t.Error(near)
	}
	var one map[string]json.RawMessage
	if c.ask("GET", "channels/1001/presence-room", "", 200, &one); !strings.Contains(string(one["channel"]), `"members":6`) || one["members"] != nil {
		t.Errorf("%s", one)
	}
}
