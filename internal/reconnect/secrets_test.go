package reconnect_test

import (
	"testing"

	"github.com/replhub/replhub/internal/reconnect"
)

// TestWithoutSecrets covers URLs as the client library takes them, without a scheme too.
func TestWithoutSecrets(t *testing.T) {
	for urls, want := range map[string]string{
		"nats://ada:secret@a:4222":           "nats://a:4222",
		"ada:secret@a:4222":                  "nats://a:4222",
		"secret@a:4222, tls://x:y@b:4222":    "nats://a:4222,tls://b:4222",
		"a:4222":                             "nats://a:4222",
		"ws://ada:secret@a/path,nats://b:42": "ws://a/path,nats://b:42",
		"nats://%zz:secret@a":                "(not a URL)",
		"nats://secret@a:4222,nats://b:4222": "nats://a:4222,nats://b:4222",
		"nats://se/cret@a:4222":              "(not a URL)",
		"nats://ada:se/cret@a:4222":          "(not a URL)",
		"nats://se?cret@a:4222":              "(not a URL)",
		"nats://se#cret@a:4222":              "(not a URL)",
	} {
		if got := reconnect.WithoutSecrets(urls); got != want {
			t.Errorf("%q: %q, want %q", urls, got, want)
		}
	}
}
