package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/nearest"
	"github.com/replhub/replhub/internal/yamlconfig"
)

// A bridge (capture, apply, push) is configured by flags, by the environment and by a
// YAML file. One rule makes the names: the flag --secret-file of push is the variable
// REPLHUB_PUSH_SECRET_FILE and the file's member secret_file. A flag has precedence over
// the environment, and the environment over the file. Each value is read by the flag's
// own parser, so that it means the same wherever it stands.

// bridges are the commands whose variables begin with their name.
func bridges() []string { return []string{"capture", "apply", "push"} }

// ofBridge reports whether a variable is one of a bridge alone.
func ofBridge(variable string) bool {
	return slices.ContainsFunc(bridges(), func(name string) bool {
		return strings.HasPrefix(variable, bridgePrefix(name))
	})
}

// bridgeOf is the name of a bridge's command: of capture postgres it is capture.
func bridgeOf(cmd *cobra.Command) string {
	if parent := cmd.Parent(); parent != nil && slices.Contains(bridges(), parent.Name()) {
		return parent.Name()
	}
	return cmd.Name()
}

func bridgePrefix(command string) string {
	return contract.EnvironmentPrefix + strings.ToUpper(command) + "_"
}

// sharedVariables are the flags whose variable is one of the hub's, or of the nats CLI.
func sharedVariables() map[string]string {
	return map[string]string{ //nolint:gosec // names of variables, not secrets
		"http-addr": contract.EnvHTTPAddr, "http-token-file": contract.EnvHTTPTokenFile,
		"http-tls-cert": contract.EnvHTTPTLSCert, "http-tls-key": contract.EnvHTTPTLSKey,
		"drain-timeout": contract.EnvDrainTimeout, "log-level": contract.EnvLogLevel, "log-format": contract.EnvLogFormat,
		"server": "NATS_URL", "context": "NATS_CONTEXT", "creds": "NATS_CREDS", "nkey": "NATS_NKEY",
		"user": "NATS_USER", "password": "NATS_PASSWORD", "token": "NATS_TOKEN",
		"dsn": "DATABASE_URL", "tlsca": "NATS_CA", "tlscert": "NATS_CERT", "tlskey": "NATS_KEY",
	}
}

// bridgeVariables is the annotation of a command with its variables that are no flags:
// secrets, which a command line must not have, separated by spaces.
const bridgeVariables = "replhub_variables"

// flagsAlone are the flags that have neither a variable nor a member of the file.
func flagsAlone() []string {
	return []string{"config", "help", "json", "password", "token", "check", "resync", "progress"}
}

// variableOf is a flag's variable.
func variableOf(command string, f *pflag.Flag) string {
	if shared, ok := sharedVariables()[f.Name]; ok {
		return shared
	}
	return bridgePrefix(command) + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
}

// memberOf is a flag's name in the file.
func memberOf(f *pflag.Flag) string { return strings.ReplaceAll(f.Name, "-", "_") }

// bridgeSettings fills the flags of a bridge that the command line does not have from the
// environment and from the file that --config names. It is a PreRunE: an error is one of
// usage.
func bridgeSettings(cmd *cobra.Command, _ []string) error {
	flags := settable(cmd)
	if err := refuseUnknownBridge(cmd, flags, os.Environ()); err != nil {
		return err
	}
	given := givenBySetting(cmd)
	if err := fromEnvironment(cmd, flags, given); err != nil {
		return err
	}
	if err := fromFile(cmd, flags, given); err != nil {
		return err
	}
	return refuseEmptyNumbers(cmd, nil)
}

// settable are the flags that variables and the file can set, by their name in the file.
func settable(cmd *cobra.Command) map[string]*pflag.Flag {
	flags := make(map[string]*pflag.Flag)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(flagsAlone(), f.Name) {
			flags[memberOf(f)] = f
		}
	})
	return flags
}

// givenBySetting are the flags that the command line has.
func givenBySetting(cmd *cobra.Command) map[string]bool {
	given := make(map[string]bool)
	cmd.Flags().Visit(func(f *pflag.Flag) { given[f.Name] = true })
	return given
}

// refuseUnknownBridge refuses a misspelt variable, which would otherwise be ignored
// silently: one of this command's, or one of the prefix that nobody reads.
func refuseUnknownBridge(cmd *cobra.Command, flags map[string]*pflag.Flag, environment []string) error {
	command := bridgeOf(cmd)
	known := knownVariables()
	for _, f := range flags {
		known = append(known, variableOf(command, f))
	}
	known = append(known, bridgePrefix(command)+"CONFIG")
	known = append(known, strings.Fields(cmd.Annotations[bridgeVariables])...)
	slices.Sort(known)
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		ours := strings.HasPrefix(name, bridgePrefix(command))
		if !strings.HasPrefix(name, contract.EnvironmentPrefix) || !ours && ofBridge(name) || slices.Contains(known, name) {
			continue
		}
		return usagef("%s is no variable of replhub %s; did you mean %s? 'replhub %s --help' lists the flags, whose names are the variables'",
			name, command, nearest.Name(name, known, "_"), command)
	}
	return nil
}

// fromEnvironment sets the flags whose variables are set. The variables of the nats CLI
// are left to connFlags, which knows contexts, too; they only keep the file's value out.
// A flag that may be repeated takes a value from each line.
func fromEnvironment(cmd *cobra.Command, flags map[string]*pflag.Flag, given map[string]bool) error {
	for _, f := range flags {
		variable := variableOf(bridgeOf(cmd), f)
		text := os.Getenv(variable)
		if text == "" || given[f.Name] {
			continue
		}
		given[f.Name] = true
		if strings.HasPrefix(variable, "NATS_") {
			continue
		}
		values := []string{text}
		if repeated(f) {
			values = strings.Split(strings.Trim(text, "\n"), "\n")
		}
		for _, value := range values {
			if err := cmd.Flags().Set(f.Name, value); err != nil {
				return usagef("%s: %v", variable, settingFault(err))
			}
		}
	}
	return nil
}

// fromFile sets the flags that the file has and nothing else has set.
func fromFile(cmd *cobra.Command, flags map[string]*pflag.Flag, given map[string]bool) error {
	path, err := cmd.Flags().GetString("config")
	if err != nil {
		return err
	}
	if path == "" {
		path = os.Getenv(bridgePrefix(bridgeOf(cmd)) + "CONFIG")
	}
	if path == "" {
		return nil
	}
	known := make([]string, 0, len(flags))
	for name := range flags {
		known = append(known, name)
	}
	slices.Sort(known)
	settings, err := yamlconfig.Read(path, known)
	if err != nil {
		return usagef("%v", err)
	}
	for _, s := range settings {
		f := flags[s.Name]
		if len(s.Values) > 1 && !repeated(f) {
			return usagef("%s:%d: %s takes one value", path, s.Line, s.Name)
		}
		for _, value := range s.Values {
			if given[f.Name] {
				break
			}
			if err := cmd.Flags().Set(f.Name, value); err != nil {
				return usagef("%s:%d: %s: %v", path, s.Line, s.Name, settingFault(err))
			}
		}
	}
	return nil
}

// repeated reports whether a flag collects values.
func repeated(f *pflag.Flag) bool {
	_, ok := f.Value.(pflag.SliceValue)
	return ok
}

// settingFault is what a flag's parser says of a value, without the flag's name, which is
// another one here.
func settingFault(err error) error {
	text := err.Error()
	if _, after, ok := strings.Cut(text, " flag: "); ok {
		return fmt.Errorf("%s", after)
	}
	return err
}
