package pushercast

import (
	"cmp"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
)

// Config says which target, in the words of the PUSHER_ variables. AppID, Key
// and Secret are required.
type Config struct {
	AppID, Key, Secret string
	// Host is the target's name or address; empty means api-CLUSTER.pusher.com.
	Host string
	// Cluster is a name such as "eu"; default "mt1".
	Cluster string
	// Port is default 443, with scheme http 80. Scheme is "https", the default,
	// or "http".
	Port   int
	Scheme string
	// Limits are the target's; see Config.App. The zero value means Pusher's own.
	Limits belfry.Limits
	// EncryptionMasterKey encrypts for encrypted channels: 32 bytes, or nil.
	EncryptionMasterKey []byte
	// Transport makes the calls; default a transport of its own, with the
	// environment's proxy.
	Transport http.RoundTripper
	// Timeout bounds one call, besides its context; default 10 s.
	Timeout time.Duration
}

var (
	idPattern      = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	clusterPattern = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	hostPattern    = regexp.MustCompile(`^[A-Za-z0-9._-]{1,253}$`)
)

func (c Config) withDefaults() (Config, error) {
	c.Cluster = cmp.Or(c.Cluster, "mt1")
	c.Scheme = strings.ToLower(cmp.Or(c.Scheme, "https"))
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	if c.Port == 0 {
		c.Port = defaultPort(c.Scheme)
	}
	if c.Limits == (belfry.Limits{}) {
		c.Limits = belfry.DefaultLimits()
	}
	bad := func(format string, args ...any) (Config, error) {
		return c, belfry.Errorf(belfry.CodeInvalid, format, args...)
	}
	switch {
	case c.AppID == "" || c.Key == "" || c.Secret == "":
		return bad("the broadcaster pusher needs PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET: set all three")
	case !idPattern.MatchString(c.AppID):
		return bad("PUSHER_APP_ID: use letters, digits and _-. only")
	case c.Scheme != "http" && c.Scheme != "https":
		return bad("PUSHER_SCHEME: %q is neither http nor https", c.Scheme)
	case c.Port < 1 || c.Port > 65535:
		return bad("PUSHER_PORT: %d is not a port", c.Port)
	case !clusterPattern.MatchString(c.Cluster):
		return bad("PUSHER_APP_CLUSTER: %q is not a cluster's name, such as mt1 or eu", c.Cluster)
	case c.Host != "" && !hostPattern.MatchString(c.Host) && net.ParseIP(strings.Trim(c.Host, "[]")) == nil:
		return bad("PUSHER_HOST: write a host's name alone; scheme and port have variables of their own")
	case len(c.EncryptionMasterKey) != 0 && len(c.EncryptionMasterKey) != 32:
		return bad("the encryption master key must be 32 bytes")
	}
	return c, nil
}

func defaultPort(scheme string) int {
	if scheme == "http" {
		return 80
	}
	return 443
}

// host is the target's name without a port.
func (c Config) host() string {
	return strings.Trim(cmp.Or(c.Host, "api-"+cmp.Or(c.Cluster, "mt1")+".pusher.com"), "[]")
}

// address is the target as a URL has it.
func (c Config) address() string {
	if c.Port == defaultPort(c.Scheme) {
		if host := c.host(); strings.Contains(host, ":") {
			return "[" + host + "]"
		}
		return c.host()
	}
	return net.JoinHostPort(c.host(), strconv.Itoa(c.Port))
}

// App gives the target's app, for broadcast.Config.Apps: events are checked
// against its limits, and against those of the client library, before they are
// accepted.
func (c Config) App() *belfry.App {
	limits := c.Limits
	if limits == (belfry.Limits{}) {
		limits = belfry.DefaultLimits()
	}
	if belfry.Over(maxName, limits.ChannelNameLength) {
		return &belfry.App{ID: c.AppID, Name: c.AppID, Limits: limits, EncryptionMasterKey: c.EncryptionMasterKey}
	}
	limits.ChannelNameLength = maxName
	return &belfry.App{ID: c.AppID, Name: c.AppID, Limits: limits, EncryptionMasterKey: c.EncryptionMasterKey}
}

// maxName is the client library's own limit of a channel's name.
const maxName = 200

// Hosted reports whether the target is pusher.com, where events leave this
// installation.
func (c Config) Hosted() bool {
	host := strings.ToLower(strings.TrimSuffix(c.host(), "."))
	return host == "pusher.com" || strings.HasSuffix(host, ".pusher.com") || host == "api.pusherapp.com"
}

// Own reports whether the target is a server itself: an app of its own, one of
// its own addresses. addresses are "host:port" texts; a host without a port
// stands for any port. Names of this machine (localhost and loopback addresses)
// are one and the same.
func (c Config) Own(appIDs []string, addresses []string) bool {
	known := false
	for _, id := range appIDs {
		known = known || id == c.AppID
	}
	if !known || c.Host == "" {
		return false
	}
	port := c.Port
	if port == 0 {
		port = defaultPort(strings.ToLower(cmp.Or(c.Scheme, "https")))
	}
	for _, address := range addresses {
		host, p, err := net.SplitHostPort(address)
		if err != nil {
			host, p = address, ""
		}
		if sameHost(host, c.host()) && (p == "" || p == strconv.Itoa(port)) {
			return true
		}
	}
	return false
}

func sameHost(a, b string) bool {
	a, b = strings.ToLower(strings.Trim(a, "[]")), strings.ToLower(strings.Trim(b, "[]"))
	return a == b || loopback(a) && loopback(b)
}

// loopback counts an unspecified address, which a listener on all addresses
// has, as this machine.
func loopback(host string) bool {
	if host == "localhost" || host == "" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}
