package push

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/bridge"
)

// The secrets of the tests, as keys of 24 bytes and more.
const (
	secretA = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secretB = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
)

func TestHeadersOfAnEvent(t *testing.T) {
	at := time.Date(2026, 11, 28, 12, 0, 0, 5, time.UTC)
	d := &replhub.Delivery{
		Service: "sharing", Entity: "user", Op: replhub.Update, Key: "naïve 4%", ID: "ev.1", Position: replhub.Position{Epoch: 2, Seq: 18446744073709551615},
		Version: 7, Time: at, Origin: "user-profile", Data: []byte(`{"id":"42"}`),
		Header: map[string][]string{"traceparent": {"00-1-2-01"}, "tracestate": {"a=\x01"}, "X-Own": {"stays here"}},
	}
	want := http.Header{
		"Webhook-Id": {"sharing_2-18446744073709551615"}, "Content-Type": {"application/json"}, "Traceparent": {"00-1-2-01"},
		"Ce-Specversion": {"1.0"}, "Ce-Id": {"ev.1"}, "Ce-Source": {"/replhub/user-profile/user"}, "Ce-Type": {"db.user.update"},
		"Ce-Time": {"2026-11-28T12:00:00.000000005Z"}, "Ce-Subject": {"na%C3%AFve%204%25"},
		"Ce-Entity": {"user"}, "Ce-Op": {"update"}, "Ce-Key": {"na%C3%AFve%204%25"}, "Ce-Epoch": {"2"}, "Ce-Sequence": {"18446744073709551615"},
		"Ce-Version": {"7"}, "Ce-Origin": {"user-profile"},
	}
	if diff := cmp.Diff(want, headersOf(d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// The rows of a snapshot share their position, and a delete may have no payload.
	row := &replhub.Delivery{Service: "sharing", Entity: "user", Op: replhub.Create, ID: "abc-3-x", Position: replhub.Position{Epoch: 1, Seq: 9}, Row: 3}
	got := headersOf(row)
	if got.Get(headerID) != "sharing_abc-3-x" || got.Get("Ce-Row") != "3" || got.Get("Content-Type") != "" || got.Get("Ce-Source") != "/replhub/user" {
		t.Errorf("%v", got)
	}
	for name := range want {
		if extension, ok := strings.CutPrefix(name, "Ce-"); ok && strings.Trim(strings.ToLower(extension), "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			t.Errorf("%s is no name of CloudEvents", name)
		}
	}
}

// An independent library verifies what is signed, with each of the secrets.
func TestSignature(t *testing.T) {
	keys := make([][]byte, 0, 2)
	for _, secret := range []string{secretA, secretB} {
		key, err := parseSecret(secret)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	now := time.Now()
	for _, body := range []string{"", `{"id":"42"}`, "\x00\xff"} {
		h := http.Header{}
		h.Set(headerID, "sharing_1-42")
		h.Set(headerTimestamp, strconv.FormatInt(now.Unix(), 10))
		h.Set(headerSignature, signature(keys, "sharing_1-42", now, []byte(body)))
		for _, secret := range []string{secretA, secretB} {
			verifier, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				t.Fatal(err)
			}
			if err := verifier.Verify([]byte(body), h); err != nil {
				t.Errorf("%q: %v", body, err)
			}
			if err := verifier.Verify([]byte(body+"x"), h); err == nil {
				t.Errorf("%q: another body verifies", body)
			}
		}
	}
}

func TestSecrets(t *testing.T) {
	for _, bad := range []string{"", "hush-hush", "whsec_", "whsec_c2hvcnQ=", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"} {
		if _, err := parseSecret(bad); err == nil || bad != "" && strings.Contains(err.Error(), strings.TrimPrefix(bad+"!", "whsec_")) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	path := filepath.Join(t.TempDir(), "secrets")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := newKeyring(bridge.Secret{File: path, Name: "the file"}); err == nil {
		t.Error("a file that is not there")
	}
	write(secretA + "\n")
	k, err := newKeyring(bridge.Secret{File: path, Name: "the file"})
	if err != nil {
		t.Fatal(err)
	}
	// The keys of before sign while the file is broken, which is told once at each end.
	for i, step := range []struct {
		text    string
		keys    int
		fault   bool
		changed bool
	}{
		{secretA, 1, false, false},
		{secretB + "\n" + secretA, 2, false, false},
		{"", 2, true, true},
		{"nonsense", 2, true, false},
		{secretB, 1, false, true},
	} {
		write(step.text)
		keys, fault, changed := k.now()
		if len(keys) != step.keys || (fault != nil) != step.fault || changed != step.changed || (k.trouble() != nil) != step.fault {
			t.Errorf("step %d: %d keys, %v, %t", i, len(keys), fault, changed)
		}
	}
}
