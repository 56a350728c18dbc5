package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
)

const natsModule = "github.com/nats-io/nats-server/v2"

// natsBinary returns the path of a nats-server of that version, the one in
// go.mod when version is empty. It is built once per machine and kept in the
// user's cache; packages tested at the same time wait for each other's build.
func natsBinary(version string) (string, error) {
	build := goInstall
	switch version {
	case clocks:
		build = goBuildClocks
	case "":
		required, err := requiredVersion(natsModule)
		if err != nil {
			return "", fmt.Errorf("find the version of nats-server: %w", err)
		}
		version, build = required, goBuild
	}
	cache, err := cacheDir("bin")
	if err != nil {
		return "", fmt.Errorf("build nats-server %s: %w", version, err)
	}
	path := filepath.Join(cache, fmt.Sprintf("nats-server-%s-%s-%s", version, runtime.GOOS, runtime.GOARCH))
	unlock, err := lockPath(path + ".lock")
	if err != nil {
		return "", fmt.Errorf("build nats-server %s: %w", version, err)
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := buildAt(path, version, build); err != nil {
		return "", fmt.Errorf("build nats-server %s: %w", version, err)
	}
	return path, nil
}

// buildAt builds beside path and renames: a build cut short leaves nothing at
// path that looks like a binary.
func buildAt(path, version string, build func(dir, version string) (string, error)) error {
	dir, err := os.MkdirTemp(filepath.Dir(path), "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	built, err := build(dir, version)
	if err != nil {
		return err
	}
	return os.Rename(built, path)
}

func goBuild(dir, _ string) (string, error) {
	built := filepath.Join(dir, "nats-server")
	return built, runGo(nil, "build", "-o", built, natsModule)
}

// clocks is the version of the nats-server in go.mod with a clock that can be wrong.
const clocks = "clocks"

// clockEnv is by how many seconds the clock of such a server is ahead.
const clockEnv = "REPLHUB_TEST_CLOCK"

// goBuildClocks builds a nats-server whose time.Now is wrong. A library that is preloaded,
// such as libfaketime, does not reach a Go program, which asks the kernel by itself.
func goBuildClocks(dir, _ string) (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	const reads = "	sec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(text), reads) != 1 {
		return "", errors.New("time.Now reads the clock in a way that this build does not know")
	}
	changed := strings.Replace(string(text), reads, reads+"	sec += wrong\n", 1) + `
var wrong = func() (seconds int64) {
	text, _ := syscall.Getenv("` + clockEnv + `")
	for _, digit := range text {
		if digit >= '0' && digit <= '9' {
			seconds = 10*seconds + int64(digit-'0')
		}
	}
	if len(text) > 0 && text[0] == '-' {
		return -seconds
	}
	return seconds
}()
`
	changed = strings.Replace(changed, "import (\n", "import (\n	\"syscall\"\n", 1)
	wrong, overlay, built := filepath.Join(dir, "time.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "nats-server")
	over, err := json.Marshal(map[string]map[string]string{"Replace": {original: wrong}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(wrong, []byte(changed), 0o600), os.WriteFile(overlay, over, 0o600)); err != nil {
		return "", err
	}
	return built, runGo(nil, "build", "-overlay", overlay, "-o", built, natsModule)
}

func goInstall(dir, version string) (string, error) {
	return filepath.Join(dir, "nats-server"), runGo([]string{"GOBIN=" + dir}, "install", natsModule+"@"+version)
}

func runGo(env []string, args ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w: %s", args[0], err, out)
	}
	return nil
}

// requiredVersion reads the version of a module from the go.mod of the working
// folder's module.
func requiredVersion(module string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			return versionIn(text, module)
		}
		if !errors.Is(err, os.ErrNotExist) || dir == filepath.Dir(dir) {
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}

func versionIn(gomod []byte, module string) (string, error) {
	found := regexp.MustCompile(`(?m)^\s*(?:require\s+)?` + regexp.QuoteMeta(module) + `\s+(v\S+)`).FindSubmatch(gomod)
	if found == nil {
		return "", fmt.Errorf("go.mod does not require %s", module)
	}
	return string(found[1]), nil
}

// cacheDir makes and returns a folder that all test runs of this user share.
func cacheDir(name string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	dir := filepath.Join(base, "replhub-e2e", name)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	return dir, nil
}

// lockPath waits for the lock on a file, across processes. The lock ends with
// unlock or with the process.
func lockPath(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
