package main

import (
	"bytes"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kelseyhightower/envconfig"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/opshttp"
)

func TestFieldsMakeTheNamesOfTheVariables(t *testing.T) {
	var got bytes.Buffer
	names := template.Must(template.New("").Parse("{{range .}}{{.Key}}\n{{end}}"))
	if err := envconfig.Usaget("replhub", &settings{}, &got, names); err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, v := range contract.Variables() {
		want.WriteString(v.Name + "\n")
		if v.Meaning == "" || !strings.HasPrefix(v.Name, contract.EnvironmentPrefix) {
			t.Errorf("%+v: want the prefix and a meaning", v)
		}
	}
	if diff := cmp.Diff(sorted(want.String()), sorted(got.String())); diff != "" {
		t.Errorf("(-wire +settings):\n%s", diff)
	}
}

func TestSettingsFromTheEnvironment(t *testing.T) {
	clearEnvironment(t)
	// Names without the prefix are somebody else's.
	t.Setenv("NATS_URL", "nats://elsewhere")
	t.Setenv("HISTORY", "1h")
	for name, value := range map[string]string{
		contract.EnvZKServers: "a:2181, b:2181,", contract.EnvZKRoot: "/x", contract.EnvHistory: "48h", contract.EnvIngestMaxBytes: "4294967296",
		contract.EnvLaneMaxBytes: "512MB", contract.EnvOnFull: "refuse", contract.EnvLogFormat: "json", contract.EnvReplicas: "3",
		contract.EnvNATSTLSCA: "/ca", contract.EnvJSDomain: "edge", contract.EnvHubID: "one", contract.EnvMemoryBytes: "64MiB", contract.EnvPolicy: "required",
	} {
		t.Setenv(name, value)
	}
	got, err := readSettings()
	if err != nil {
		t.Fatal(err)
	}
	want := settings{
		NATS:     natsSettings{URL: "nats://127.0.0.1:4222", TLS: tlsFiles{CA: "/ca"}},
		JSDomain: "edge", Registry: registryZK,
		ZK:    zkSettings{Servers: []string{"a:2181", "b:2181"}, Root: "/x", SessionTimeout: 10 * time.Second},
		HubID: "one", Replicas: 3, HTTP: httpSettings{Settings: opshttp.Settings{Addr: "127.0.0.1:0"}}, Quota: quotaSettings{Lanes: 5000, Registrations: 1000}, History: 48 * time.Hour, DedupeWindow: 10 * time.Minute,
		IngestMaxBytes: 4 << 30, LaneMaxBytes: 512_000_000, DLQMaxBytes: 1 << 30, MemoryBytes: 64 << 20,
		OnFull: "refuse", Policy: "required", Console: "read", ConsolePayloads: "ask", DrainTimeout: 10 * time.Second, LogFormat: "json",
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(settings{}, natsSettings{}, zkSettings{}, tlsFiles{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWrongValuesAreRefusedByName(t *testing.T) {
	for entry, says := range map[string]string{
		"REPLHUB_HISTORY=24":              "duration",
		"REPLHUB_HISTORY=-1h":             "above 0",
		"REPLHUB_DEDUPE_WINDOW=0s":        "above 0",
		"REPLHUB_DRAIN_TIMEOUT=soon":      "duration",
		"REPLHUB_ZK_SESSION_TIMEOUT=-1s":  "above 0",
		"REPLHUB_INGEST_MAX_BYTES=lots":   "4GiB",
		"REPLHUB_INGEST_MAX_BYTES=1":      "at least",
		"REPLHUB_LANE_MAX_BYTES=1KiB":     "at least 64.0 KiB",
		"REPLHUB_DLQ_MAX_BYTES=-5":        "4GiB",
		"REPLHUB_MEMORY_BYTES=8MiB":       "at least 16.0 MiB",
		"REPLHUB_REPLICAS=many":           "number",
		"REPLHUB_REPLICAS=6":              "1 to 5",
		"REPLHUB_REGISTRY=etcd":           "zk or kv",
		"REPLHUB_ON_FULL=drop":            "detach or refuse",
		"REPLHUB_HTTP_TLS_CERT=/c":        "REPLHUB_HTTP_TLS_KEY go together",
		"REPLHUB_QUOTA_LANES=0":           "must be 1 to 5000",
		"REPLHUB_QUOTA_LANE_BYTES=1KiB":   "=1.0 KiB: must be at least 64.0 KiB, or none",
		"REPLHUB_QUOTA_LANE_BYTES=few":    "or none",
		"REPLHUB_QUOTA_REGISTRATIONS=-1":  "must be 0 or above",
		"REPLHUB_POLICY=yes":              "open or required",
		"REPLHUB_CONSOLE=yes":             "read, operate or off",
		"REPLHUB_CONSOLE_PAYLOADS=on":     "ask or off",
		"REPLHUB_HTTP_PROXIES=10.0.0.0/x": "addresses or ranges",
		"REPLHUB_LOG_LEVEL=loud":          "debug, info",
		"REPLHUB_LOG_FORMAT=xml":          "text or json",
		"REPLHUB_HUB_ID=a.b":              "letters, digits",
		"REPLHUB_NATS_USER=ada":           "REPLHUB_NATS_PASSWORD_FILE go together",
		"REPLHUB_NATS_TLS_CERT=/c":        "REPLHUB_NATS_TLS_KEY go together",
		"REPLHUB_ZK_TLS_KEY=/k":           "REPLHUB_ZK_TLS_KEY go together",
		"REPLHUB_NATS_URLS=nats://a":      "did you mean REPLHUB_NATS_URL?",
		"REPLHUB_INGEST_MAXBYTES=1":       "did you mean REPLHUB_INGEST_MAX_BYTES?",
		"replhub_history=1h":              "did you mean REPLHUB_HISTORY?",
		"REPLHUB_=":                       "is no variable",
		"REPLHUB_HTTP_TOKEN=hush-hush":    "did you mean REPLHUB_HTTP_TOKEN_FILE?",
		"REPLHUB_ZK_AUTH=hush-hush":       "did you mean REPLHUB_ZK_AUTH_FILE?",
		"REPLHUB_ZK_AUTH_FILE=/a":         "REPLHUB_ZK_SERVERS is not",
		"REPLHUB_ZK_TLS_CA=/c":            "REPLHUB_ZK_SERVERS is not",
		"REPLHUB_NATS_PASSWORD=hush-hush": "did you mean REPLHUB_NATS_PASSWORD_FILE?",
	} {
		t.Run(entry, func(t *testing.T) {
			clearEnvironment(t)
			name, value, _ := strings.Cut(entry, "=")
			t.Setenv(name, value)
			_, err := readSettings()
			if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), name) {
				t.Fatalf("error %v, want one that says %s and %q", err, name, says)
			}
			if strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q: shows a secret, or is more than a line", err)
			}
		})
	}
}

func TestNoQuotaOfLaneBytes(t *testing.T) {
	for text, want := range map[string]quotaSize{"none": 0, "None": 0, "0": 0, "1MiB": 1 << 20} {
		clearEnvironment(t)
		t.Setenv(contract.EnvQuotaLaneBytes, text)
		if s, err := readSettings(); err != nil || s.Quota.LaneBytes != want {
			t.Errorf("%q is %d (%v), want %d", text, s.Quota.LaneBytes, err, want)
		}
	}
}

func TestSeveralWaysToBeSomebody(t *testing.T) {
	clearEnvironment(t)
	t.Setenv(contract.EnvNATSCreds, "/a")
	t.Setenv(contract.EnvNATSNkey, "/b")
	if _, err := readSettings(); err == nil || !strings.Contains(err.Error(), "exclude each other") {
		t.Errorf("error %v", err)
	}
}
