package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The annotation that says which numbers a flag takes; without it those above 0.
const (
	flagRange = "replhub_range"
	rangeZero = "zero" // 0 has a meaning of its own, which the help text states
	rangeAny  = "any"
)

// takesZero marks flags for which 0 has a meaning.
func takesZero(flags *pflag.FlagSet, names ...string) { annotateRange(flags, rangeZero, names) }

// takesAnyNumber marks flags whose number means nothing to replhub.
func takesAnyNumber(flags *pflag.FlagSet, names ...string) { annotateRange(flags, rangeAny, names) }

func annotateRange(flags *pflag.FlagSet, which string, names []string) {
	for _, name := range names {
		if f := flags.Lookup(name); f != nil {
			_ = flags.SetAnnotation(name, flagRange, []string{which}) // the flag is there
		}
	}
}

// refuseEmptyNumbers refuses numbers, durations and sizes of 0 or less. Left
// out, a flag has its default; a 0 that is given would be taken for one that is
// left out, and would change nothing without a word.
func refuseEmptyNumbers(cmd *cobra.Command, _ []string) error {
	var refusal error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if err := refuseEmptyNumber(f); err != nil && refusal == nil {
			refusal = err
		}
	})
	return refusal
}

func refuseEmptyNumber(f *pflag.Flag) error {
	switch f.Value.Type() {
	case "int", "int64", "uint64", "duration", "size":
	default:
		return nil
	}
	allowed := ""
	if marks := f.Annotations[flagRange]; len(marks) > 0 {
		allowed = marks[0]
	}
	text := f.Value.String()
	negative := strings.HasPrefix(text, "-")
	zero := text == "" || strings.Trim(text, "0hms") == "" // a duration's 0 is "0s", a size's ""
	switch {
	case allowed == rangeAny, !negative && !zero:
		return nil
	case allowed == rangeZero && zero:
		return nil
	case allowed == rangeZero:
		return usagef("--%s %s: must not be negative", f.Name, text)
	}
	if zero {
		text = "0"
	}
	return usagef("--%s %s: must be above 0", f.Name, text)
}
