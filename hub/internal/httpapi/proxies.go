package httpapi

import (
	"net/http"
	"net/netip"
)

// fromProxies refuses requests that go past the proxies: only they encrypt the token.
func (a *API) fromProxies(next http.Handler) http.Handler {
	if len(a.cfg.Proxies) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.trusted(r.RemoteAddr) {
			http.Error(w, "send requests through the proxy", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (a *API) trusted(address string) bool {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	ip := at.Addr().Unmap()
	if ip.IsLoopback() {
		return true
	}
	for _, p := range a.cfg.Proxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
