package pusherclient

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/pusher"
)

// API calls the HTTP API of one app. It may be used concurrently.
type API struct {
	Target
	// Client sends the requests; nil for http.DefaultClient.
	Client *http.Client
	// Signed is the path prefix that the signature covers, for SDKs that believe
	// in another path than the one they send to; empty for that of URL.
	Signed *string
}

// StatusError is an answer other than 200.
type StatusError struct {
	Status int
	Body   string
}

// Error gives status and body.
func (e *StatusError) Error() string {
	return fmt.Sprintf("the server answered %d: %s", e.Status, e.Body)
}

// Publish publishes one event; nil means that the server has accepted it.
func (a *API) Publish(ctx context.Context, event, data string, channels ...string) error {
	body, err := json.Marshal(map[string]any{"name": event, "channels": channels, "data": data})
	if err != nil {
		return err
	}
	_, err = a.Do(ctx, http.MethodPost, "/events", body)
	return err
}

// Do makes a signed call; path is what follows /apps/{id}. An answer other than
// 200 is a *StatusError.
func (a *API) Do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	base, err := url.Parse(a.URL)
	if err != nil {
		return nil, err
	}
	prefix := strings.TrimSuffix(base.Path, "/")
	if a.Signed != nil {
		prefix = *a.Signed
	}
	call := "/apps/" + a.AppID + path
	query := a.sign(method, prefix+call, body)
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.URL, "/")+call+"?"+query, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	client := a.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, &StatusError{resp.StatusCode, strings.TrimSpace(string(answer))}
	}
	return answer, nil
}

func (a *API) sign(method, path string, body []byte) string {
	query := url.Values{
		"auth_key":       {a.Key},
		"auth_timestamp": {strconv.FormatInt(time.Now().Unix(), 10)},
		"auth_version":   {"1.0"},
	}
	if len(body) > 0 {
		sum := md5.Sum(body)
		query.Set("body_md5", hex.EncodeToString(sum[:]))
	}
	text := pusher.RequestText(method, path, pusher.ParseQuery(query.Encode(), false), false)
	query.Set("auth_signature", pusher.Sign(a.Secret, text))
	return query.Encode()
}
