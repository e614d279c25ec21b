package control

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
)

// Bounds of a command's end of the link to another machine.
const (
	farCall   = 2 * time.Minute  // for one request with its answer
	farDial   = 10 * time.Second // for a connection, and again for TLS
	farHeader = time.Minute      // for the first of an answer
	farQuiet  = 3 * farSilence   // of a stream
	farAnswer = 256 << 20        // bytes of one answer
	maxToken  = 256              // bytes of a token
)

// Elsewhere is a server on another machine.
type Elsewhere struct {
	// URL is its public address, with the path that a proxy has put before it.
	URL string
	// Token is an API token of an administrator with the scope admin. No error
	// holds it.
	Token string
	// AllowHTTP sends the token over http to another machine, for everybody on
	// the way to read.
	AllowHTTP bool
	// Version is this program's.
	Version string
	// Roots vouch for certificates; nil: the machine's own.
	Roots *x509.CertPool
}

// far is what differs when the server is on another machine. A nil one is the
// link.
type far struct {
	base    url.URL
	version string
	quiet   time.Duration // of a stream; then it is taken for dead
}

// DialElsewhere reaches a server on another machine, over https unless AllowHTTP
// says otherwise or the address is this machine's. An address or a token that
// cannot be one gives CodeInvalid, before anything is sent.
func DialElsewhere(ctx context.Context, e Elsewhere) (*Client, error) {
	base, err := farAddress(e.URL, e.AllowHTTP)
	if err != nil {
		return nil, err
	}
	if err := CheckToken(e.Token); err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: farDial, KeepAlive: farSilence}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: e.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    farDial,
		ResponseHeaderTimeout:  farHeader,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
		Proxy: func(r *http.Request) (*url.URL, error) {
			if r.URL.Scheme != "https" { // it would read the token
				return nil, nil
			}
			return http.ProxyFromEnvironment(r)
		},
	}
	c := &Client{token: e.Token, far: &far{base: *base, version: cmp.Or(e.Version, "unknown"), quiet: farQuiet}, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token is for this address
	}}
	_, err = c.Status(ctx)
	return c.unless(err)
}

// CheckToken gives CodeInvalid for a text that is no API token, without showing
// it.
func CheckToken(token string) error {
	plain := func(r rune) bool {
		return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	if strings.HasPrefix(token, identity.TokenPrefix) && len(token) <= maxToken && strings.IndexFunc(token, func(r rune) bool { return !plain(r) }) < 0 {
		return nil
	}
	return &belfry.Error{Code: belfry.CodeInvalid, Message: "what was given as the API token is none: they begin with " + identity.TokenPrefix,
		Hint: "make one on the server's machine with: belfry user:token WHO --scope admin"}
}

// farAddress reads the address of a server.
func farAddress(text string, allowHTTP bool) (*url.URL, error) {
	invalid := func(why, hint string) error {
		return &belfry.Error{Code: belfry.CodeInvalid, Message: "the address of the server " + why, Hint: hint}
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, invalid("is none", "write it as https://ws.example.com") // it may hold a password: it is not shown
	case u.User != nil:
		return nil, invalid("has a user or a password in it", "give the token in BELFRY_TOKEN")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, invalid("has a query or a fragment", "write it as https://ws.example.com")
	case u.Scheme == "http" && !allowHTTP && !loopback(u.Hostname()):
		return nil, invalid("is http, and everybody on the way could read the token: nothing was sent",
			"write https; in a network where nobody else listens, --allow-http sends it all the same")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

func (f *far) target(path string, query url.Values) url.URL {
	u := f.base
	u.Path, u.RawQuery = f.base.Path+Path+path, query.Encode()
	return u
}

// limit bounds a request with its answer.
func (f *far) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if f == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, farCall)
}

// bound ends an answer that is too large with an error.
func (f *far) bound(r io.Reader) io.Reader {
	if f == nil {
		return r
	}
	return &bounded{r, farAnswer}
}

type bounded struct {
	io.Reader
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("it has more than %d MB", farAnswer>>20)
	}
	return n, err
}

// errSilent ends a stream that has gone silent.
var errSilent = errors.New("nothing has come for so long that the connection is taken for dead")

// alive ends a stream with errSilent when nothing comes of it for a time.
func (f *far) alive(body io.ReadCloser) io.Reader {
	if f == nil {
		return body
	}
	return &watched{body, f.quiet}
}

