package opshttp

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"
)

// TokenFunc returns the token that requests must have. It is called for each request, so
// that a token can be replaced while the process runs. While it fails, no request is
// answered.
type TokenFunc func() (string, error)

// Guard answers requests that have the token, in the header "Authorization: Bearer
// <token>". Every other request is refused with 401, whatever it asks for. A nil token
// demands none.
func Guard(next http.Handler, token TokenFunc, log *slog.Logger) http.Handler {
	if token == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want, err := token()
		if err != nil {
			log.Error("read the token of HTTP; requests are refused", "err", err)
		}
		if err != nil || !carries(r, want) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="replhub"`)
			http.Error(w, "a token is needed", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// carries compares hashes, so that the time says nothing of the token, nor of its length.
func carries(r *http.Request, want string) bool {
	scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	have, need := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return strings.EqualFold(scheme, "Bearer") && want != "" && subtle.ConstantTimeCompare(have[:], need[:]) == 1
}
