package console

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// policy allows what the hub itself serves, and nothing inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm bounds the body of a request, in bytes.
const maxForm = 2 << 20

// guarded is what holds for every request: the headers that bind the browser, the host by
// which this machine is asked, and that no other site sends requests that change something.
func (c *Console) guarded(next http.Handler) http.Handler {
	sameOrigin := c.origin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if c.proxied(r) {
			if host := r.Header.Get("X-Forwarded-Host"); host != "" {
				r.Host = host
			}
		}
		// Without a token the only guard is that this machine alone is answered. A site
		// whose name was made to point here would be let in by the browser.
		if c.cfg.Token == nil && !loopbackHost(r.Host) {
			http.Error(w, "open the console as http://127.0.0.1 or http://localhost with the port", http.StatusMisdirectedRequest)
			return
		}
		sameOrigin.ServeHTTP(w, r)
	})
}

// loopbackHost reports whether a Host header names this machine itself.
func loopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// proxied reports whether a trusted proxy sent the request.
func (c *Console) proxied(r *http.Request) bool { return among(c.cfg.Proxies, r.RemoteAddr) }

// among reports whether an address with a port is in one of the ranges.
func among(ranges []netip.Prefix, address string) bool {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	for _, p := range ranges {
		if p.Contains(at.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// authorized answers requests that have the token or a session; any other gets the login
// form with 401.
func (c *Console) authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.cfg.Token == nil {
			next.ServeHTTP(w, r)
			return
		}
		want, err := c.cfg.Token()
		if err != nil {
			c.log.Error("read the token of HTTP; requests are refused", "err", err)
			c.fail(w, r, http.StatusUnauthorized, "The hub cannot read its token; its log says why.")
			return
		}
		scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if strings.EqualFold(scheme, "Bearer") && sameToken(got, want) {
			next.ServeHTTP(w, r)
			return
		}
		if cookie, err := r.Cookie(sessionCookie); err == nil {
			if _, ok := openSession(want, cookie.Value, c.now()); ok {
				next.ServeHTTP(w, r)
				return
			}
		}
		w.WriteHeader(http.StatusUnauthorized)
		c.render(w, r, "login", loginView{Next: localPath(r)})
	})
}

// localPath is where a browser goes after the login: the page that it asked for.
func localPath(r *http.Request) string {
	if r.Method != http.MethodGet || strings.HasPrefix(r.URL.Path, "/part/") {
		return "/"
	}
	return r.URL.RequestURI()
}

// safeNext is a path of this console, whatever a form says.
func safeNext(next string) string {
	at, err := url.Parse(next)
	if err != nil || at.IsAbs() || at.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, "\\") {
		return "/"
	}
	return next
}
