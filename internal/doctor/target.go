package doctor

import (
	"cmp"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/pusher"
)

// Target is a Pusher-compatible server to be examined.
type Target struct {
	Scheme string // http or https
	Host   string
	Port   int
	Path   string // before /app and /apps; empty for none
	// AppID, Key and Secret are an app's. Without AppID or Secret only the
	// connection is tested.
	AppID, Key, Secret string
	// Origin is sent as a browser would; empty for none.
	Origin string
	// Idle is how long a connection is left alone to find the idle limit of what
	// stands between; 0 measures nothing.
	Idle time.Duration
	// Roots are trusted for TLS; default: the system's.
	Roots *x509.CertPool
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// The names of the checks of a target.
const (
	checkAddress   = "address"
	checkTLS       = "tls"
	checkClock     = "clock"
	checkSignature = "signature"
	checkSocket    = "websocket"
	checkChannel   = "private channel"
	checkEvent     = "event"
	checkIdle      = "idle limit"
)

// Answers and margins.
const (
	maxAnswer   = 64 << 10
	clockMargin = 60 * time.Second // signatures hold for 600 s
	certMargin  = 14 * 24 * time.Hour
)

// Steps gives the checks of a target. They share a connection, so they are made
// once, by Run, and Close ends it.
func (t Target) Steps() (steps []Step, done func()) {
	if t.Now == nil {
		t.Now = time.Now
	}
	e := &examination{Target: t, channel: "private-belfry-doctor-" + strings.ToLower(rand.Text()[:12])}
	e.http = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: t.Roots, MinVersion: tls.VersionTLS12}, Proxy: http.ProxyFromEnvironment},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	steps = []Step{
		{Name: checkAddress, Run: e.address},
		{Name: checkTLS, Needs: []string{checkAddress}, Run: e.tls},
		{Name: checkClock, Needs: []string{checkAddress}, Run: e.clock},
		{Name: checkSignature, Needs: []string{checkAddress}, Run: e.signature},
		{Name: checkSocket, Needs: []string{checkAddress}, Run: e.connect},
		{Name: checkChannel, Needs: []string{checkSocket}, Run: e.subscribe},
		{Name: checkEvent, Needs: []string{checkSignature, checkChannel}, Run: e.event},
		{Name: checkIdle, Needs: []string{checkSocket}, Limit: t.Idle + 2*defaultLimit, Run: e.idle},
	}
	if t.Scheme == "https" {
		for i := 2; i < len(steps); i++ {
			steps[i].Needs = append(steps[i].Needs, checkTLS)
		}
	} else {
		steps[1] = Step{Name: checkTLS, Run: func(context.Context) Check { return Skip("the address is http") }}
	}
	return steps, e.close
}

// examination is a target under examination.
type examination struct {
	Target
	http    *http.Client
	channel string
	socket  *socket
}

func (e *examination) close() {
	e.socket.close()
	e.http.CloseIdleConnections()
}

func (e *examination) authority() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }

// address finds the host and opens a connection.
func (e *examination) address(ctx context.Context) Check {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", e.authority())
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return Fail(HostUnknown, "check the host's name; write no scheme, port or path with it", "no address is known for the host %q: %s", e.Host, dns.Err)
	}
	if err != nil {
		return Fail(NotReached, "check host and port, that the server runs and listens on an address that is reached from here, and firewalls on the way",
			"nothing answers at %s: %s", e.authority(), plain(err))
	}
	defer conn.Close()
	return Pass("%s answers at %s", e.authority(), conn.RemoteAddr())
}

// tls judges the certificate as a browser would.
func (e *examination) tls(ctx context.Context) Check {
	d := tls.Dialer{Config: &tls.Config{RootCAs: e.Roots, ServerName: e.Host, MinVersion: tls.VersionTLS12}}
	conn, err := d.DialContext(ctx, "tcp", e.authority())
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record):
		return Fail(TLSNotSpoken, "use the scheme http with this port, or end TLS in a proxy or in the server", "%s does not speak TLS", e.authority())
	case err != nil:
		return e.badCertificate(err)
	}
	defer conn.Close()
	chain := conn.(*tls.Conn).ConnectionState().PeerCertificates
	left := chain[0].NotAfter.Sub(e.Now())
	if left < certMargin {
		soon := Fail(TLSExpires, "renew the certificate, and see why it was not renewed", "the certificate ends on %s, in %.0f days",
			chain[0].NotAfter.UTC().Format(time.DateOnly), left.Hours()/24)
		soon.mild = true
		return soon
	}
	return Pass("%s; the certificate of %s holds for %.0f days; issued by %s; certificates sent: %d", tls.VersionName(conn.(*tls.Conn).ConnectionState().Version),
		short(chain[0].Subject.CommonName), left.Hours()/24, short(chain[0].Issuer.CommonName), len(chain))
}

func (e *examination) badCertificate(err error) Check {
	const fix = "browsers refuse it too; serve the whole chain, of an authority that they know, for this very host"
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return Fail(TLSExpires, "renew the certificate, and see why it was not renewed", "the certificate does not hold at this time: it is valid until %s", invalid.Cert.NotAfter.UTC().Format(time.DateTime))
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return Fail(TLSUntrusted, fix, "the certificate is not trusted: %s", plain(err))
	}
	return Fail(TLSNotSpoken, "use the scheme http with this port, or see the server's log for the handshake", "the TLS handshake fails: %s", plain(err))
}

