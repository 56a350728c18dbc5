package check_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// The compose file is valid, its services start in an order that there is, and the
// commands and variables of the product's services are ones that it takes.
func TestCompose(t *testing.T) {
	file := "../compose/compose.yaml"
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: "../compose", ConfigFiles: []types.ConfigFile{{Filename: file}}, Environment: types.Mapping{},
	}, func(o *loader.Options) { o.SetProjectName("replhub", true) })
	if err != nil {
		t.Fatal(err)
	}
	names := project.ServiceNames()
	slices.Sort(names)
	if want := []string{"apply", "capture", "hub", "nats", "owner", "replica", "zookeeper"}; !slices.Equal(names, want) {
		t.Errorf("services %v, want %v", names, want)
	}
	for _, s := range project.Services {
		if s.Image != "replhub" {
			if s.HealthCheck == nil {
				t.Errorf("%s has no health check", s.Name)
			}
			continue
		}
		if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") {
			t.Errorf("%s can do too much", s.Name)
		}
		args := []string(s.Command)
		if len(args) == 0 {
			args = []string{"serve"}
		}
		env := make(map[string]string)
		for name, value := range s.Environment {
			if value != nil {
				env[name] = *value
			}
		}
		runsOrLacksServers(t, s.Name, args, env)
		if s.HealthCheck != nil {
			runsOrLacksServers(t, s.Name, s.HealthCheck.Test[2:], env)
		}
	}
	for name, secret := range project.Secrets {
		if _, err := os.Stat(secret.File); err != nil {
			t.Errorf("secret %s: %v", name, err)
		}
	}
}

// The Dockerfile is valid, and what it makes is not root and has no shell.
func TestDockerfile(t *testing.T) {
	f, err := os.Open("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := stages[len(stages)-1]
	if !strings.HasPrefix(last.BaseName, "gcr.io/distroless/static") {
		t.Errorf("the image is made from %s", last.BaseName)
	}
	var user string
	for _, c := range last.Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.EntrypointCommand:
			if c.PrependShell {
				t.Error("the entry point needs a shell")
			}
		case *instructions.HealthCheckCommand:
			runsOrLacksServers(t, "HEALTHCHECK", c.Health.Test[2:], nil)
		case *instructions.RunCommand:
			t.Error("the last stage runs a command, and has no shell")
		}
	}
	if user != "65532:65532" {
		t.Errorf("user %q", user)
	}
	for _, other := range stages[:len(stages)-1] {
		for _, c := range other.Commands {
			if r, ok := c.(*instructions.RunCommand); ok && strings.Contains(strings.Join(r.CmdLine, " "), "go build") && !strings.Contains(strings.Join(r.CmdLine, " "), "CGO_ENABLED=0") {
				t.Error("the binary is not static")
			}
		}
	}
}
