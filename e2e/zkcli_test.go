package e2e_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/internal/contract"
)

// zkCli is ZooKeeper's own command line, as Debian installs it.
const zkCli = "/usr/share/zookeeper/bin/zkCli.sh"

// cli has zkCli do one command, and returns what it says.
func (z tree) cli(command ...string) string {
	z.t.Helper()
	args := append([]string{"-server", z.w.ZooKeeper.Servers()[0]}, command...)
	out, err := exec.CommandContext(z.t.Context(), zkCli, args...).CombinedOutput()
	if err != nil {
		z.t.Logf("zkCli %q: %v", command, err)
	}
	return string(out)
}

// prompt types commands at zkCli's prompt.
func (z tree) prompt(commands ...string) {
	z.t.Helper()
	cmd := exec.CommandContext(z.t.Context(), zkCli, "-server", z.w.ZooKeeper.Servers()[0])
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\nquit\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		z.t.Logf("zkCli: %v: %s", err, out)
	}
}

// A registration is made with ZooKeeper's own command line as the reference says,
// and ended by unregister: a record that is deleted is put back.
func TestRegisterWithZooKeepersCommandLine(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Registry: harness.ZooKeeper, Seed: 71})
	w.StartHub("h1")
	z := openTree(t, w)
	// ZooKeeper makes no parents: the entity's node comes first.
	if out := z.cli("create", "/replhub/entities/user/audit", ""); !strings.Contains(out, "Node does not exist") {
		t.Errorf("without the entity's node: %s", out)
	}
	// At its prompt, which takes the quotes away, and on a shell's command line.
	z.prompt(`create /replhub/entities/user ""`, `create /replhub/entities/user/audit ""`)
	z.cli("create", "/replhub/entities/user/reports", "")
	z.awaitRecord("/replhub/entities/user/audit")
	z.awaitRecord("/replhub/entities/user/reports")
	z.cli("create", "/replhub/entities/user/typo", `{"v":1,"filtre":"true"}`)
	z.awaitAlarm("filtre")
	z.cli("set", "/replhub/entities/user/typo", `{"v":1,"filter":"true","start":"all"}`)
	z.awaitRecord("/replhub/entities/user/typo")
	w.Eventually("the alarm to go", registryTime, func() error {
		if alarms := w.Status().Registry.Alarms; len(alarms) > 0 {
			return fmt.Errorf("%q", alarms)
		}
		return nil
	})
	z.cli("delete", "/replhub/entities/user/audit")
	z.awaitRecord("/replhub/entities/user/audit")
	z.awaitAlarm("replhub unregister")
	var ended contract.Unregistered
	w.MustCall("replhub.unregister.audit", `{"entities":["user"]}`, &ended)
	z.awaitAbsent("/replhub/entities/user/audit")
	if len(ended.Ended) != 1 {
		t.Errorf("ended %+v", ended)
	}
}
