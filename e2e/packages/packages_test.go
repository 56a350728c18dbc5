//go:build long

package packages_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// machine is a Debian in a folder.
type machine struct {
	t    *testing.T
	root string
}

// run runs a command on the host, and ends the test if it fails.
func run(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, root: filepath.Join(t.TempDir(), "debian")}
	run(t, "", nil, "debootstrap", "--variant=minbase", "stable", m.root)
	return m
}

// do runs a command in the machine.
func (m *machine) do(args ...string) string {
	m.t.Helper()
	return run(m.t, "", []string{"DEBIAN_FRONTEND=noninteractive", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}, append([]string{"chroot", m.root}, args...)...)
}

// install puts a file of the host into the machine's /tmp and returns its name there.
func (m *machine) put(path string) string {
	m.t.Helper()
	to := "/tmp/" + filepath.Base(path)
	run(m.t, "", nil, "cp", path, m.root+to)
	return to
}

func (m *machine) exists(path string) bool {
	_, err := os.Lstat(m.root + path)
	return err == nil
}

// want fails unless paths are there, or are not.
func (m *machine) want(there bool, paths ...string) {
	m.t.Helper()
	for _, path := range paths {
		if m.exists(path) != there {
			m.t.Errorf("%s: there %v, want %v", path, !there, there)
		}
	}
}

func (m *machine) read(path string) string {
	m.t.Helper()
	text, err := os.ReadFile(m.root + path)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}

func (m *machine) append(path, text string) {
	m.t.Helper()
	f, err := os.OpenFile(m.root+path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o640)
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		m.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		m.t.Fatal(err)
	}
}

// hasUser reports whether the user and the group are there.
func (m *machine) hasUser() bool {
	return strings.Contains(m.read("/etc/passwd"), "\nreplhub:") && strings.Contains(m.read("/etc/group"), "\nreplhub:")
}

// build builds the release of a commit of a clone, and returns its packages.
func build(t *testing.T, clone, to string) (deb, rpm string) {
	t.Helper()
	run(t, clone, nil, "./scripts/release", "--snapshot", "linux/amd64")
	if err := os.MkdirAll(to, 0o750); err != nil {
		t.Fatal(err)
	}
	run(t, "", nil, "cp", "-r", filepath.Join(clone, "dist")+"/.", to)
	find := func(pattern string) string {
		found, err := filepath.Glob(filepath.Join(to, pattern))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		return found[0]
	}
	for _, pattern := range []string{"replhub_*_linux_amd64.tar.gz", "replhub-chart-*.tgz", "replhub_*_deploy.tar.gz", "replhub_*.cdx.json", "SHA256SUMS"} {
		find(pattern)
	}
	run(t, to, nil, "sha256sum", "--check", "--quiet", "SHA256SUMS")
	return find("*.deb"), find("*.rpm")
}

func units() []string {
	return []string{"replhub.service", "replhub-capture@.service", "replhub-apply@.service", "replhub-push@.service"}
}

// The packages of two versions, built as a release builds them.
func TestPackages(t *testing.T) {
	dir := t.TempDir()
	clone := filepath.Join(dir, "clone")
	run(t, "", nil, "git", "clone", "--quiet", "--no-hardlinks", "../..", clone)
	deb, rpm := build(t, clone, filepath.Join(dir, "one"))
	// The next version has other settings in two files.
	for _, name := range []string{"replhub.env", "capture.env"} {
		run(t, clone, nil, "sed", "-i", "1i # New in this version.", "deploy/package/"+name)
	}
	run(t, clone, nil, "git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--all", "--message=next", "--date=2100-01-01T00:00:00Z")
	run(t, clone, []string{"GIT_COMMITTER_DATE=2100-01-01T00:00:00Z"}, "git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--amend", "--no-edit")
	nextDeb, nextRPM := build(t, clone, filepath.Join(dir, "two"))

	m := newMachine(t)
	t.Run("deb", func(t *testing.T) { m.t = t; m.deb(deb, nextDeb) })
	t.Run("rpm", func(t *testing.T) { m.t = t; m.rpm(rpm, nextRPM) })
	t.Run("scratch", func(t *testing.T) { scratch(t, clone) })
}

