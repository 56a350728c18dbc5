package opshttp

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
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
	tell := teller{log: log}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want, err := token()
		tell.told(err)
		if err != nil || !carries(r, want) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="replhub"`)
			http.Error(w, "a token is needed", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// teller logs when the token cannot be read any more, and when it can again: once each,
// and not for each request.
type teller struct {
	log   *slog.Logger
	fails atomic.Bool
}

// told notes how the token was read.
func (t *teller) told(err error) {
	failed := err != nil
	if t.fails.Swap(failed) == failed {
		return
	}
	if failed {
		t.log.Error("read the token of HTTP; requests are refused", "err", err)
		return
	}
	t.log.Info("the token of HTTP is read again")
}

// carries compares hashes, so that the time says nothing of the token, nor of its length.
func carries(r *http.Request, want string) bool {
	scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	have, need := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return strings.EqualFold(scheme, "Bearer") && want != "" && subtle.ConstantTimeCompare(have[:], need[:]) == 1
}
