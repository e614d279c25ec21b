package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
)

// dialWait is how long a server may take to say that it is there.
const dialWait = 5 * time.Second

// Client is a command's end of the link. It may be used concurrently.
type Client struct {
	http  *http.Client
	token string
	far   *far // nil on the server's machine
}

// Dial finds the server that runs on the data folder dir. When there is none
// the error is CodeUnavailable and IsNotRunning.
func Dial(ctx context.Context, dir string) (*Client, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	socket := filepath.Join(dir, SocketName)
	if _, err := os.Lstat(socket); err == nil {
		c := newClient("unix", socket, "")
		if _, err = c.Status(ctx); !gone(err) {
			return c.unless(err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, TokenName)); err == nil {
		var e endpoint
		if json.Unmarshal(text, &e) == nil && e.Address != "" {
			c := newClient("tcp", e.Address, e.Token)
			// The port may be another program's by now.
			if st, err := c.Status(ctx); !gone(err) && (err != nil || st.PID == e.PID) {
				return c.unless(err)
			}
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open control link: %w", err)
	}
	return nil, &notRunning{&belfry.Error{
		Code:    belfry.CodeUnavailable,
		Message: fmt.Sprintf("no server is running on the data folder %s", dir),
		Hint: "start one with: belfry serve; if one runs on this machine, name its folder with --data-dir or BELFRY_DATA_DIR; " +
			"if one runs on another, set BELFRY_URL to its address and BELFRY_TOKEN to an API token of an administrator",
	}}
}

func (c *Client) unless(err error) (*Client, error) {
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

type notRunning struct{ err *belfry.Error }

func (e *notRunning) Error() string { return e.err.Message }
func (e *notRunning) Unwrap() error { return e.err }

// IsNotRunning reports whether err says that no server runs on a data folder.
func IsNotRunning(err error) bool {
	_, ok := errors.AsType[*notRunning](err)
	return ok
}

// gone reports whether nobody listens.
func gone(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial" && !errors.Is(err, os.ErrPermission) && !op.Timeout()
}

func newClient(network, address, token string) *Client {
	dialer := &net.Dialer{}
	return &Client{token: token, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
		DisableCompression: true,
	}}}
}

// Close ends idle connections. Requests may still be made.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks what runs.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.call(ctx, http.MethodGet, "/v1/status", nil, nil, &s)
}

// Effective gives the settings in force.
func (c *Client) Effective(ctx context.Context) ([]Setting, error) {
	var s []Setting
	return s, c.call(ctx, http.MethodGet, "/v1/config", nil, nil, &s)
}

// Diff gives what a reload or a restart would change.
func (c *Client) Diff(ctx context.Context) ([]Change, error) {
	var s []Change
	return s, c.call(ctx, http.MethodGet, "/v1/config/diff", nil, nil, &s)
}

// Reload makes the server read its settings anew and gives what changed.
func (c *Client) Reload(ctx context.Context) ([]Change, error) {
	var s []Change
	return s, c.call(ctx, http.MethodPost, "/v1/config/reload", nil, nil, &s)
}

// Channels gives the occupied channels whose names begin with prefix, sorted
// by name. An empty app is the default one, here and below.
func (c *Client) Channels(ctx context.Context, app, prefix string) ([]Occupied, error) {
	var s []Occupied
	return s, c.call(ctx, http.MethodGet, "/v1/channels", url.Values{"app": {app}, "prefix": {prefix}}, nil, &s)
}

// Channel gives the state of one channel.
func (c *Client) Channel(ctx context.Context, app, name string) (Channel, error) {
	var s Channel
	return s, c.call(ctx, http.MethodGet, "/v1/channel", url.Values{"app": {app}, "name": {name}}, nil, &s)
}

// Publish sends one event, whose body is that of the HTTP API (HTTP-21).
func (c *Client) Publish(ctx context.Context, app string, event json.RawMessage) (Published, error) {
	var p Published
	return p, c.call(ctx, http.MethodPost, "/v1/events", url.Values{"app": {app}}, event, &p)
}

// Subscribe calls f with each event of the channels, of all channels when none
// is named, until ctx ends, f gives an error, or the server stops, which is no
// error. ready, if not nil, is called once events can come.
func (c *Client) Subscribe(ctx context.Context, app string, channels []string, ready func(), f func(Message) error) error {
	resp, err := c.do(ctx, http.MethodGet, "/v1/subscribe", url.Values{"app": {app}, "channel": channels}, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if ready != nil {
		ready()
	}
	lines := bufio.NewScanner(c.far.alive(resp.Body))
	lines.Buffer(nil, maxLine)
	for {
		if !lines.Scan() {
			switch err := lines.Err(); {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, errSilent), errors.Is(err, bufio.ErrTooLong):
				return fmt.Errorf("read event: %w", err)
			}
			return nil
		}
		if len(lines.Bytes()) == 0 {
			continue // it only says that the stream lives
		}
		var m Message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return fmt.Errorf("read event: %w", err)
		}
		if m.End != "" {
			return belfry.Errorf(belfry.CodeForbidden, "the server ended this: %s", m.End)
		}
		if err := f(m); err != nil {
			return err
		}
	}
}

// Apps gives the list of apps, to be read and changed in the running server.
func (c *Client) Apps() Apps { return remoteApps{c} }

type remoteApps struct{ *Client }

func (c remoteApps) List(ctx context.Context) ([]appstore.Entry, error) {
	var s []appstore.Entry
	return s, c.call(ctx, http.MethodGet, "/v1/apps", nil, nil, &s)
}

func (c remoteApps) Add(ctx context.Context, n appstore.New) (*appstore.Created, error) {
	body, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	created := new(appstore.Created)
	return created, c.call(ctx, http.MethodPost, "/v1/apps", nil, body, created)
}

func (c remoteApps) Remove(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/v1/apps", url.Values{"id": {id}}, nil, &struct{}{})
}

func (c remoteApps) Rotate(ctx context.Context, id string, how appstore.Rotation) (*appstore.Created, error) {
	created := new(appstore.Created)
	return created, c.call(ctx, http.MethodPost, "/v1/apps/rotate", url.Values{"id": {id}, "how": {string(how)}}, nil, created)
}

// maxLine bounds one message of a subscription: the largest event, escaped.
const maxLine = 64 << 20

func (c *Client) call(ctx context.Context, method, path string, query url.Values, body []byte, answer any) error {
	ctx, cancel := c.far.limit(ctx)
	defer cancel()
	resp, err := c.do(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(c.far.bound(resp.Body)).Decode(answer); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody)) // so that the connection serves again
	return nil
}

// do sends a request. Its errors are the server's own, or say that the server
// cannot be reached.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Response, error) {
	target := url.URL{Scheme: "http", Host: "belfry", Path: path, RawQuery: query.Encode()}
	if c.far != nil {
		target = c.far.target(path, query)
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.far != nil {
		return c.far.send(c.http, req)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the made-up URL
		}
		return nil, fmt.Errorf("reach the server: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	f, ok := readFailure(resp)
	if !ok {
		return nil, belfry.Errorf(belfry.CodeInternal, "the server answered %s", resp.Status)
	}
	return nil, &belfry.Error{Code: f.Code, Message: f.Error, Hint: f.Hint}
}

// readFailure reads an answer that refuses or fails.
func readFailure(resp *http.Response) (f failure, ok bool) {
	err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&f)
	return f, err == nil && f.Error != ""
}
