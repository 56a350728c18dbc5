package database

import "strings"

// Schema holds the statements, in order, that create the missing tables of a package.
// They may be run again. Services with migrations of their own can copy the
// statements from here; a column that a newer version adds to a table stands in that
// table's statement, with a default. [Schema.Migrate] adds it by itself.
type Schema []string

// String is the statements as one script.
func (s Schema) String() string {
	if len(s) == 0 {
		return ""
	}
	return strings.Join(s, ";\n\n") + ";\n"
}
