package ops

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
)

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that has gone needs no answer
}

// loopbackOnly refuses requests that do not come from this machine, come
// through a proxy, or name another host: a page in this machine's browser may
// have made its own name point here.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forwarded := r.Header.Get("Forwarded") + r.Header.Get("X-Forwarded-For") + r.Header.Get("X-Real-Ip")
		if forwarded != "" || !loopback(r.RemoteAddr) || !loopback(r.Host) {
			writeJSON(w, http.StatusForbidden, map[string]string{
				"error": "profiling answers on this machine only: ask for it at 127.0.0.1, without a proxy",
				"code":  "forbidden",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopback reports whether an address, with or without a port, is this
// machine's own.
func loopback(address string) bool {
	host := address
	if h, _, err := net.SplitHostPort(address); err == nil {
		host = h
	} else if n := len(host); n > 1 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
