package pushercast

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	pusherhttp "github.com/pusher/pusher-http-go/v5"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/httpx"
	"github.com/belfryhq/belfry/pusher"
)

// raw sends an event that the publisher encrypted: the client library would
// encrypt it again.
func (d *Driver) raw(ctx context.Context, e belfry.Event) error {
	encoded, err := broadcast.Encode(e)
	if err != nil {
		return err
	}
	body := pusher.AppendString([]byte(`{"name":`), e.Name)
	body = pusher.AppendString(append(body, `,"channel":`...), e.Channels[0])
	body = append(append(body, `,"data":`...), encoded.Data...)
	if e.ExcludeSocket != "" {
		body = pusher.AppendString(append(body, `,"socket_id":`...), e.ExcludeSocket)
	}
	body = append(body, '}')
	return d.do(ctx, e.ID, func(c *pusherhttp.Client) error {
		request, err := d.signed(body, time.Now())
		if err != nil {
			return err
		}
		resp, err := c.HTTPClient.Do(request)
		if err != nil {
			return err
		}
		httpx.Discard(resp.Body, maxAnswer)
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	})
}

// signed is POST /events with the body (HTTP-02).
func (d *Driver) signed(body []byte, now time.Time) (*http.Request, error) {
	sum := md5.Sum(body)
	path := "/apps/" + d.cfg.AppID + "/events"
	query := "auth_key=" + d.cfg.Key + "&auth_timestamp=" + strconv.FormatInt(now.Unix(), 10) +
		"&auth_version=1.0&body_md5=" + hex.EncodeToString(sum[:])
	signature := pusher.Sign(d.cfg.Secret, "POST\n"+path+"\n"+query)
	to := url.URL{Scheme: d.cfg.Scheme, Host: d.cfg.address(), Path: path, RawQuery: query + "&auth_signature=" + signature}
	request, err := http.NewRequest(http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	return request, nil
}
