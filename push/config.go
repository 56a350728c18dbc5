package push

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/bridge"
	"github.com/replhub/replhub/subjects"
)

// Config says which service's events go where. Conn, Service, URL and one of SecretFile
// and Secrets are required.
type Config struct {
	// Conn is a connection to NATS with the permissions of the service. Its owner
	// decides whether it reconnects, and closes it.
	Conn *nats.Conn
	// Domain is the JetStream domain; by default the connection's own.
	Domain string
	// Service is the service whose events are delivered.
	Service string
	// Registration is put in force first. Its queue is ordered by key; a new service gets
	// four partitions if it states none, and then 100 deliveries of an event, because each
	// stop during an outage of the endpoint returns events, which uses up a delivery.
	// Without interests, the registered interests stay.
	Registration replhub.Registration

	// URL is the endpoint: https, or http where AllowPrivate is set and the address is
	// a private one. It must not have a user or a password.
	URL string
	// SecretFile is a file with the secrets that sign requests, one on each line, each
	// "whsec_" and base64 of 24 bytes at least. Every request has a signature of each
	// secret, so that a receiver accepts the old and the new one while they are rotated.
	// The file is read at each request. Secrets is the same as a text.
	SecretFile, Secrets string
	// CAFile has the certificates that sign the endpoint's; the system's by default. It
	// is read once.
	CAFile string
	// AllowPrivate allows private, loopback and link-local addresses, and http there.
	AllowPrivate bool
	// Proxy uses the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name. It needs
	// AllowPrivate, because the proxy connects to the endpoint, and the addresses that the
	// proxy chooses cannot be checked.
	Proxy bool

	// Concurrency is the maximum number of concurrent requests; 16 by default.
	Concurrency int
	// RequestTimeout bounds one request, its answer included; 15 s by default.
	RequestTimeout time.Duration
	// MaxRetryAfter bounds the wait that the endpoint asks for by Retry-After; 5 minutes
	// by default.
	MaxRetryAfter time.Duration
	// PauseFor is for how long the service is paused when the endpoint answers 410; 24 h
	// by default. Then one event is tried again.
	PauseFor time.Duration
	// MaxAttempts is how often an event is tried that fails while others succeed, before
	// it becomes a dead letter; 10 by default.
	MaxAttempts int
	// DrainTimeout bounds the end of Run; 10 s by default.
	DrainTimeout time.Duration
	// Once makes Run return when everything that ingest held at the start is delivered
	// or a dead letter.
	Once bool

	// OnRequest is called after each request, for metrics. Nothing by default. It must
	// return soon and may be called concurrently.
	OnRequest func(Request)
	// OnDead is called after an event became a dead letter. Nothing by default. It must
	// return soon and may be called concurrently.
	OnDead func(d *replhub.Delivery, cause error)
	// UserAgent is the header of that name; "replhub-push" by default.
	UserAgent string
	// Logger gets the messages for operators, without payloads and secrets; slog.Default
	// by default.
	Logger *slog.Logger

	// resolver, backoff and maxBackoff are for tests; nil and zero are what a process
	// uses. backoff is the first wait for an endpoint that asks for one and does not say
	// how long.
	resolver            *net.Resolver
	backoff, maxBackoff time.Duration
}

// Request describes one request, for Config.OnRequest.
type Request struct {
	Entity string
	// Status is the answer's; 0 where none came.
	Status int
	// Err is why no answer came; nil otherwise.
	Err error
	// Took is how long the request took, its answer included.
	Took time.Duration
	// Repeated says that the event had a request before in this process.
	Repeated bool
}

func (c Config) withDefaults() Config {
	c.Concurrency = cmp.Or(c.Concurrency, 16)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, 15*time.Second)
	c.MaxRetryAfter = cmp.Or(c.MaxRetryAfter, 5*time.Minute)
	c.PauseFor = cmp.Or(c.PauseFor, 24*time.Hour)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 10)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 10*time.Second)
	c.UserAgent = cmp.Or(c.UserAgent, "replhub-push")
	c.Logger = cmp.Or(c.Logger, slog.Default())
	c.backoff = cmp.Or(c.backoff, time.Second)
	if c.OnRequest == nil {
		c.OnRequest = func(Request) {}
	}
	if c.OnDead == nil {
		c.OnDead = func(*replhub.Delivery, error) {}
	}
	return c
}

// validate checks a Config with its defaults, and parses the service and the endpoint.
func (c Config) validate() (subjects.Name, *url.URL, error) {
	service, err := subjects.ParseName(c.Service)
	if err != nil {
		return subjects.Name{}, nil, fmt.Errorf("push: Service: %w", err)
	}
	for _, check := range []struct {
		name string
		bad  bool
	}{
		{"Concurrency", c.Concurrency < 0},
		{"RequestTimeout", c.RequestTimeout < 0},
		{"MaxRetryAfter", c.MaxRetryAfter < 0},
		{"PauseFor", c.PauseFor < 0},
		{"MaxAttempts", c.MaxAttempts < 0},
		{"DrainTimeout", c.DrainTimeout < 0},
	} {
		if check.bad {
			return subjects.Name{}, nil, fmt.Errorf("push: %s: must be positive", check.name)
		}
	}
	switch {
	case (c.SecretFile == "") == (c.Secrets == ""):
		return subjects.Name{}, nil, errors.New("push: a secret must sign the requests: name one file of secrets, or give their text, and not both; 'echo whsec_$(openssl rand -base64 32)' makes one")
	case c.Proxy && !c.AllowPrivate:
		return subjects.Name{}, nil, errors.New("push: Proxy needs AllowPrivate: with a proxy, the addresses that are connected to cannot be checked")
	}
	endpoint, err := c.endpoint()
	return service, endpoint, err
}

// endpoint parses the URL. No part of it that may be a secret is in an error.
func (c Config) endpoint() (*url.URL, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil, u.Host == "", u.Hostname() == "":
		return nil, errors.New("push: URL: must be an address such as https://example.com/hook")
	case u.User != nil:
		return nil, errors.New("push: URL: must not have a user or a password: the signature proves who sends")
	case u.Scheme == "http" && !c.AllowPrivate:
		return nil, errors.New("push: URL: must be https: everybody on the way can read http; it is for private addresses, with AllowPrivate (--allow-private)")
	case u.Scheme == "http" && c.Proxy:
		return nil, errors.New("push: URL: must be https: with a proxy, it is not known where http is readable")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("push: URL: the scheme %q must be https", bridge.OneLine(u.Scheme, 20))
	}
	u.Fragment, u.RawFragment = "", ""
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && !c.Proxy {
		if err := c.rule(u).check(addr); err != nil {
			return nil, fmt.Errorf("push: URL: %w", err)
		}
	}
	return u, nil
}

func (c Config) rule(u *url.URL) addressRule {
	return addressRule{allowPrivate: c.AllowPrivate, plain: u.Scheme == "http"}
}

func (c Config) secret() bridge.Secret {
	if c.SecretFile != "" {
		return bridge.Secret{File: c.SecretFile, Name: "the file of secrets"}
	}
	return bridge.Secret{Text: strings.Join(strings.Fields(c.Secrets), "\n"), Name: "the secrets"}
}

// authorities are those that may sign the endpoint's certificate; nil for the system's.
func (c Config) authorities() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil //nolint:nilnil // the system's
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("push: read the certificate authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("push: %s has no certificate in PEM form", c.CAFile)
	}
	return pool, nil
}
