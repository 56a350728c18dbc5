// Package programs builds and starts the programs that an example plays with.
package programs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// Context ends when the user asks for the end: by Ctrl-C, or by closing the terminal.
func Context() (ctx context.Context, stop context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
}

// Build builds commands of this module into a folder, such as "cmd/replhub".
func Build(ctx context.Context, dir string, commands ...string) error {
	args := []string{"build", "-o", dir + string(os.PathSeparator)}
	for _, command := range commands {
		args = append(args, "github.com/replhub/replhub/"+command)
	}
	if said, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, said)
	}
	return nil
}
