package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/replhub/replhub/hub/doctor"
	"github.com/replhub/replhub/internal/contract"
)

// codeUnhealthy is the code of a report that has a failure.
const codeUnhealthy contract.Code = "unhealthy"

// doctorTimeout bounds the wait for each answer, unless --timeout says something: what
// does not answer is a finding, and there may be several.
const doctorTimeout = 2 * time.Second

// doctorFlags are the flags of replhub doctor.
type doctorFlags struct {
	asHub         bool
	role          string
	http          []string
	httpTokenFile string
	monitors      []string
	all           bool
}

func newDoctor(a *app) *cobra.Command {
	f := &doctorFlags{}
	cmd := &cobra.Command{
		Use:     "doctor",
		GroupID: groupHub,
		Short:   "Find what does not fit, and say what to do",
		Long: `Look at the servers, the account, the permissions, the clocks, the streams, the
registry, the hubs and the lanes, and say what does not fit and what to do about it.
Nothing is changed. The command also works if no hub runs, or if NATS cannot be
reached: that is then a finding. What the credentials do not permit to see is said to
be unseen, never to be well.

With --as-hub, the command connects with the environment of 'replhub serve', and looks
at ZooKeeper and the HTTP that it names. 'replhub doctor capture' and 'replhub doctor
apply' look at a database instead.

The exit code is 1 if a check fails.`,
		Example: `  replhub doctor
  replhub doctor --as-hub --monitor http://127.0.0.1:8222
  replhub doctor --role observer --json | jq '.findings[] | select(.level == "fail")'
  replhub doctor apply sharing --dsn "$REPLICA" --table user=people`,
		Args: cobra.NoArgs,
	}
	f.register(a, cmd)
	cmd.RunE = a.verb(func(ctx context.Context, _ []string) error {
		wait := doctorTimeout
		if cmd.Flags().Changed("timeout") {
			wait = a.timeout
		}
		return a.doctor(ctx, f, wait)
	})
	cmd.AddCommand(newDoctorCapture(a), newDoctorApply(a))
	return cmd
}

func (f *doctorFlags) register(a *app, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.asHub, "as-hub", false, "connect with the environment of 'replhub serve' (REPLHUB_*), which also says where ZooKeeper and HTTP are")
	flags.StringVar(&f.role, "role", "", "what the credentials are meant for: hub, operator, observer or a service's name")
	flags.StringArrayVar(&f.http, "http", nil, "address of a hub's HTTP, such as http://127.0.0.1:8280; may be repeated")
	flags.StringVar(&f.httpTokenFile, "http-token-file", "", "file with the token of the hubs' HTTP")
	flags.StringArrayVar(&f.monitors, "monitor", nil, "address of a server's monitoring (http_port), such as http://127.0.0.1:8222; may be repeated")
	flags.BoolVar(&f.all, "all", false, "also print each check that passes")
	a.completeFlags(cmd, map[string]completer{"role": knownRoles})
}

// doctor makes the checks and prints the report.
func (a *app) doctor(ctx context.Context, f *doctorFlags, wait time.Duration) error {
	cfg, err := a.doctorConfig(f, wait)
	if err != nil {
		return err
	}
	if cfg.Conn != nil {
		defer cfg.Conn.Close()
	}
	return a.showReport(doctor.Run(ctx, cfg), f.all)
}

// doctorConfig says what to look at. A connection that does not come about is no error.
func (a *app) doctorConfig(f *doctorFlags, wait time.Duration) (doctor.Config, error) {
	cfg := doctor.Config{Timeout: wait, Monitors: f.monitors}
	var err error
	if f.asHub {
		err = f.connectAsHub(&cfg)
	} else {
		err = a.connectDoctor(&cfg, wait)
	}
	if err == nil {
		err = f.addZooKeeper(&cfg)
	}
	if err == nil {
		err = f.addHTTP(&cfg)
	}
	if err == nil {
		cfg.Role, err = f.roleOf(cfg.Domain)
	}
	if err != nil && cfg.Conn != nil {
		cfg.Conn.Close()
	}
	return cfg, err
}

// connectDoctor connects as the other verbs do.
func (a *app) connectDoctor(cfg *doctor.Config, wait time.Duration) error {
	quick := *a
	quick.timeout = wait
	target, err := a.conn.resolve()
	if err != nil {
		return err
	}
	cfg.Domain = target.Domain
	l, err := quick.connect()
	if err != nil {
		cfg.NoConn = err
		return nil
	}
	cfg.Conn = l.nc
	return nil
}

// connectAsHub connects as a hub would.
func (f *doctorFlags) connectAsHub(cfg *doctor.Config) error {
	s, err := readSettings()
	if err != nil {
		return err
	}
	cfg.Domain = s.JSDomain
	f.role = cmp.Or(f.role, "hub")
	link, err := s.NATS.connect("doctor", slog.New(slog.DiscardHandler))
	if err != nil {
		cfg.NoConn = err
		return nil
	}
	cfg.Conn = link.nc
	cfg.Conn.SetClosedHandler(func(*nats.Conn) {}) // nobody waits for the reason
	return nil
}

// showReport prints a report. One with a failure is an error.
func (a *app) showReport(report *doctor.Report, all bool) error {
	reply := struct {
		Failed   int              `json:"failed"`
		Warned   int              `json:"warned"`
		Unseen   int              `json:"unseen"`
		Findings []doctor.Finding `json:"findings"`
	}{report.Count(doctor.Fail), report.Count(doctor.Warn), report.Count(doctor.Unseen), report.Findings}
	show := func(w io.Writer) error { return showFindings(w, report, all) }
	if !report.Failed() {
		if a.json {
			return a.printValue(reply)
		}
		return show(a.out)
	}
	e := incompletef(codeUnhealthy, "%s", pluralOf(reply.Failed, "check fails", "checks fail"))
	var err error
	if e.reply, err = json.Marshal(reply); err != nil {
		return err
	}
	return a.incomplete(e, show)
}

func pluralOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// showFindings prints the findings by level, the most serious first. What passes is counted
// by group, unless all are to be shown.
func showFindings(w io.Writer, report *doctor.Report, all bool) error {
	out := &lines{w: w}
	for _, level := range doctor.Levels() {
		found := report.Of(level)
		if len(found) == 0 {
			continue
		}
		if level == doctor.Pass && !all {
			out.printf("%s: %s", level, passedText(found))
			continue
		}
		out.printf("%s:", level)
		for _, f := range found {
			out.printf("  %s: %s", findingName(f), printable(f.Message))
			if f.Do != "" {
				for line := range strings.Lines(f.Do) {
					out.printf("    -> %s", printable(strings.TrimSuffix(line, "\n")))
				}
			}
		}
	}
	return out.err
}

func findingName(f doctor.Finding) string {
	if f.About == "" {
		return f.Check
	}
	return f.Check + " " + printable(f.About)
}

// passedText counts what passes by group, in the order of the checks.
func passedText(found []doctor.Finding) string {
	counts := map[string]int{}
	var groups []string
	for _, f := range found {
		if counts[f.Group] == 0 {
			groups = append(groups, f.Group)
		}
		counts[f.Group]++
	}
	for i, g := range groups {
		groups[i] = fmt.Sprintf("%s %d", g, counts[g])
	}
	return strings.Join(groups, ", ")
}

// tokenIn is the token in a file, "" without a file.
func tokenIn(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)), err
}

// knownRoles are those that credentials may be meant for.
func knownRoles(ctx context.Context, a *app, args []string) []string {
	return append([]string{"hub", "operator", "observer"}, knownServices(ctx, a, args)...)
}
