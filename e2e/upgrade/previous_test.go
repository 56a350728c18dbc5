package upgrade_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// firstPrevious stands for the version before this one until there is a tag, such
// as v0.1.0: a commit, which moves on with each change that hubs of different
// versions need not understand of each other, because no release has it.
const firstPrevious = "1ffe823ae2d75e98d23082666d6037079a30fa8e"

// previous is the version before this one: the newest release in the history of
// this commit, this commit itself left out.
func previous(ctx context.Context) string {
	if shallow, _ := git(ctx, "rev-parse", "--is-shallow-repository"); shallow == "true" {
		// Without a network the clone is used as it is.
		_, _ = git(ctx, "fetch", "--quiet", "--tags", "--unshallow")
	}
	tag, err := git(ctx, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "--exclude", "*-*", "HEAD^")
	if err != nil || tag == "" {
		return firstPrevious
	}
	return tag
}

// errShallow: the clone's history does not reach back to the version before this
// one, and the rest of it cannot be fetched.
var errShallow = errors.New("this clone is shallow and cannot be completed")

// buildPrevious builds the hub of a revision, with failpoints, into a folder.
func buildPrevious(ctx context.Context, revision, dir string) (string, error) {
	if _, err := git(ctx, "cat-file", "-e", revision+"^{commit}"); err != nil {
		if _, err := git(ctx, "fetch", "--quiet", "--depth=1", "origin", revision); err != nil {
			if shallow, _ := git(ctx, "rev-parse", "--is-shallow-repository"); shallow == "true" {
				return "", errShallow
			}
			return "", fmt.Errorf("this clone has no commit %s, the version before this one: run git fetch --tags --unshallow: %w", revision, err)
		}
	}
	source := filepath.Join(dir, "source")
	if err := export(ctx, revision, source); err != nil {
		return "", fmt.Errorf("export %s: %w", revision, err)
	}
	return build(ctx, source, filepath.Join(dir, "replhub-before"))
}

// build builds the hub of the module in a folder.
func build(ctx context.Context, module, to string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "failpoints", "-buildvcs=false", "-o", to, "./cmd/replhub")
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "GOFLAGS=") // an overlay of mutants is for this version
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the hub in %s: %w\n%s", module, err, out)
	}
	return to, nil
}

// export writes a revision's files below a folder.
func export(ctx context.Context, revision, to string) error {
	top, err := git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	archive, err := exec.CommandContext(ctx, "git", "-C", top, "archive", "--format=tar", revision).Output()
	if err != nil {
		return err
	}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := write(r, filepath.Join(to, filepath.Clean("/"+h.Name))); err != nil {
			return err
		}
	}
}

func write(from io.Reader, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	text, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	return strings.TrimSpace(string(out)), err
}

// features are commits of this repository from which on hubs know of something.
var features = map[string]string{
	"policy": "c2f7c00",
	"lend":   "40b17db",
}

// previousKnows reports whether the version before this one has a feature. Then its hubs are
// no older ones in that respect, and there is nothing to test.
func previousKnows(t *testing.T, feature string) bool {
	t.Helper()
	revision := previous(t.Context())
	_, err := git(t.Context(), "merge-base", "--is-ancestor", features[feature], revision)
	if err == nil {
		t.Logf("%s knows of %s", revision, feature)
	}
	return err == nil
}
