package apply

import (
	"fmt"
	"strings"

	"github.com/replhub/replhub/database"
)

// FindingsError is all that keeps tables from being replicas, found before the first row was
// written. Nothing was written.
type FindingsError struct {
	// All has a sentence for each, with what to do about it.
	All []string
}

// Error lists the findings, a line each.
func (f *FindingsError) Error() string {
	if len(f.All) == 1 {
		return f.All[0]
	}
	return fmt.Sprintf("%d things do not fit; nothing was written:\n  - %s", len(f.All), strings.Join(f.All, "\n  - "))
}

// Class says that no event is at fault, so that none uses up an attempt.
func (*FindingsError) Class() database.Class { return database.Unavailable }

func (f *FindingsError) addf(format string, args ...any) {
	f.All = append(f.All, fmt.Sprintf(format, args...))
}

// orNil is the findings as an error, if there are any.
func (f *FindingsError) orNil() error {
	if len(f.All) == 0 {
		return nil
	}
	return f
}
