package opshttp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/replhub/replhub/internal/contract"
)

// maxProbed bounds, in bytes, what a probe reads of an answer.
const maxProbed = 64 << 10

// Probe asks the process with these settings, which runs on this machine, for a path such
// as /readyz. It sends the token of the token's file, and believes no other certificate
// than that of the certificate's file, whatever name the certificate has: a health check
// asks 127.0.0.1, which is seldom in a certificate.
func (s Settings) Probe(ctx context.Context, path string) (status int, body []byte, err error) {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil || port == "0" || port == "" {
		return 0, nil, fmt.Errorf("%s=%s: must be host:port, with the port that the process listens on", contract.EnvHTTPAddr, s.Addr)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // it listens on all addresses
	}
	scheme, transport := "http", &http.Transport{DisableKeepAlives: true}
	if s.TLS != (CertificateFiles{}) {
		scheme = "https"
		if transport.TLSClientConfig, err = s.TLS.pinned(); err != nil {
			return 0, nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return 0, nil, err
	}
	if s.TokenFile != "" {
		token, err := s.token()
		if err != nil {
			return 0, nil, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(io.LimitReader(answer.Body, maxProbed))
	return answer.StatusCode, body, errors.Join(err, answer.Body.Close())
}

// pinned is the TLS of a client that believes only the certificate of the file.
func (c CertificateFiles) pinned() (*tls.Config, error) {
	pair, err := c.read()
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("%w; run the probe as the user of the process", err)
	}
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection demands this very certificate
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, pair.Certificate[0]) {
				return errors.New("another certificate answers than that of " + c.Cert)
			}
			return nil
		},
	}, nil
}
