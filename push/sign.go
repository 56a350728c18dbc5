package push

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/replhub/replhub/internal/bridge"
)

// The headers of Standard Webhooks, in the letter case that Go gives every header.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

const (
	secretPrefix = "whsec_"
	// minSecret is the shortest key of Standard Webhooks, in bytes.
	minSecret = 24
)

// parseSecret is the key of a secret. The secret is in no error.
func parseSecret(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, secretPrefix))
	if err != nil {
		return nil, fmt.Errorf("a secret must be %q and base64, as 'echo whsec_$(openssl rand -base64 32)' prints it", secretPrefix)
	}
	if len(key) < minSecret {
		return nil, fmt.Errorf("a secret must have %d bytes at least, not %d; 'echo whsec_$(openssl rand -base64 32)' makes one", minSecret, len(key))
	}
	return key, nil
}

// signature is what the header webhook-signature holds: one signature for each key.
func signature(keys [][]byte, id string, at time.Time, body []byte) string {
	signatures := make([]string, 0, len(keys))
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(signatures, " ")
}

// keyring has the keys that sign. The secrets are read at each use, so that they can be
// rotated while the process runs. While they cannot be read, the keys of before sign: a
// file that is being written must not stop the events.
type keyring struct {
	secret bridge.Secret

	mu    sync.Mutex // guards the rest
	keys  [][]byte
	fault error
}

// newKeyring fails where the secrets cannot be read now.
func newKeyring(secret bridge.Secret) (*keyring, error) {
	k := &keyring{secret: secret}
	keys, err := k.read()
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	k.keys = keys
	return k, nil
}

func (k *keyring) read() ([][]byte, error) {
	lines, err := k.secret.Lines()
	if err != nil {
		return nil, err
	}
	keys := make([][]byte, 0, len(lines))
	for _, line := range lines {
		key, err := parseSecret(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.secret.Name, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// now returns the keys, and whether the secrets have just become, or ceased to be,
// unreadable.
func (k *keyring) now() (keys [][]byte, fault error, changed bool) {
	keys, err := k.read()
	k.mu.Lock()
	defer k.mu.Unlock()
	changed = (err == nil) != (k.fault == nil)
	if k.fault = err; err == nil {
		k.keys = keys
	}
	return k.keys, err, changed
}

// trouble is why the secrets could not be read last; nil when they were.
func (k *keyring) trouble() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.fault
}
