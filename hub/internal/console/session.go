package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

const (
	// sessionCookie is the name of a session's cookie.
	sessionCookie = "replhub_console"
	// sessionTime is how long a login holds.
	sessionTime = 12 * time.Hour
	// maxName bounds the name that somebody logs in with, in bytes.
	maxName = 60
)

// newSession is the value of a session's cookie: the name that somebody gave, the end, and
// a signature with the token. So it needs no memory, and ends when the token is replaced.
func newSession(token, name string, now time.Time) string {
	name = strings.ToValidUTF8(name[:min(len(name), maxName)], "")
	body := base64.RawURLEncoding.EncodeToString([]byte(name)) + "." + strconv.FormatInt(now.Add(sessionTime).Unix(), 10)
	return body + "." + signature(token, body)
}

// openSession returns the name of a session; ok is false if the value was not signed with
// the token, or its end has come.
func openSession(token, value string, now time.Time) (name string, ok bool) {
	at := strings.LastIndexByte(value, '.')
	if at < 0 || token == "" {
		return "", false
	}
	body, signed := value[:at], value[at+1:]
	if subtle.ConstantTimeCompare([]byte(signed), []byte(signature(token, body))) != 1 {
		return "", false
	}
	encoded, until, _ := strings.Cut(body, ".")
	end, err := strconv.ParseInt(until, 10, 64)
	if err != nil || !now.Before(time.Unix(end, 0)) {
		return "", false
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	return string(raw), err == nil
}

func signature(token, body string) string {
	key := sha256.Sum256([]byte("replhub console session\x00" + token))
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(body))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// sameToken compares hashes, so that the time says nothing of the token.
func sameToken(got, want string) bool {
	have, need := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return want != "" && subtle.ConstantTimeCompare(have[:], need[:]) == 1
}
