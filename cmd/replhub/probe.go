package main

import (
	"cmp"
	"context"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/opshttp"
)

// newProbe makes the verb of health checks in containers, whose image has no curl.
func newProbe(a *app) *cobra.Command {
	var s opshttp.Settings
	cmd := &cobra.Command{
		Use:     "probe <healthz|readyz>",
		GroupID: groupHub,
		Short:   "Ask the hub or bridge on this machine whether it is alive or ready",
		Long: `Ask the process on this machine, which is a hub or a bridge, for /healthz or /readyz, and
print the answer. The exit code is 0 if the process is alive, or ready, and 1 otherwise.
It is for health checks of containers: it reads the same variables as the process, sends
the token, and believes only the certificate that the process has.`,
		Example: `  replhub probe readyz
  REPLHUB_HTTP_ADDR=127.0.0.1:8282 replhub probe healthz`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []cobra.Completion{"healthz", "readyz"},
		PreRunE:   refuseConnectionFlags,
	}
	flags := cmd.Flags()
	flags.StringVar(&s.Addr, "http-addr", "", "address that the process listens on ($"+contract.EnvHTTPAddr+", default "+defaultHTTPAddr+")")
	flags.StringVar(&s.TokenFile, "http-token-file", "", "file with the token that each request must have ($"+contract.EnvHTTPTokenFile+")")
	flags.StringVar(&s.TLS.Cert, "http-tls-cert", "", "certificate file of the process ($"+contract.EnvHTTPTLSCert+")")
	flags.StringVar(&s.TLS.Key, "http-tls-key", "", "key file of that certificate ($"+contract.EnvHTTPTLSKey+")")
	cmd.RunE = a.verb(func(ctx context.Context, args []string) error {
		s.Addr = cmp.Or(s.Addr, os.Getenv(contract.EnvHTTPAddr), defaultHTTPAddr)
		s.TokenFile = cmp.Or(s.TokenFile, os.Getenv(contract.EnvHTTPTokenFile))
		s.TLS.Cert = cmp.Or(s.TLS.Cert, os.Getenv(contract.EnvHTTPTLSCert))
		s.TLS.Key = cmp.Or(s.TLS.Key, os.Getenv(contract.EnvHTTPTLSKey))
		return a.probe(ctx, s, args[0])
	})
	return cmd
}

// probe asks for one of the paths.
func (a *app) probe(ctx context.Context, s opshttp.Settings, path string) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	if err := s.Validate(); err != nil {
		return err
	}
	status, body, err := s.Probe(ctx, "/"+path)
	if err != nil {
		return err
	}
	text := strings.TrimSpace(printableLines(string(body)))
	if status != http.StatusOK {
		return failf(codeFailed, "%s answers %d: %s", path, status, text)
	}
	_, err = a.out.Write([]byte(text + "\n"))
	return err
}
