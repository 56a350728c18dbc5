package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
	"time"
)

// report is everything that a run measured. What was not asked for is empty.
type report struct {
	Quick   bool            `json:"quick"`
	Cores   int             `json:"cores"`
	Go      string          `json:"go"`
	Payload int             `json:"payload_bytes"`
	Copies  []copiesResult  `json:"copies,omitempty"`
	Latency []latencyResult `json:"latency,omitempty"`
	Memory  *memoryResult   `json:"memory,omitempty"`
	Restart []restartResult `json:"restart,omitempty"`
	Hubs    *hubsResult     `json:"hubs,omitempty"`
	Scale   *scaleResult    `json:"scale,omitempty"`
}

func newReport(opts options) *report {
	return &report{Quick: opts.quick, Cores: runtime.NumCPU(), Go: runtime.Version(), Payload: payloadBytes}
}

// write puts the report into a file as JSON.
func (r *report) write(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// print writes the tables.
func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "\n%d cores, %s, one node, file storage, default sync, %d-byte payloads; medians [least - greatest]\n", r.Cores, r.Go, r.Payload)
	r.printCopies(out)
	r.printLatency(out)
	r.printMemory(out)
	r.printRestart(out)
	r.printHubs(out)
	r.printScale(out)
}

// table prints lines of tab-separated cells.
func table(out io.Writer, title string, fill func(line func(format string, args ...any))) {
	fmt.Fprintf(out, "\n%s\n", title)
	columns := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fill(func(format string, args ...any) { fmt.Fprintf(columns, "  "+format+"\n", args...) })
	_ = columns.Flush() // a report that cannot be printed has nobody to tell
}

func (r *report) printCopies(out io.Writer) {
	if len(r.Copies) == 0 {
		return
	}
	table(out, "Copies per second", func(line func(string, ...any)) {
		line("LANES\tEVENTS\tWAY\tCOPIES/S\tAFTER START\tWRITER CPU\tWRITER PEAK\tSERVER CPU\tSERVER PEAK")
		for _, c := range r.Copies {
			for _, way := range []string{wayHub, wayAgain, waySources, wayLimit} {
				rounds := c.Ways[way]
				if len(rounds) == 0 {
					continue
				}
				of := func(figure func(round) float64) summary { return summarize(pick(rounds, figure)) }
				line("%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s", c.Lanes, c.Events, way,
					thousands(of(func(r round) float64 { return r.Rate })),
					thousands(of(func(r round) float64 { return r.Steady })),
					seconds(of(func(r round) float64 { return r.Writer.CPU.Seconds() })),
					mebibytes(of(func(r round) float64 { return float64(r.Writer.Peak) })),
					seconds(of(func(r round) float64 { return r.Server.CPU.Seconds() })),
					mebibytes(of(func(r round) float64 { return float64(r.Server.Peak) })))
			}
		}
	})
	table(out, "Ratios, round by round", func(line func(string, ...any)) {
		line("LANES\tHUB / SOURCES\tHUB / LIMIT\tHUB / HUB (NOISE)")
		for _, c := range r.Copies {
			line("%d\t%s\t%s\t%s", c.Lanes, ratio(c.ToSources), ratio(c.ToLimit), ratio(c.Noise))
		}
	})
}

func (r *report) printLatency(out io.Writer) {
	if len(r.Latency) == 0 {
		return
	}
	table(out, fmt.Sprintf("Publish to worker, %d events a second", latencyRate), func(line func(string, ...any)) {
		line("LANES\tWAY\tP50 MS\tP99 MS\tHUB / SOURCES P50\tP99")
		for _, l := range r.Latency {
			for _, way := range []string{wayHub, waySources} {
				of := func(figure func(delays) time.Duration) string {
					return milliseconds(summarize(pick(l.Ways[way], func(d delays) float64 { return float64(figure(d)) })))
				}
				p50, p99 := "", ""
				if way == wayHub {
					p50, p99 = ratio(l.P50), ratio(l.P99)
				}
				line("%d\t%s\t%s\t%s\t%s\t%s", l.Lanes, way,
					of(func(d delays) time.Duration { return d.P50 }), of(func(d delays) time.Duration { return d.P99 }), p50, p99)
			}
		}
	})
}

func (r *report) printMemory(out io.Writer) {
	if r.Memory == nil {
		return
	}
	table(out, "Peak memory of the hub, one lane full and one catching up", func(line func(string, ...any)) {
		m := r.Memory
		line("EVENTS WAITING\tPEAK")
		line("%d\t%s", m.Small, mebibytes(m.Few))
		line("%d\t%s", m.Large, mebibytes(m.Many))
		line("ratio\t%s", ratio(m.Growth))
	})
}

func (r *report) printRestart(out io.Writer) {
	if len(r.Restart) == 0 {
		return
	}
	table(out, "Restart of the hub", func(line func(string, ...any)) {
		line("LANES\tINTERESTS\tREADY\tCAUGHT UP\tPEAK")
		for _, c := range r.Restart {
			line("%d\t%d\t%s\t%s\t%s", c.Lanes, c.Interests, seconds(c.Ready), seconds(c.CaughtUp), mebibytes(c.Peak))
		}
	})
}

func (r *report) printHubs(out io.Writer) {
	if r.Hubs == nil {
		return
	}
	table(out, fmt.Sprintf("Copies per second into %d lanes, hubs beside each other", r.Hubs.Lanes), func(line func(string, ...any)) {
		line("HUBS\tEVENTS\tCOPIES/S\tTO ONE HUB\tSERVER CPU")
		for i, rounds := range r.Hubs.Hubs {
			line("%d\t%d\t%s\t%s\t%s", i+1, r.Hubs.Events,
				thousands(summarize(pick(rounds, func(r round) float64 { return r.Rate }))), ratio(r.Hubs.ToOne[i]),
				seconds(summarize(pick(rounds, func(r round) float64 { return r.Server.CPU.Seconds() }))))
		}
	})
}

func (r *report) printScale(out io.Writer) {
	if r.Scale == nil {
		return
	}
	table(out, fmt.Sprintf("%d services, two interests each", r.Scale.Services), func(line func(string, ...any)) {
		line("WHAT\tTIME\tHUB CPU\tHUB PEAK\tSERVER CPU\tSERVER PEAK\tDETAIL")
		for _, s := range r.Scale.Steps {
			line("%s\t%.2fs\t%.2fs\t%dM\t%.2fs\t%dM\t%s", s.Name, s.Seconds, s.HubCPU, s.HubPeak>>20, s.ServerCPU, s.ServerPeak>>20, s.Detail)
		}
	})
}

// cell is a median with its spread, or a dash for what was not measured.
func cell(s summary, format string, unit float64) string {
	if s.Max == 0 {
		return "-"
	}
	return fmt.Sprintf(format+" ["+format+" - "+format+"]", s.Median/unit, s.Min/unit, s.Max/unit)
}

func thousands(s summary) string    { return cell(s, "%.0fk", 1000) }
func seconds(s summary) string      { return cell(s, "%.2fs", 1) }
func mebibytes(s summary) string    { return cell(s, "%.0fM", 1<<20) }
func milliseconds(s summary) string { return cell(s, "%.2f", float64(time.Millisecond)) }
func ratio(s summary) string        { return cell(s, "%.2f", 1) }
