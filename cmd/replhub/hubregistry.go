package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/jsapi"
	"github.com/replhub/replhub/kvmap"
	"github.com/replhub/replhub/zkmap"
)

// registry is the one that the settings name. The hub connects it.
func (s settings) registry(nc *nats.Conn, log *slog.Logger) (hub.Registry, error) {
	if s.Registry == registryKV {
		return kvRegistry(nc, s.JSDomain, s.Replicas, log)
	}
	secure, err := s.ZK.TLS.config(contract.EnvZKTLSCA, contract.EnvZKTLSCert)
	if err != nil {
		return nil, err
	}
	registry, err := zkmap.New(zkmap.Config{
		Servers:        s.ZK.Servers,
		Root:           s.ZK.Root,
		Records:        hub.RegistryRecords(),
		Folders:        hub.RegistryFolders(),
		SessionTimeout: s.ZK.SessionTimeout,
		AuthFile:       s.ZK.AuthFile,
		TLS:            secure,
		RootCAs:        s.ZK.TLS.authorities(contract.EnvZKTLSCA),
		Logger:         log,
	})
	if err != nil {
		return nil, fmt.Errorf("registry in ZooKeeper, %s*: %w", contract.EnvironmentPrefix+"ZK_", err)
	}
	return registry, nil
}

// kvRegistry is the registry in a bucket of NATS itself. Without a number of
// replicas it has three where the server is one of three or more.
func kvRegistry(nc *nats.Conn, domain string, replicas int, log *slog.Logger) (hub.Registry, error) {
	js, err := jsapi.Open(nc, domain)
	if err != nil {
		return nil, err
	}
	if replicas == 0 {
		replicas = 1
		if nc.ConnectedClusterName() != "" && len(nc.Servers()) >= 3 {
			replicas = 3
		}
	}
	registry, err := kvmap.New(js, kvmap.Config{
		Bucket: contract.BucketRegistry, Replicas: replicas, Records: hub.RegistryRecords(), Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("registry in JetStream: %w", err)
	}
	return registry, nil
}

// authorities reads the authorities' file, at each handshake; nil when there is none. ca
// is the name of the variable, for errors.
func (f tlsFiles) authorities(ca string) func() (*x509.CertPool, error) {
	if f.CA == "" {
		return nil
	}
	return func() (*x509.CertPool, error) {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ca, err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: %s holds no certificate in PEM form", ca, f.CA)
		}
		return pool, nil
	}
}

// config checks the files, and returns a configuration without authorities; nil when there are none. ca and cert are the names of
// the variables, for errors.
func (f tlsFiles) config(ca, cert string) (*tls.Config, error) {
	if f == (tlsFiles{}) {
		return nil, nil //nolint:nilnil // no TLS is no error
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if read := f.authorities(ca); read != nil {
		if _, err := read(); err != nil {
			return nil, err
		}
	}
	if f.Cert != "" {
		// Read at each handshake: certificates are renewed while the hub runs.
		read := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", cert, err)
			}
			return &pair, nil
		}
		if _, err := read(nil); err != nil {
			return nil, err
		}
		config.GetClientCertificate = read
	}
	return config, nil
}
