package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// With proxies, nobody goes past them: the token would go unencrypted.
func TestOnlyProxiesAreAnswered(t *testing.T) {
	h := New(Config{Hub: "a", Ready: make(chan struct{}), Proxies: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}).Handler()
	for address, want := range map[string]int{
		"10.1.2.3:99": http.StatusOK, "127.0.0.1:99": http.StatusOK, "[::ffff:10.1.2.3]:99": http.StatusOK, "[::1]:99": http.StatusOK,
		"10.2.0.1:99": http.StatusForbidden, "[2001:db8::1]:99": http.StatusForbidden, "": http.StatusForbidden,
	} {
		r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
		r.RemoteAddr = address
		r.Header.Set("X-Forwarded-For", "10.1.2.3")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", address, w.Code, want)
		}
	}
}