// clock compares the answer's date with this machine's time.
func (e *examination) clock(ctx context.Context) Check {
	began := e.Now()
	resp, _, err := e.do(ctx, http.MethodGet, e.Path+"/", nil, false)
	if err != nil {
		return Skip("the server gave no answer over %s: %s", e.Scheme, plain(err))
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return Skip("the server's answers bear no date")
	}
	off := date.Sub(began.Add(e.Now().Sub(began) / 2))
	if off.Abs() > clockMargin {
		return Fail(ClockOff, "set both clocks by NTP: signatures are refused at 600 s", "the server's clock is %s this machine's: it says %s", ahead(off), date.UTC().Format(time.DateTime))
	}
	return Pass("the server's clock and this machine's differ by less than %.0f s", max(1, off.Abs().Seconds()+1))
}

func ahead(off time.Duration) string {
	if off < 0 {
		return off.Abs().Round(time.Second).String() + " behind"
	}
	return off.Round(time.Second).String() + " ahead of"
}

// signature asks the HTTP API something that changes nothing.
func (e *examination) signature(ctx context.Context) Check {
	if e.AppID == "" || e.Secret == "" || e.Key == "" {
		return Skip("give app id, key and secret to test the HTTP API and an event")
	}
	resp, body, err := e.do(ctx, http.MethodGet, e.Path+"/apps/"+url.PathEscape(e.AppID)+"/channels", nil, true)
	if err != nil {
		return Fail(NotReached, "check scheme and port", "the HTTP API gave no answer over %s: %s", e.Scheme, plain(err))
	}
	text := e.said(body)
	if c, ok := e.between(resp, body); ok {
		return c
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return Pass("the HTTP API takes the signature of app %s", short(e.AppID))
	case http.StatusNotFound:
		return Fail(NoSuchApp, "check the app id, and that this is the right server and path", "the server has no app %q: %s", e.AppID, text)
	case http.StatusForbidden:
		return Fail(AppDisabled, "enable the app, or use another", "the server refuses the app: %s", text)
	case http.StatusUnauthorized, http.StatusBadRequest:
		switch {
		case strings.Contains(text, "timestamp"):
			return Fail(ClockOff, "set both clocks by NTP", "%s", text)
		case strings.Contains(text, "auth_key"), strings.Contains(text, "unknown key"):
			return Fail(NoSuchKey, "take id, key and secret of one app", "the key is none of app %s: %s", short(e.AppID), text)
		}
		return Fail(WrongSecret, "compare the secret with the server's, without quotes and spaces around it; after a change of .env run: php artisan config:clear", "the server does not take the signature: %s", text)
	}
	return Fail(APIRefused, "see the server's log, and whether something before it answers", "the HTTP API answered %s: %s", resp.Status, text)
}

// between tells answers of what stands before the server from the server's own.
func (e *examination) between(resp *http.Response, body []byte) (Check, bool) {
	switch to, err := resp.Location(); {
	case resp.StatusCode >= 300 && resp.StatusCode < 400 && err == nil:
		port := cmp.Or(to.Port(), map[string]string{"https": "443", "wss": "443"}[to.Scheme], "80")
		return Fail(Redirected, fmt.Sprintf("publish and connect there: scheme %s, host %s, port %s; publishers and pages do not follow", short(to.Scheme), short(to.Hostname()), short(port)),
			"the address sends elsewhere, with %s", resp.Status), true
	case !isPage(resp, body):
		return Check{}, false
	case slices.Contains([]int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, resp.StatusCode):
		return Fail(ServerBehindAway, "see that the server runs, and that the proxy is told its address and port; its error log says more", "a proxy answers %s: it does not reach the server", resp.Status), true
	case resp.StatusCode == http.StatusNotFound:
		return Fail(APIRefused, "have the proxy pass "+e.Path+"/apps/ to the server, as it does "+e.Path+"/app/; or mend host and path", "a page answers %s, which is not the server's: what stands before it does not pass the HTTP API on", resp.Status), true
	}
	return Check{}, false
}

// isPage reports whether an answer is a page for people, as proxies and sites
// give, and no API does.
func isPage(resp *http.Response, body []byte) bool {
	return strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || strings.HasPrefix(strings.TrimSpace(string(body)), "<")
}

// said is an answer's text for people, without what was signed.
func (e *examination) said(body []byte) string {
	var problem struct {
		Error string `json:"error"`
	}
	text := string(body)
	if json.Unmarshal(body, &problem) == nil && problem.Error != "" {
		text = problem.Error
	}
	text, _, _ = strings.Cut(text, ": expected the")
	if e.Secret != "" {
		text = strings.ReplaceAll(text, e.Secret, "…")
	}
	return short(text)
}

// do makes a request; signed as the HTTP API wants it.
func (e *examination) do(ctx context.Context, method, path string, body []byte, signed bool) (*http.Response, []byte, error) {
	u := url.URL{Scheme: e.Scheme, Host: e.authority(), Path: path}
	if signed {
		q := fmt.Sprintf("auth_key=%s&auth_timestamp=%d&auth_version=1.0", e.Key, e.Now().Unix())
		if body != nil {
			sum := md5.Sum(body)
			q += "&body_md5=" + hex.EncodeToString(sum[:])
		}
		u.RawQuery = q + "&auth_signature=" + pusher.Sign(e.Secret, method+"\n"+u.EscapedPath()+"\n"+q)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(string(body)))
	if err != nil {
		return nil, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := e.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp, answer, err
}