// deb installs, upgrades, removes and purges.
func (m *machine) deb(deb, next string) {
	m.t.Helper()
	m.do("dpkg", "-i", m.put(deb))
	m.installed()
	m.verifyUnits()

	m.append("/etc/replhub/replhub.env", "REPLHUB_HISTORY=48h\n")
	m.append("/etc/replhub/apply-sharing.env", "DATABASE_URL=sqlite:/var/lib/replhub/sharing.db\n")
	m.append("/var/lib/replhub/sharing.db", "data")
	before := m.do("dpkg-query", "-W", "-f", "${Version}", "replhub")
	m.do("dpkg", "--force-confdef", "--force-confold", "-i", m.put(next))
	after := m.do("dpkg-query", "-W", "-f", "${Version}", "replhub")
	m.do("dpkg", "--compare-versions", after, "gt", before)
	if settings := m.read("/etc/replhub/replhub.env"); !strings.Contains(settings, "REPLHUB_HISTORY=48h") || strings.Contains(settings, "New in this version") {
		m.t.Errorf("changed settings were replaced:\n%s", settings)
	}
	if !strings.Contains(m.read("/etc/replhub/capture.env"), "New in this version") {
		m.t.Error("settings that nobody changed were not replaced")
	}
	m.modes()

	m.do("dpkg", "-r", "replhub")
	m.want(false, "/usr/bin/replhub", "/usr/lib/systemd/system/replhub.service", "/usr/share/man/man1/replhub.1.gz")
	m.want(true, "/etc/replhub/replhub.env", "/etc/replhub/apply-sharing.env", "/var/lib/replhub/sharing.db")
	if !m.hasUser() {
		m.t.Error("a removal has taken the user, whose files remain")
	}
	m.do("dpkg", "-P", "replhub")
	m.want(false, "/etc/replhub", "/var/lib/replhub")
	if m.hasUser() || strings.Contains(m.read("/etc/group"), "replhub") {
		m.t.Error("a purge leaves the user or the group")
	}
}

// installed checks what an installation makes, and that it works.
func (m *machine) installed() {
	m.t.Helper()
	m.want(true, "/usr/bin/replhub", "/usr/share/bash-completion/completions/replhub", "/usr/share/zsh/vendor-completions/_replhub",
		"/usr/share/fish/vendor_completions.d/replhub.fish", "/var/lib/replhub")
	for _, unit := range units() {
		m.want(true, "/usr/lib/systemd/system/"+unit)
	}
	if pages, _ := filepath.Glob(m.root + "/usr/share/man/man1/replhub*.1.gz"); len(pages) < 20 {
		// The manual is left out where dpkg is told so, as in some images.
		m.t.Errorf("%d manual pages", len(pages))
	}
	if !m.hasUser() {
		m.t.Fatal("there is no user replhub")
	}
	m.modes()
	if out := m.do("/usr/bin/replhub", "version"); !strings.HasPrefix(out, "replhub v") {
		m.t.Errorf("version: %q", out)
	}
	// As the service's user, on real streams.
	out := m.do("setpriv", "--reuid=replhub", "--regid=replhub", "--clear-groups", "/bin/sh", "-c",
		"cat /etc/replhub/replhub.env >/dev/null && ! test -w /etc/replhub/replhub.env && ! test -w /etc/replhub && "+
			"cd /var/lib/replhub && exec /usr/bin/replhub dev --port 0 --http 127.0.0.1:0 --store-dir /var/lib/replhub/dev --demo --demo-events 20 --demo-for 60s")
	if !strings.Contains(out, "user") {
		m.t.Errorf("the demo says: %s", out)
	}
}

