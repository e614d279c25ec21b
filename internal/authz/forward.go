package authz

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/httpx"
	"github.com/belfryhq/belfry/pusher"
)

// Forward has the application decide at its own URL. The zero value does not.
//
// It is asked as a Pusher client would: POST, a form with socket_id and
// channel_name and whatever else the page sent, with the page's cookies,
// Authorization, CSRF headers and Origin. 2xx is yes, 401 and 403 are no, any
// other answer counts as none. Belfry signs; a signature in the answer is not
// looked at. What is read of the answer, if it is JSON:
//
//   - presence channels: channel_data, an object {"user_id", "user_info"} or its
//     text, as Laravel and the Pusher libraries answer; or user_id and user_info
//     beside each other; without a user_id the signed-in user's own;
//   - sign-in: user_data, an object {"id", …} or its text; without it the
//     signed-in user's own.
type Forward struct {
	// ChannelURL decides on channels, UserURL on sign-ins. What is empty stays
	// with the rules, or with Belfry's own users.
	ChannelURL, UserURL string
	// Client asks; required with a URL. It may reach private addresses, since the
	// URL is the operator's. Redirects are not followed whatever it says.
	Client *http.Client
	// Timeout bounds one question. Default: 3 s.
	Timeout time.Duration
	// Concurrent bounds questions at a time; more are answered with
	// CodeUnavailable. Default: 256.
	Concurrent int
}

// maxForwarded bounds the application's answer.
const maxForwarded = 64 << 10

type forwarder struct {
	channels, users string
	client          http.Client
	timeout         time.Duration
	slots           chan struct{}
}

func newForwarder(cfg Forward) (*forwarder, error) {
	if cfg.ChannelURL == "" && cfg.UserURL == "" {
		return nil, nil
	}
	for _, raw := range []string{cfg.ChannelURL, cfg.UserURL} {
		if u, err := url.Parse(raw); raw != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return nil, errors.New("the application's authorization URL is not an http:// or https:// address")
		}
	}
	if cfg.Client == nil {
		return nil, errors.New("forwarding authorization needs an HTTP client")
	}
	f := &forwarder{
		channels: cfg.ChannelURL,
		users:    cfg.UserURL,
		client:   *cfg.Client,
		timeout:  cmp.Or(cfg.Timeout, 3*time.Second),
		slots:    make(chan struct{}, cmp.Or(cfg.Concurrent, 256)),
	}
	f.client.Jar = nil // cookies are the page's, each time
	f.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return f, nil
}

// forwardedRule stands in a decision where a rule's pattern would.
const forwardedRule = "(forwarded)"

// channel asks about a channel and gives who the member is, for presence.
func (f *forwarder) channel(ctx context.Context, ask Ask) (d Decision, memberID string) {
	body, d := f.ask(ctx, f.channels, ask)
	if !d.Allowed || !pusher.KindOf(ask.Channel).Is(pusher.Presence) {
		return d, ""
	}
	member, err := memberOf(body, ask)
	if err == nil && member.Info != nil {
		d.Member, err = compact(member.Info)
	}
	if err != nil {
		return unanswered("the application's answer holds no member data: " + err.Error()), ""
	}
	return d, member.ID
}

// user asks about a sign-in and gives its user_data, empty for the signed-in
// user's own.
func (f *forwarder) user(ctx context.Context, ask Ask) (string, Decision) {
	body, d := f.ask(ctx, f.users, ask)
	if !d.Allowed {
		return "", d
	}
	var answer struct {
		UserData json.RawMessage `json:"user_data"`
	}
	if err := json.Unmarshal(body, &answer); err == nil && len(answer.UserData) > 0 {
		text, err := text(answer.UserData)
		if err != nil {
			return "", unanswered("the application's user_data cannot be read")
		}
		return text, d
	}
	if ask.User == nil {
		return "", unanswered("the application's answer holds no user_data, and nobody is signed in here")
	}
	return "", d
}

// ask puts one question to the application.
func (f *forwarder) ask(ctx context.Context, to string, ask Ask) ([]byte, Decision) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	default:
		return nil, unanswered(fmt.Sprintf("%d questions wait for the application already", cap(f.slots)))
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	request, err := f.request(ctx, to, ask)
	if err != nil {
		return nil, unanswered(httpx.Cause(err).Error())
	}
	response, err := f.client.Do(request)
	if err != nil {
		return nil, unanswered("the application did not answer: " + cut(httpx.Cause(err).Error(), 200))
	}
	defer response.Body.Close()
	body, err := httpx.ReadBounded(response.Body, maxForwarded)
	switch status := response.StatusCode; {
	case status == http.StatusUnauthorized:
		return nil, Decision{Result: NotSignedIn, Rule: forwardedRule, Reason: "the application answered 401"}
	case status == http.StatusForbidden:
		return nil, Decision{Result: Refused, Rule: forwardedRule, Reason: "the application answered 403"}
	case status < 200 || status > 299:
		return nil, unanswered(fmt.Sprintf("the application answered %d; 2xx is yes, 401 and 403 are no", status))
	case err != nil:
		return nil, unanswered("the application's answer could not be read: " + err.Error())
	}
	return body, Decision{Allowed: true, Result: Allowed, Rule: forwardedRule, Reason: "the application allows"}
}

func unanswered(reason string) Decision {
	return Decision{Result: Unavailable, Rule: forwardedRule, Reason: reason}
}

// request makes the question. Nothing of the page's request goes along but what
// is named here.
func (f *forwarder) request(ctx context.Context, to string, ask Ask) (*http.Request, error) {
	form := url.Values{}
	for name, values := range ask.Form {
		form[name] = values
	}
	form.Set("socket_id", ask.SocketID)
	form.Del("channel_name")
	if ask.Channel != "" {
		form.Set("channel_name", ask.Channel)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"Cookie", "Authorization", "X-Csrf-Token", "X-Xsrf-Token", "Origin"} {
		if values := ask.Header.Values(name); len(values) > 0 {
			request.Header[name] = values
		}
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "Belfry")
	return request, nil
}

// memberOf reads presence data out of the application's answer.
func memberOf(body []byte, ask Ask) (pusher.Member, error) {
	var answer struct {
		ChannelData json.RawMessage `json:"channel_data"`
		UserID      json.RawMessage `json:"user_id"`
		UserInfo    json.RawMessage `json:"user_info"`
	}
	// An answer that is no JSON object, as a plain "OK", says nothing of members.
	known := json.Unmarshal(body, &answer) == nil
	switch {
	case known && isSet(answer.ChannelData):
		data, err := text(answer.ChannelData)
		if err != nil {
			return pusher.Member{}, err
		}
		return pusher.ParseMember(data)
	case known && isSet(answer.UserID):
		return pusher.ParseMember(string(body))
	case ask.User == nil:
		return pusher.Member{}, errors.New("neither channel_data nor user_id is there, and nobody is signed in here")
	case known && isSet(answer.UserInfo):
		return pusher.Member{ID: ask.User.ID, Info: answer.UserInfo}, nil
	}
	return pusher.Member{ID: ask.User.ID, Info: defaultMember(ask.User)}, nil
}

func isSet(raw json.RawMessage) bool { return len(raw) > 0 && !bytes.Equal(raw, []byte("null")) }

// text gives a JSON string's text, or another JSON value as its own.
func text(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || raw[0] != '"' {
		return string(raw), nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}
