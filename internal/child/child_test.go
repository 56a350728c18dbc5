package child_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/child"
)

// A frozen process takes no step between the return of Freeze and Thaw.
func TestFreeze(t *testing.T) {
	steps, err := os.Create(filepath.Join(t.TempDir(), "steps"))
	if err != nil {
		t.Fatal(err)
	}
	defer steps.Close()
	taken := func() int64 {
		info, err := steps.Stat()
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	cmd := exec.Command("sh", "-c", "while :; do echo; done")
	cmd.Stdout, cmd.SysProcAttr = steps, child.Attributes()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 50 {
		if err := child.Freeze(cmd.Process); err != nil {
			t.Fatal(err)
		}
		before := taken()
		<-time.After(time.Millisecond)
		if after := taken(); after != before {
			t.Fatalf("%d steps while frozen", after-before)
		}
		if err := child.Thaw(cmd.Process); err != nil {
			t.Fatal(err)
		}
		for taken() == before {
			<-time.After(time.Millisecond)
		}
	}
}

// One that has ended cannot be waited for in vain.
func TestFreezeOfOneThatHasEnded(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if err := child.Freeze(cmd.Process); err != nil {
		t.Error(err)
	}
}