// modes checks who may read the settings.
func (m *machine) modes() {
	m.t.Helper()
	for path, want := range map[string]string{
		"/etc/replhub": "750 root replhub", "/etc/replhub/replhub.env": "640 root replhub", "/etc/replhub/capture.env": "640 root replhub",
		"/etc/replhub/apply.env": "640 root replhub", "/etc/replhub/push.env": "640 root replhub", "/var/lib/replhub": "750 replhub replhub",
	} {
		if got := strings.TrimSpace(m.do("stat", "-c", "%a %U %G", path)); got != want {
			m.t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

// verifyUnits has systemd judge the units, which needs no systemd that runs.
func (m *machine) verifyUnits() {
	m.t.Helper()
	for _, unit := range units() {
		name := strings.Replace(unit, "@.", "@sharing.", 1)
		if out := run(m.t, "", nil, "systemd-analyze", "verify", "--root="+m.root, "--man=no", "--recursive-errors=no", name); strings.Contains(out, "replhub") {
			m.t.Errorf("systemd-analyze verify %s: %s", name, out)
		}
		out := run(m.t, "", nil, "systemd-analyze", "security", "--offline=true", "--threshold=30", m.root+"/usr/lib/systemd/system/"+unit)
		m.t.Log(lastLine(out))
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// rpm installs, upgrades and removes with Debian's rpm, into the same folder.
func (m *machine) rpm(rpm, next string) {
	m.t.Helper()
	list := run(m.t, "", nil, "rpm", "-qpl", rpm)
	for _, path := range []string{"/usr/bin/replhub", "/etc/replhub/replhub.env", "/usr/lib/systemd/system/replhub-apply@.service", "/usr/share/man/man1/replhub.1.gz"} {
		if !strings.Contains(list, path+"\n") {
			m.t.Errorf("the rpm has no %s:\n%s", path, list)
		}
	}
	if config := run(m.t, "", nil, "rpm", "-qp", "--configfiles", rpm); strings.Count(config, "\n") != 4 {
		m.t.Errorf("settings of the rpm: %s", config)
	}
	run(m.t, "", nil, "rpm", "--root", m.root, "--initdb")
	// Debian's packages are not in rpm's database: what they provide is not known there.
	run(m.t, "", nil, "rpm", "--root", m.root, "-i", "--nodeps", rpm)
	m.installed()
	m.append("/etc/replhub/replhub.env", "REPLHUB_HISTORY=48h\n")
	run(m.t, "", nil, "rpm", "--root", m.root, "-U", "--nodeps", next)
	if settings := m.read("/etc/replhub/replhub.env"); !strings.Contains(settings, "REPLHUB_HISTORY=48h") {
		m.t.Errorf("changed settings were replaced:\n%s", settings)
	}
	if !strings.Contains(m.read("/etc/replhub/capture.env"), "New in this version") {
		m.t.Error("settings that nobody changed were not replaced")
	}
	m.want(true, "/usr/bin/replhub", "/var/lib/replhub")
	run(m.t, "", nil, "rpm", "--root", m.root, "-e", "replhub")
	m.want(false, "/usr/bin/replhub")
	m.want(true, "/etc/replhub/replhub.env.rpmsave", "/var/lib/replhub")
}

// scratch runs the binary as an image does: alone in its file system, and not root.
func scratch(t *testing.T, clone string) {
	t.Helper()
	root := t.TempDir()
	run(t, clone, []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(root, "replhub"), "./cmd/replhub")
	if err := os.Chmod(root, 0o555); err != nil {
		t.Fatal(err)
	}
	if out := run(t, "", nil, "chroot", "--userspec=65532:65532", root, "/replhub", "version"); !strings.HasPrefix(out, "replhub ") {
		t.Error(out)
	}
	cmd := exec.CommandContext(t.Context(), "chroot", "--userspec=65532:65532", root, "/replhub", "probe", "healthz", "--http-addr", "127.0.0.1:1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Error(fmt.Errorf("probe: %w: %s", err, out))
	}
}
