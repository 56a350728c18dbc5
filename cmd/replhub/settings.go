package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/nearest"
)

// settings are the environment variables of replhub serve. The names of the fields
// make the names of the variables, without the prefix; a test compares them with
// package contract's. (A tag that names a variable would not do: envconfig then takes
// it without the prefix, too.)
type settings struct {
	NATS     natsSettings
	JSDomain string `split_words:"true"`
	Registry string
	ZK       zkSettings
	HubID    string `split_words:"true"`
	Replicas int    `split_words:"true"`
	HTTP     httpSettings
	Console  string
	// ConsolePayloads is what the console does with payloads.
	ConsolePayloads string        `split_words:"true"`
	History         time.Duration `default:"24h"`
	DedupeWindow    time.Duration `default:"10m"      split_words:"true"`

	IngestMaxBytes byteSize `default:"4GiB" split_words:"true"`
	LaneMaxBytes   byteSize `default:"1GiB" split_words:"true"`
	DLQMaxBytes    byteSize `default:"1GiB" split_words:"true"`

	DLQServiceMaxBytes byteSize `split_words:"true"`
	Quota              quotaSettings
	MemoryBytes        byteSize `default:"128MiB"    split_words:"true"`

	OnFull       string `split_words:"true"`
	Policy       string
	DrainTimeout time.Duration `default:"10s"      split_words:"true"`
	LogLevel     slog.Level    `default:"info"     split_words:"true"`
	LogFormat    string        `split_words:"true"`

	// startTimeout is hub.Config's; tests shorten it.
	startTimeout time.Duration
}

// quotaSettings bound what services may take together.
type quotaSettings struct {
	Lanes         int       `default:"5000"`
	LaneBytes     quotaSize `split_words:"true"`
	Registrations int       `default:"1000"`
}

// quotaSize is a byteSize that may also be "none", which is 0.
type quotaSize byteSize

// Set reads the variable.
func (q *quotaSize) Set(text string) error {
	if strings.EqualFold(strings.TrimSpace(text), "none") {
		*q = 0
		return nil
	}
	return (*byteSize)(q).Set(text)
}

func (s quotaSettings) validate() error {
	switch {
	case s.Lanes < 1 || s.Lanes > hub.MaxLanes:
		return fmt.Errorf("%s=%d: must be 1 to %d", contract.EnvQuotaLanes, s.Lanes, hub.MaxLanes)
	case s.LaneBytes != 0 && s.LaneBytes < 64<<10:
		return fmt.Errorf("%s=%s: must be at least %s, or none", contract.EnvQuotaLaneBytes, humanBytes(int64(s.LaneBytes)), humanBytes(int64(64<<10)))
	case s.Registrations < 0:
		return fmt.Errorf("%s=%d: must be 0 or above", contract.EnvQuotaRegistrations, s.Registrations)
	}
	return nil
}

type natsSettings struct {
	URL, Creds, Nkey, User string
	PasswordFile           string `split_words:"true"`
	TLS                    tlsFiles
	// TLSFirst is for servers that greet only over TLS.
	TLSFirst bool `split_words:"true"`
}

type zkSettings struct {
	Servers        []string
	Root           string
	SessionTimeout time.Duration `default:"10s"      split_words:"true"`
	AuthFile       string        `split_words:"true"`
	TLS            tlsFiles
}

// tlsFiles are paths of PEM files.
type tlsFiles struct{ CA, Cert, Key string }

// Kinds of registries.
const (
	registryZK = "zk"
	registryKV = "kv"
)

// What the console does with payloads: they are shown when asked for, or never.
const (
	payloadsAsk = "ask"
	payloadsOff = "off"
)

// Forms of the log.
const (
	logText = "text"
	logJSON = "json"
)

