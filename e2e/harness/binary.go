package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds the hub with failpoints into a folder and returns its path. It
// is run from a package of this module.
func Build(dir string) (string, error) {
	path := filepath.Join(dir, "replhub")
	cmd := exec.Command("go", "build", "-tags", "failpoints", "-o", path, "github.com/replhub/replhub/cmd/replhub")
	cmd.Env = os.Environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the hub: %w: %s", err, out)
	}
	return path, nil
}
