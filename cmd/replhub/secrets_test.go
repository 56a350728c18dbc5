package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// marked is part of each secret of TestSecretsAreInNoOutput.
const marked = "hush-hush"

// Nothing that the hub and the command line print, log, answer or refuse shows a secret, at
// the finest level of the log: neither while the secrets are right, nor once they are
// wrong.
func TestSecretsAreInNoOutput(t *testing.T) {
	newBench(t) // an environment without NATS variables
	clearEnvironment(t)
	server := cluster.StartNATS(t, cluster.NATSUser("hub", marked+"-password", ""))
	password, token := secretFile(t, "password", marked+"-password"), secretFile(t, "token", marked+"-token-of-http")
	for name, value := range map[string]string{
		contract.EnvNATSURL: server.URL(), contract.EnvNATSUser: "hub", contract.EnvNATSPasswordFile: password,
		contract.EnvHTTPAddr: "127.0.0.1:0", contract.EnvHTTPTokenFile: token, contract.EnvLogLevel: "debug",
		"NATS_URL": server.URL(), "NATS_USER": "hub", "NATS_PASSWORD": marked + "-password",
	} {
		t.Setenv(name, value)
	}
	r := start(t, "serve")
	address := "http://" + field(t, r.stdout.await(t, "msg=ready"), "http")
	outputs := make(map[string]string)
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/nothing"} {
		code, body := getWith(t.Context(), t, http.DefaultTransport, address+path, "Bearer "+marked+"-token-of-http")
		if code == http.StatusUnauthorized {
			t.Fatalf("%s: %d", path, code)
		}
		outputs["HTTP "+path] = body
		_, outputs["HTTP refused "+path] = getWith(t.Context(), t, http.DefaultTransport, address+path, "Bearer "+marked+"-wrong")
	}
	run := func(words ...string) {
		o := execute(t.Context(), "", words...)
		outputs[strings.Join(words[:1], " ")+" "+server.URL()] += o.stdout + o.stderr
	}
	for _, line := range []string{"register s user", "status", "status --json", "ls --json", "describe s", "who user", "explain s 1", "auth hub --nsc", "version"} {
		run(strings.Fields(line)...)
	}
	withSecret := strings.Replace(server.URL(), "nats://", "nats://hub:"+marked+"-url@", 1)
	run("status", "--server", withSecret)
	t.Setenv("NATS_PASSWORD", marked+"-wrong")
	run("status")
	run("ls", "--password", marked+"-flag", "--timeout", "1s")
	run("ls", "--token", marked+"-flag", "--timeout", "1s")

	server.SetUsers(cluster.NATSUser("hub", marked+"-another", ""))
	r.stdout.await(t, "the server has other credentials")
	if err := os.WriteFile(password, []byte(marked+"-another"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.stdout.await(t, "nats connection is back")
	r.stop()
	r.ended(t)
	outputs["log"], outputs["stderr"] = r.log(), r.stderr.String()
	for from, text := range outputs {
		for line := range strings.Lines(text) {
			// The path of a request is the client's own word, and no secret.
			if strings.Contains(line, marked) {
				t.Errorf("%s: a secret is shown: %s", from, line)
			}
		}
	}
	if !strings.Contains(outputs["HTTP /metrics"], "replhub_") || !strings.Contains(outputs["log"], "nats connection is back") {
		t.Errorf("the outputs are not there: %d bytes of metrics, log:\n%s", len(outputs["HTTP /metrics"]), outputs["log"])
	}
}

// serve takes no secret from its command line, which other users of the machine can read:
// every flag of a connection is refused.
func TestServeTakesNoSecretFromItsArguments(t *testing.T) {
	newBench(t)
	clearEnvironment(t)
	for _, flag := range []string{"--password", "--token", "--user", "--creds", "--nkey", "--server"} {
		o := execute(t.Context(), "", "serve", flag, marked)
		if o.code != exitUsage || strings.Contains(o.stdout+o.stderr, marked) {
			t.Errorf("serve %s: exit %d: %s%s", flag, o.code, o.stdout, o.stderr)
		}
	}
}