type watched struct {
	body  io.ReadCloser
	quiet time.Duration
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	late := time.AfterFunc(w.quiet, func() { w.body.Close() }) // which ends the Read
	n, err := w.body.Read(p)
	if !late.Stop() && n == 0 {
		return 0, errSilent
	}
	return n, err
}

// send sends a request, and makes errors that an operator understands.
func (f *far) send(client *http.Client, req *http.Request) (*http.Response, error) {
	req.Header.Set(versionHeader, f.version)
	req.Header.Set("User-Agent", "belfry/"+f.version)
	resp, err := client.Do(req)
	if err != nil {
		return nil, f.unreached(req.Context(), err)
	}
	if own := resp.Header.Get(versionHeader); own != "" && resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, f.refused(resp)
}

func (f *far) name() string { return f.base.Scheme + "://" + f.base.Host + f.base.Path }

// unreached says why a server cannot be reached.
func (f *far) unreached(ctx context.Context, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the address is named once
	}
	e := &belfry.Error{Code: belfry.CodeUnavailable, Err: err}
	no := func(hint, format string, args ...any) error {
		e.Message, e.Hint = fmt.Sprintf("the server at %s cannot be reached: ", f.name())+fmt.Sprintf(format, args...), hint
		e.Err = nil // it is in the message
		return e
	}
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	_, isTLS := errors.AsType[*tls.CertificateVerificationError](err)
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case isDNS:
		return no("check the address in BELFRY_URL or --url", "no address is known for the host %q", dns.Name)
	case isTLS:
		return no("the token was not sent; check that the address has the certificate's name and the clock of this machine; "+
			"for a certificate of your own, add its authority to this machine's; on Linux SSL_CERT_FILE names a file of them", "its certificate is not trusted: %s", err)
	case notTLS, strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return no("the token was not sent; check the port, or write http if it is this machine", "it does not speak TLS")
	case errors.Is(err, context.DeadlineExceeded), isNet && timeout.Timeout():
		return no("check the address, and firewalls on the way", "it does not answer in time")
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return no("check address and port, that the server runs, and firewalls on the way", "%s", op.Err)
	}
	return no("", "%s", err)
}

// refused says what an answer means that is no answer to the command.
func (f *far) refused(resp *http.Response) error {
	text, readable := readFailure(resp)
	status := resp.StatusCode
	fail := func(code belfry.Code, hint, format string, args ...any) error {
		return &belfry.Error{Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
	}
	own := resp.Header.Get(versionHeader)
	switch {
	case status >= 300 && status < 400:
		return fail(belfry.CodeUnavailable, "give the address that the server itself has; the token was not sent on",
			"%s redirects to %s", f.name(), place(resp))
	case own == "" && status == http.StatusNotFound:
		return fail(belfry.CodeNotFound, "it is an older server that takes no commands from other machines, another program, or the address lacks a path that a proxy wants",
			"nothing at %s takes commands", f.name()+Path)
	case own == "" && status == http.StatusBadRequest && f.base.Scheme == "http":
		return fail(belfry.CodeUnavailable, "write https in its address, if it speaks TLS", "%s answers %s", f.name(), resp.Status)
	case own == "" && status >= 500:
		return fail(belfry.CodeUnavailable, "look at the proxy before it, and at whether the server runs", "%s answers %s; that is not from the server itself", f.name(), resp.Status)
	case own == "":
		return fail(belfry.CodeUnavailable, "check the address; a proxy before the server may want a sign-in of its own", "%s answers %s; that is not from a Belfry server", f.name(), resp.Status)
	case status == http.StatusNotImplemented:
		return fail(belfry.CodeNotFound, "use a program of the server's version", "the server does not know this command: it is version %s, and this program %s", short(own), f.version)
	case !readable:
		return fail(belfry.CodeInternal, "", "the server answers %s", resp.Status)
	}
	e := &belfry.Error{Code: text.Code, Message: text.Error, Hint: text.Hint}
	if text.Code == belfry.CodeInvalid && own != f.version {
		e.Hint = strings.TrimPrefix(e.Hint+"; ", "; ") + fmt.Sprintf("the server is version %s, and this program %s", short(own), f.version)
	}
	return e
}

// place gives the address that an answer leads to, without what may be secret
// in it.
func place(resp *http.Response) string {
	u, err := resp.Location()
	if err != nil {
		return "no address"
	}
	return u.Scheme + "://" + short(u.Host+u.EscapedPath())
}

// short bounds a text of a stranger's.
func short(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 200)]
}
