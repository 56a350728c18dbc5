package main

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/replhub/replhub/hub/doctor"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/permissions"
	"github.com/replhub/replhub/subjects"
)

// roleOf is the role that the credentials are meant for; nil without one.
func (f *doctorFlags) roleOf(domain string) (*doctor.Role, error) {
	switch f.role {
	case "":
		return nil, nil //nolint:nilnil // no role is no error
	case "hub":
		return &doctor.Role{Name: f.role, Permissions: permissions.Hub(domain)}, nil
	case "operator":
		return &doctor.Role{Name: f.role, Permissions: permissions.Operator(domain)}, nil
	case "observer":
		return &doctor.Role{Name: f.role, Permissions: permissions.Observer()}, nil
	}
	service, err := subjects.ParseName(f.role)
	if err != nil {
		return nil, usagef("--role: %v", err)
	}
	return &doctor.Role{Name: "service " + f.role, Permissions: permissions.Service(permissions.ServiceRole{Name: service}, domain)}, nil
}

// addHTTP adds the hubs' HTTP: as named, else that of the environment, else the default
// one, of which nothing is known.
func (f *doctorFlags) addHTTP(cfg *doctor.Config) error {
	token, err := tokenIn(cmp.Or(f.httpTokenFile, os.Getenv(contract.EnvHTTPTokenFile)))
	if err != nil {
		return usagef("the token of the hubs' HTTP: %v", err)
	}
	for _, url := range f.http {
		if !strings.Contains(url, "://") {
			url = "http://" + url
		}
		cfg.HTTP = append(cfg.HTTP, doctor.Endpoint{URL: url, Token: token})
	}
	if len(f.http) > 0 {
		return nil
	}
	addr := cmp.Or(os.Getenv(contract.EnvHTTPAddr), defaultHTTPAddr)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return usagef("%s=%q: %v", contract.EnvHTTPAddr, addr, err)
	}
	if slices.Contains([]string{"", "0.0.0.0", "::"}, host) {
		host = "127.0.0.1"
	}
	scheme := "http://"
	if os.Getenv(contract.EnvHTTPTLSCert) != "" {
		scheme = "https://"
	}
	cfg.HTTP = []doctor.Endpoint{{URL: scheme + net.JoinHostPort(host, port), Token: token, Guessed: true}}
	return nil
}

// addZooKeeper adds the registry that the environment of a hub names.
func (f *doctorFlags) addZooKeeper(cfg *doctor.Config) error {
	if os.Getenv(contract.EnvZKServers) == "" {
		return nil
	}
	s, err := readSettings()
	if err != nil {
		return err
	}
	if s.Registry != registryZK {
		return nil
	}
	z := &doctor.ZooKeeper{Servers: s.ZK.Servers, Root: s.ZK.Root}
	if z.TLS, err = s.ZK.TLS.config(contract.EnvZKTLSCA, contract.EnvZKTLSCert); err != nil {
		return err
	}
	if read := s.ZK.TLS.authorities(contract.EnvZKTLSCA); read != nil {
		if z.TLS.RootCAs, err = read(); err != nil {
			return err
		}
	}
	if z.Auth, err = tokenIn(s.ZK.AuthFile); err != nil {
		return fmt.Errorf("%s: %w", contract.EnvZKAuthFile, err)
	}
	cfg.ZooKeeper = z
	return nil
}
