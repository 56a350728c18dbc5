package zkmap_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/replhub/replhub/zkmap"
)

func TestConfigNamesTheField(t *testing.T) {
	good := zkmap.Config{Servers: []string{"localhost"}, Records: []string{"services/*", "entities/*/*"}}
	if _, err := zkmap.New(good); err != nil {
		t.Fatalf("the least configuration: %v", err)
	}
	for _, tt := range []struct {
		field string
		spoil func(*zkmap.Config)
	}{
		{"Servers", func(c *zkmap.Config) { c.Servers = nil }},
		{"Servers", func(c *zkmap.Config) { c.Servers = []string{":2181"} }},
		{"Servers", func(c *zkmap.Config) { c.Servers = []string{"token@localhost:2181"} }},
		{"Root", func(c *zkmap.Config) { c.Root = "replhub" }},
		{"Root", func(c *zkmap.Config) { c.Root = "/" }},
		{"Root", func(c *zkmap.Config) { c.Root = "/a/../b" }},
		{"Records", func(c *zkmap.Config) { c.Records = nil }},
		{"Records", func(c *zkmap.Config) { c.Records = []string{"a//b"} }},
		{"Folders", func(c *zkmap.Config) { c.Folders = []string{"services/a"} }},
		{"Folders", func(c *zkmap.Config) { c.Folders = []string{"strangers"} }},
		{"SessionTimeout", func(c *zkmap.Config) { c.SessionTimeout = -1 }},
		{"CallTimeout", func(c *zkmap.Config) { c.CallTimeout = -1 }},
		{"Resync", func(c *zkmap.Config) { c.Resync = -1 }},
		{"MaxValue", func(c *zkmap.Config) { c.MaxValue = -1 }},
		{"MaxReply", func(c *zkmap.Config) { c.MaxReply = 10 }},
		{"AuthFile", func(c *zkmap.Config) { c.AuthFile = filepath.Join(t.TempDir(), "absent") }},
		{"AuthFile", func(c *zkmap.Config) { c.AuthFile = authFile(t, "nocolonsecret") }},
		{"AuthFile", func(c *zkmap.Config) { c.AuthFile = authFile(t, "user:") }},
	} {
		cfg := good
		tt.spoil(&cfg)
		_, err := zkmap.New(cfg)
		if err == nil || !strings.Contains(err.Error(), "config: "+tt.field) {
			t.Errorf("%s: error %v does not name it", tt.field, err)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the secret is in the error", tt.field)
		}
	}
}
