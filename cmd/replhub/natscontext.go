package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/reconnect"
)

// natsContext is a context file of the nats CLI, as far as replhub uses it.
type natsContext struct {
	URL         string `json:"url"`
	Creds       string `json:"creds"`
	NKey        string `json:"nkey"`
	User        string `json:"user"`
	Password    string `json:"password"`
	Token       string `json:"token"`
	CA          string `json:"ca"`
	Cert        string `json:"cert"`
	Key         string `json:"key"`
	InboxPrefix string `json:"inbox_prefix"`
	Domain      string `json:"jetstream_domain"`
	TLSFirst    bool   `json:"tls_first"`

	// What would change who connects, or how, and is not understood here.
	NSC        string `json:"nsc"`
	UserJWT    string `json:"user_jwt"`
	SocksProxy string `json:"socks_proxy"`
}

// loadContext reads the named context, or the one that the nats CLI has
// selected; the zero natsContext when none is.
func loadContext(name string) (natsContext, error) {
	dir, err := contextDir()
	if err != nil {
		return natsContext{}, err
	}
	if name == "" {
		selected, err := os.ReadFile(filepath.Join(dir, "context.txt"))
		if errors.Is(err, fs.ErrNotExist) {
			return natsContext{}, nil
		}
		if err != nil {
			return natsContext{}, fmt.Errorf("read the selected context: %w", err)
		}
		name = strings.TrimSpace(string(selected))
	}
	if name == "" {
		return natsContext{}, nil
	}
	return readContext(dir, name)
}

func readContext(dir, name string) (natsContext, error) {
	if name != filepath.Base(name) {
		return natsContext{}, fmt.Errorf("context %q: not a context's name", name)
	}
	text, err := os.ReadFile(filepath.Join(dir, "context", name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return natsContext{}, fmt.Errorf("context %q: there is no context of that name; see 'nats context ls'", name)
	}
	if err != nil {
		return natsContext{}, fmt.Errorf("context %q: %w", name, err)
	}
	var c natsContext
	if err := json.Unmarshal(text, &c); err != nil {
		return natsContext{}, fmt.Errorf("context %q: %w", name, err)
	}
	for key, value := range map[string]string{"nsc": c.NSC, "user_jwt": c.UserJWT, "socks_proxy": c.SocksProxy} {
		if value != "" {
			return natsContext{}, fmt.Errorf("context %q: replhub does not read %s; use another context, or --no-context and --creds", name, key)
		}
	}
	for _, path := range []*string{&c.Creds, &c.NKey, &c.CA, &c.Cert, &c.Key} {
		*path = expandHome(*path)
	}
	return c, nil
}

// contextDir is where the nats CLI keeps its contexts.
func contextDir() (string, error) {
	if base := os.Getenv("XDG_CONFIG_HOME"); base != "" {
		return filepath.Join(base, "nats"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the contexts of the nats CLI: %w", err)
	}
	return filepath.Join(home, ".config", "nats"), nil
}

func expandHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, rest)
}

// options are the context's connection options. Files are read at each attempt to
// connect, and so is the context that holds a password or token: resolve says
// what holds by then.
func (c *natsContext) options(supervisor *reconnect.Supervisor, resolve func() (natsContext, error)) ([]nats.Option, error) {
	now := func() natsContext {
		if again, err := resolve(); err == nil {
			return again
		}
		return *c
	}
	var opts []nats.Option
	switch {
	case c.Creds != "":
		opts = append(opts, nats.UserCredentials(c.Creds))
	case c.NKey != "":
		// nats.go alone would send the public key of the first seed for ever.
		nkey, err := supervisor.Options(reconnect.Files{Nkey: c.NKey})
		if err != nil {
			return nil, fmt.Errorf("read the nkey: %w", err)
		}
		opts = append(opts, nkey...)
	case c.Token != "":
		opts = append(opts, reconnect.Token(func() string { return now().Token }))
	case c.User != "" && c.Password == "":
		opts = append(opts, reconnect.Token(func() string { return now().User }))
	case c.User != "":
		opts = append(opts, nats.UserInfoHandler(func() (user, password string) {
			again := now()
			return again.User, again.Password
		}))
	}
	if c.CA != "" {
		opts = append(opts, nats.RootCAs(c.CA))
	}
	if c.Cert != "" || c.Key != "" {
		opts = append(opts, nats.ClientCert(c.Cert, c.Key))
	}
	if c.TLSFirst {
		opts = append(opts, nats.TLSHandshakeFirst())
	}
	if c.InboxPrefix != "" {
		opts = append(opts, nats.CustomInboxPrefix(c.InboxPrefix))
	}
	return opts, nil
}