// readSettings reads and checks the environment. Every error names the variable.
func readSettings() (settings, error) {
	if err := refuseUnknown(os.Environ(), knownVariables()); err != nil {
		return settings{}, err
	}
	var s settings
	if err := envconfig.Process(strings.TrimSuffix(contract.EnvironmentPrefix, "_"), &s); err != nil {
		return settings{}, explainParse(err)
	}
	if text := os.Getenv(contract.EnvReplicas); text != "" && s.Replicas == 0 {
		return settings{}, fmt.Errorf("%s=%s: must be 1 to %d", contract.EnvReplicas, text, maxReplicas) // unset is the server's choice
	}
	s = s.withDefaults()
	return s, s.validate()
}

func (s settings) withDefaults() settings {
	s.NATS.URL = cmp.Or(s.NATS.URL, "nats://127.0.0.1:4222")
	s.HTTP.Addr = cmp.Or(s.HTTP.Addr, defaultHTTPAddr)
	s.OnFull = cmp.Or(s.OnFull, hub.OnFullDetach)
	s.Policy = cmp.Or(s.Policy, hub.PolicyOpen)
	s.Console = cmp.Or(s.Console, hub.ConsoleRead)
	s.ConsolePayloads = cmp.Or(s.ConsolePayloads, payloadsAsk)
	s.LogFormat = cmp.Or(s.LogFormat, logText)
	s.ZK.Root = cmp.Or(s.ZK.Root, "/replhub")
	servers := s.ZK.Servers[:0:0]
	for _, server := range s.ZK.Servers {
		if server = strings.TrimSpace(server); server != "" {
			servers = append(servers, server)
		}
	}
	s.ZK.Servers = servers
	if s.Registry == "" {
		s.Registry = registryKV
		if len(servers) > 0 {
			s.Registry = registryZK
		}
	}
	return s
}

// validate names the variable in every error.
func (s settings) validate() error {
	for _, check := range []func() error{
		s.validateDurations, s.validateSizes, s.validateWords, s.validateHub, s.validateRegistry, s.NATS.validate, s.HTTP.Validate, s.Quota.validate,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s settings) validateDurations() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{contract.EnvHistory, s.History},
		{contract.EnvDedupeWindow, s.DedupeWindow},
		{contract.EnvDrainTimeout, s.DrainTimeout},
		{contract.EnvZKSessionTimeout, s.ZK.SessionTimeout},
	} {
		if d.value <= 0 {
			return fmt.Errorf("%s=%s: must be above 0", d.name, d.value)
		}
	}
	return nil
}

func (s settings) validateSizes() error {
	for _, b := range []struct {
		name         string
		value, least byteSize
	}{
		{contract.EnvIngestMaxBytes, s.IngestMaxBytes, 1 << 20},
		{contract.EnvLaneMaxBytes, s.LaneMaxBytes, 64 << 10},
		{contract.EnvDLQMaxBytes, s.DLQMaxBytes, 1 << 20},
		{contract.EnvDLQServiceMaxBytes, cmp.Or(s.DLQServiceMaxBytes, 64<<10), 64 << 10},
		{contract.EnvMemoryBytes, s.MemoryBytes, 16 << 20},
	} {
		if b.value < b.least {
			return fmt.Errorf("%s=%s: must be at least %s", b.name, humanBytes(int64(b.value)), humanBytes(int64(b.least)))
		}
	}
	return nil
}

func (s settings) validateWords() error {
	for _, w := range []struct{ name, value, first, second string }{
		{contract.EnvRegistry, s.Registry, registryZK, registryKV},
		{contract.EnvOnFull, s.OnFull, hub.OnFullDetach, hub.OnFullRefuse},
		{contract.EnvPolicy, s.Policy, hub.PolicyOpen, hub.PolicyRequired},
		{contract.EnvLogFormat, s.LogFormat, logText, logJSON},
		{contract.EnvConsolePayloads, s.ConsolePayloads, payloadsAsk, payloadsOff},
	} {
		if w.value != w.first && w.value != w.second {
			return fmt.Errorf("%s=%q: must be %s or %s", w.name, w.value, w.first, w.second)
		}
	}
	return nil
}

