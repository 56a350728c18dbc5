package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// TokenFunc returns the token that requests must have. It is called for each request, so
// that a token can be replaced while the hub runs. While it fails, no request is answered.
type TokenFunc func() (string, error)

// guarded answers requests that have the token, in the header "Authorization: Bearer
// <token>". Every other request is refused with 401, whatever it asks for.
func (a *API) guarded(next http.Handler) http.Handler {
	if a.cfg.Token == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want, err := a.cfg.Token()
		a.tellToken(err)
		if err != nil || !carries(r, want) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="replhub"`)
			http.Error(w, "a token is needed", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// tellToken logs when the token cannot be read any more, and when it can again: once each,
// and not for each request.
func (a *API) tellToken(err error) {
	if failed := err != nil; a.tokenFails.Swap(failed) != failed {
		if failed {
			a.cfg.Logger.Error("read the token of HTTP; requests are refused", "err", err)
		} else {
			a.cfg.Logger.Info("the token of HTTP is read again")
		}
	}
}

// carries compares hashes, so that the time says nothing of the token, nor of its length.
func carries(r *http.Request, want string) bool {
	scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	have, need := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return strings.EqualFold(scheme, "Bearer") && want != "" && subtle.ConstantTimeCompare(have[:], need[:]) == 1
}