func (s settings) validateHub() error {
	switch s.Console {
	case hub.ConsoleRead, hub.ConsoleOperate, hub.ConsoleOff:
	default:
		return fmt.Errorf("%s=%q: must be %s, %s or %s", contract.EnvConsole, s.Console, hub.ConsoleRead, hub.ConsoleOperate, hub.ConsoleOff)
	}
	if s.Replicas < 0 || s.Replicas > maxReplicas {
		return fmt.Errorf("%s=%d: must be 1 to %d", contract.EnvReplicas, s.Replicas, maxReplicas)
	}
	if s.HubID != "" && !hub.ValidID(s.HubID) {
		return fmt.Errorf("%s=%q: must be 1 to 64 letters, digits, _ or -", contract.EnvHubID, s.HubID)
	}
	return nil
}

// maxReplicas is the server's own limit.
const maxReplicas = 5

func (s settings) validateRegistry() error {
	switch {
	case s.Registry == registryZK && len(s.ZK.Servers) == 0:
		return fmt.Errorf("%s=zk: say where ZooKeeper is in %s", contract.EnvRegistry, contract.EnvZKServers)
	case (s.ZK.TLS.Cert == "") != (s.ZK.TLS.Key == ""):
		return fmt.Errorf("%s and %s go together", contract.EnvZKTLSCert, contract.EnvZKTLSKey)
	case len(s.ZK.Servers) > 0:
		return nil
	}
	for _, v := range []struct{ name, value string }{
		{contract.EnvZKAuthFile, s.ZK.AuthFile}, {contract.EnvZKTLSCA, s.ZK.TLS.CA}, {contract.EnvZKTLSCert, s.ZK.TLS.Cert},
	} {
		if v.value != "" {
			return fmt.Errorf("%s is set, and %s is not: say where ZooKeeper is, or unset it", v.name, contract.EnvZKServers)
		}
	}
	return nil
}

func (s natsSettings) validate() error {
	ways := 0
	for _, way := range []string{s.Creds, s.Nkey, s.User} {
		if way != "" {
			ways++
		}
	}
	switch {
	case ways > 1:
		return fmt.Errorf("%s, %s and %s exclude each other: set one", contract.EnvNATSCreds, contract.EnvNATSNkey, contract.EnvNATSUser)
	case (s.User == "") != (s.PasswordFile == ""):
		return fmt.Errorf("%s and %s go together", contract.EnvNATSUser, contract.EnvNATSPasswordFile)
	case (s.TLS.Cert == "") != (s.TLS.Key == ""):
		return fmt.Errorf("%s and %s go together", contract.EnvNATSTLSCert, contract.EnvNATSTLSKey)
	}
	return nil
}

// knownVariables are the names that may be set.
func knownVariables() []string {
	known := failpointVariables()
	for _, v := range contract.Variables() {
		known = append(known, v.Name)
	}
	return known
}

// refuseUnknown refuses a misspelt variable, which would otherwise be ignored
// silently. The variables of commands that may run beside a hub are let be.
func refuseUnknown(environment, known []string) error {
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(strings.ToUpper(name), contract.EnvironmentPrefix) || ofBridge(name) {
			continue
		}
		if near := nearest.Name(strings.ToUpper(name), known, "_"); name != near {
			return fmt.Errorf("%s is no variable of replhub serve; did you mean %s? 'replhub serve --help' lists all", name, near)
		}
	}
	return nil
}

// explainParse names the variable and what it takes instead of Go's types.
func explainParse(err error) error {
	parse, ok := errors.AsType[*envconfig.ParseError](err)
	if !ok {
		return fmt.Errorf("read the environment: %w", err)
	}
	want := parse.Err.Error()
	switch parse.TypeName {
	case "time.Duration":
		want = `must be a duration such as "30s" or "24h"`
	case "int":
		want = "must be a number"
	case "bool":
		want = "must be true or false"
	case "slog.Level":
		want = "must be debug, info, warn or error"
	case "main.quotaSize":
		want = `must be a size such as "4GiB" or "512MB", or none`
	case "main.byteSize":
		want = `must be a size such as "4GiB" or "512MB"`
	}
	return fmt.Errorf("%s=%q: %s", parse.KeyName, parse.Value, want)
}
